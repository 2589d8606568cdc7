// Rejecting some conversions, or all that a filter holds. Before anything happens it says how many it is and what it
// does to the money, from a rehearsal on the server; after it, Undo, or the progress of the job.

import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useId, useState } from "react";

import { useCreate } from "@/api/change";
import { type BulkResultFragment, type ConversionSelection, RejectConversionsDocument, ReinstateConversionsDocument, RejectionReasonsDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { countText, moneyText } from "@/parts/amount";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Field, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { JobProgress } from "@/parts/job/job-progress";
import { Notice, Skeleton } from "@/parts/states";
import { toast } from "@/parts/toast";
import { BulkResult, conversions } from "./bulk-result";
import { useRehearsal } from "./rehearsal";

/** What is to be changed, and how it is called. */
export interface Chosen {
  selection: ConversionSelection;
  /** Those that are named, in the order of the selection; of a filter none. */
  ids: string[];
  /** How many there are, where it is known. */
  count: number;
  /** Of a filter: refused when it matches another number by then; null where counting stopped. */
  expectedCount: number | null;
  /** Of those that are named: what a rejection would change the status of, for Undo. */
  countingIds: string[];
}

interface Props {
  chosen: Chosen;
  onClose: () => void;
  onDone: () => void;
}

export function RejectDialog({ chosen, onClose, onDone }: Props) {
  const reject = useCreate(RejectConversionsDocument, (data) => data.conversionsReject, { isPartial: true });
  const undo = useUndo();
  const [result, setResult] = useState<BulkResultFragment | null>(null);
  const reasons = useApi(RejectionReasonsDocument, {});
  const list = useId();
  const form = useForm(
    { reason: "", note: "" },
    ({ reason, note }) =>
      reject.run({ input: { selection: chosen.selection, reason: reason.trim(), note: note.trim() || null, expectedCount: chosen.expectedCount } }),
    (result) => {
      if (result.job || result.userErrors.length > 0) {
        setResult(result);
        return;
      }
      toast(`${conversions(result.changed)} rejected.`, { undo: undoOf(result) });
      onDone();
    },
  );
  /** Not where somebody else rejected some meanwhile: that would be taken back too. */
  const undoOf = ({ changed, userErrors }: BulkResultFragment) => {
    const failed = new Set(userErrors.map(({ index }) => chosen.ids[index ?? -1]));
    const ids = chosen.countingIds.filter((id) => !failed.has(id));
    return ids.length > 0 && changed >= ids.length ? () => void undo(ids) : undefined;
  };
  const reason = form.values.reason.trim();
  if (result?.job) {
    return (
      <JobDialog title="Rejecting" id={result.job.id} onClose={onDone}>
        <NoUndo reason={reason} onLeave={onDone} />
      </JobDialog>
    );
  }
  if (result) return <BulkResult verb="rejected" ids={chosen.ids} result={result} undo={undoOf(result)} onClose={onDone} />;
  return (
    <Dialog title={`Reject ${conversions(chosen.count)}`} size="small" onClose={onClose}>
      <Form form={form} action={`Reject ${conversions(chosen.count)}`} busyText="Rejecting…" onCancel={onClose}>
        <Field label="Reason" hint="The publisher may see it." problem={form.problem("reason")}>
          {(control) => (
            <>
              <TextInput {...control} autoFocus required list={list} maxLength={1000} value={form.values.reason} onChange={(event) => form.set("reason", event.target.value)} />
              <datalist id={list}>
                {reasons.data?.rejectionReasons.map((one) => (
                  <option key={one} value={one} />
                ))}
              </datalist>
            </>
          )}
        </Field>
        <Field label="Note" optional hint="For people in the network only." problem={form.problem("note")}>
          {(control) => <TextInput {...control} value={form.values.note} onChange={(event) => form.set("note", event.target.value)} />}
        </Field>
        <Consequence chosen={chosen} reason={reason} />
      </Form>
    </Dialog>
  );
}

function Consequence({ chosen, reason }: { chosen: Chosen; reason: string }) {
  const { result, problem } = useRehearsal(chosen.selection, reason);
  if (reason === "") return <p className="text-sm text-faint">Give the reason, and see here what it changes.</p>;
  if (problem) return <Notice tone="bad">{problem}</Notice>;
  if (!result) return <Skeleton lines={2} />;
  return (
    <Notice tone={result.changed > 0 ? "warn" : "plain"} role="status">
      <Effect result={result} verb="rejected" />
    </Notice>
  );
}

/** What a call does, in numbers. */
export function Effect({ result, verb }: { result: BulkResultFragment; verb: string }) {
  const money = [
    ...result.revenueChange.map((sum) => `Revenue ${signed(sum)}`),
    ...result.payoutChange.map((sum) => `payout ${signed(sum)}`),
  ];
  return (
    <>
      <p>
        {conversions(result.job ? result.matched : result.changed)} will be {verb}
        {result.unchanged > 0 && `, ${countText(result.unchanged)} stay as they are`}.
      </p>
      {money.length > 0 && <p className="figures">{money.join(", ")}.</p>}
    </>
  );
}

function signed(sum: { amount: string; currency: string }): string {
  return sum.amount.startsWith("-") ? `−${moneyText({ ...sum, amount: sum.amount.slice(1) })}` : `+${moneyText(sum)}`;
}

/** Takes a rejection back: each goes to the status that it had. What was rejected before stays so. */
function useUndo(): (ids: string[]) => Promise<void> {
  const reinstate = useCreate(ReinstateConversionsDocument, (data) => data.conversionsReinstate, { isPartial: true });
  return async (ids) => {
    const { payload, problems } = await reinstate.run({ input: { selection: { ids }, restorePrevious: true, note: "Undo" } });
    const left = payload ? payload.userErrors : problems;
    const [done, why] = [payload && `${conversions(payload.changed)} as before.`, left[0] && `${countText(left.length)} not: ${left[0].message}`];
    toast([done, why].filter(Boolean).join(" "), { tone: why ? "bad" : "good" });
  };
}

/** Why all of a filter cannot be taken back at once, and the way to what can be. */
function NoUndo({ reason, onLeave }: { reason: string; onLeave: () => void }) {
  const navigate = useNavigate({ from: "/conversions" });
  const show = () => {
    onLeave();
    void navigate({ search: (old) => ({ ...old, status: ["REJECTED"], reason }), resetScroll: false });
  };
  return (
    <div className="grid justify-items-start gap-2">
      <p className="text-sm text-soft">There is no Undo for all of a filter: among them may be some that were rejected with this reason before. Select what is to count again, and reinstate it.</p>
      <Button size="small" onClick={show}>
        Show what has this reason
      </Button>
    </div>
  );
}

export function JobDialog({ title, id, onClose, children }: { title: string; id: string; onClose: () => void; children: ReactNode }) {
  return (
    <Dialog title={title} size="small" onClose={onClose}>
      <div className="grid gap-4">
        <JobProgress id={id} />
        <p className="text-sm text-faint">It goes on when you close this.</p>
        {children}
      </div>
    </Dialog>
  );
}
