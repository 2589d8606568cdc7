// Every check that a request went through: passed, failed, or not reached, with what was found.

import { CircleCheck, CircleMinus, CircleX } from "lucide-react";

import type { Check } from "@/api/gql/graphql";

const LOOKS = {
  passed: { Icon: CircleCheck, className: "text-good", word: "Passed" },
  failed: { Icon: CircleX, className: "text-bad", word: "Failed" },
  skipped: { Icon: CircleMinus, className: "text-faint", word: "Not reached" },
};

export function Checks({ checks }: { checks: Pick<Check, "name" | "passed" | "skipped" | "detail">[] }) {
  return (
    <ol className="grid gap-1.5">
      {checks.map(({ name, passed, skipped, detail }) => {
        const { Icon, className, word } = LOOKS[skipped ? "skipped" : passed ? "passed" : "failed"];
        return (
          <li key={name} className="flex items-start gap-2.5 text-sm">
            <Icon aria-hidden className={`mt-0.5 size-4 shrink-0 ${className}`} />
            <div className="min-w-0">
              <span className={skipped ? "text-faint" : "font-medium"}>{words(name)}</span>{" "}
              {!skipped && <span className="sr-only">{word}.</span>}
              {skipped ? <span className="text-faint">{word.toLowerCase()}</span> : <span className={`block break-words ${passed ? "text-faint" : "text-bad"}`}>{detail}</span>}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

/** `token_known` → `Token known`. */
export function words(name: string): string {
  const text = name.replaceAll("_", " ").toLowerCase().replace(/\b(?:api|url)\b/g, (word) => word.toUpperCase());
  return text.charAt(0).toUpperCase() + text.slice(1);
}
