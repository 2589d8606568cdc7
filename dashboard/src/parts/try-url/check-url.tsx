// Paste a URL to check: what the server would do with it now, check by check. Nothing is written, and the pasted secret
// is kept nowhere.

import { type FormEvent, useState } from "react";

import { request } from "@/api/client";
import { asApiError, type ApiError } from "@/api/errors";
import { ExplainUrlDocument, type ExplainUrlQuery } from "@/api/gql/graphql";
import { Button } from "@/parts/button";
import { Checks } from "@/parts/checks";
import { Dialog } from "@/parts/dialog";
import { Field, TextArea } from "@/parts/field";
import { Card } from "@/parts/page";
import { VerdictPill } from "@/parts/pill";
import { Failed, Notice } from "@/parts/states";

type Explanation = NonNullable<ExplainUrlQuery["postbackExplain"]>;

export function CheckUrl() {
  return (
    <Card title="Paste a URL to check" about="What would become of it now. Nothing is written.">
      <CheckUrlForm />
    </Card>
  );
}

/** The same above a page. */
export function CheckUrlDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Paste a URL to check" onClose={onClose}>
      <CheckUrlForm />
    </Dialog>
  );
}

function CheckUrlForm() {
  const [url, setUrl] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [explanation, setExplanation] = useState<Explanation | null>(null);
  const [error, setError] = useState<ApiError | null>(null);

  // Not a cached query: the URL holds a secret, which must not stay in a cache.
  async function check(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const { postbackExplain } = await request(ExplainUrlDocument, { url: url.trim() });
      setExplanation(postbackExplain ?? null);
    } catch (failure) {
      setExplanation(null);
      setError(asApiError(failure));
    } finally {
      setBusy(false);
    }
  }

  return (
    <div>
      <form onSubmit={(event) => void check(event)} className="grid gap-3">
        <Field label="The whole URL, as the advertiser fires it">
          {(control) => (
            <TextArea {...control} className="mono text-sm" rows={2} spellCheck={false} value={url} onChange={(event) => setUrl(event.target.value)} />
          )}
        </Field>
        <div className="flex justify-end">
          <Button type="submit" disabled={isBusy || url.trim() === ""}>
            {isBusy ? "Checking…" : "Check"}
          </Button>
        </div>
      </form>
      <div aria-live="polite">
        {error && <Failed error={error} />}
        {explanation && (
          <div className="mt-4 border-t border-line pt-4">
            <Explained explanation={explanation} />
          </div>
        )}
      </div>
    </div>
  );
}

/** What would become of a request, and every check of it. */
export function Explained({ explanation }: { explanation: Pick<Explanation, "verdict" | "explanation" | "suggestedFix" | "warnings" | "checks"> }) {
  return (
    <div className="grid gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <VerdictPill verdict={explanation.verdict} />
        <span className="text-sm break-words">{explanation.explanation}</span>
      </div>
      {explanation.suggestedFix && <Notice tone="warn">{explanation.suggestedFix}</Notice>}
      {explanation.warnings.map((warning) => (
        <Notice key={warning} tone="warn">
          {warning}
        </Notice>
      ))}
      <Checks checks={explanation.checks} />
    </div>
  );
}
