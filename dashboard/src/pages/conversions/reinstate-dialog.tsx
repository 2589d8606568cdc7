// Taking rejected conversions back: to Approved, or to what they were.

import { useState } from "react";

import { useCreate } from "@/api/change";
import { type BulkResultFragment, ReinstateConversionsDocument } from "@/api/gql/graphql";
import { Dialog } from "@/parts/dialog";
import { Field, Switch, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { toast } from "@/parts/toast";
import { BulkResult, conversions } from "./bulk-result";
import { type Chosen, JobDialog } from "./reject-dialog";

export function ReinstateDialog({ chosen, onClose, onDone }: { chosen: Chosen; onClose: () => void; onDone: () => void }) {
  const reinstate = useCreate(ReinstateConversionsDocument, (data) => data.conversionsReinstate, { isPartial: true });
  const [result, setResult] = useState<BulkResultFragment | null>(null);
  const form = useForm(
    { note: "", restorePrevious: true },
    ({ note, restorePrevious }) =>
      reinstate.run({ input: { selection: chosen.selection, restorePrevious, note: note.trim() || null, expectedCount: chosen.expectedCount } }),
    (result) => {
      if (result.job || result.userErrors.length > 0) {
        setResult(result);
        return;
      }
      toast(result.changed > 0 ? `${conversions(result.changed)} reinstated.` : "None of them was rejected: nothing changed.");
      onDone();
    },
  );
  if (result?.job) {
    return (
      <JobDialog title="Reinstating" id={result.job.id} onClose={onDone}>
        <p className="text-sm text-soft">There is no Undo for all of a filter. Each goes on in its own history, where it can be rejected again.</p>
      </JobDialog>
    );
  }
  if (result) return <BulkResult verb="reinstated" ids={chosen.ids} result={result} onClose={onDone} />;
  return (
    <Dialog title={`Reinstate ${conversions(chosen.count)}`} size="small" onClose={onClose}>
      <Form form={form} action="Reinstate" busyText="Working…" onCancel={onClose}>
        <p className="text-sm text-soft">Those that are rejected count again; the others stay as they are.</p>
        <Switch
          label="Back to what each was before"
          hint="Off: all become Approved."
          checked={form.values.restorePrevious}
          onChange={(on) => form.set("restorePrevious", on)}
        />
        <Field label="Note" optional hint="For people in the network only." problem={form.problem("note")}>
          {(control) => <TextInput {...control} value={form.values.note} onChange={(event) => form.set("note", event.target.value)} />}
        </Field>
      </Form>
    </Dialog>
  );
}
