// What became of a call about some conversions where not all could be changed: how many were, which were not, and why.

import { Link } from "@tanstack/react-router";

import type { BulkResultFragment } from "@/api/gql/graphql";
import { countText } from "@/parts/amount";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Notice } from "@/parts/states";

const SHOWN_MAX = 10;

export function conversions(count: number): string {
  return count === 1 ? "1 conversion" : `${countText(count)} conversions`;
}

interface Props {
  /** "rejected": what was to be done. */
  verb: string;
  /** Those that were named, in their order. */
  ids: string[];
  result: BulkResultFragment;
  undo?: () => void;
  onClose: () => void;
}

export function BulkResult({ verb, ids, result: { changed, unchanged, userErrors }, undo, onClose }: Props) {
  const reasons = [...new Set(userErrors.map(({ message }) => message))];
  return (
    <Dialog title={`${countText(userErrors.length)} of ${countText(ids.length)} not ${verb}`} size="small" onClose={onClose}>
      <div className="grid gap-4">
        <Notice tone={changed > 0 ? "good" : "warn"} role="status">
          {changed > 0 ? `${conversions(changed)} ${verb}` : "Nothing was changed"}
          {unchanged > 0 && `, ${countText(unchanged)} ${unchanged === 1 ? "was" : "were"} so already`}.
        </Notice>
        {reasons.map((reason) => {
          const left = userErrors.filter(({ message }) => message === reason);
          return <NotDone key={reason} reason={reason} ids={left.flatMap(({ index }) => ids[index ?? -1] ?? [])} onLeave={onClose} />;
        })}
        <div className="flex flex-wrap justify-end gap-2">
          {undo && (
            <Button
              onClick={() => {
                undo();
                onClose();
              }}
            >
              Undo
            </Button>
          )}
          <Button look="primary" onClick={onClose}>
            Close
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function NotDone({ reason, ids, onLeave }: { reason: string; ids: string[]; onLeave: () => void }) {
  return (
    <section className="grid gap-1.5 text-sm">
      <h3 className="font-medium">
        {conversions(ids.length)} not: {reason}
      </h3>
      <ul className="grid gap-1">
        {ids.slice(0, SHOWN_MAX).map((id) => (
          <li key={id}>
            <Link from="/conversions" to="/conversions" search={(old) => ({ ...old, conversion: id })} onClick={onLeave} className="mono break-all text-accent-ink hover:underline">
              {id}
            </Link>
          </li>
        ))}
      </ul>
      {ids.length > SHOWN_MAX && <p className="text-faint">and {countText(ids.length - SHOWN_MAX)} more</p>}
    </section>
  );
}
