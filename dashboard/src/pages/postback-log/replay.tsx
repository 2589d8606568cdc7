// After the cause was mended: what a refused request would come to now, and sending it, or all that the list holds,
// again from its receipt. What was recorded meanwhile stays recorded once.

import { useState } from "react";

import { useCreate } from "@/api/change";
import { ExplainReplayDocument, type ReceiptFilter, ReplayReceiptsDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Form, useForm } from "@/parts/form";
import { JobProgress } from "@/parts/job/job-progress";
import { Loaded, Notice, Skeleton } from "@/parts/states";
import { Explained } from "@/parts/try-url/check-url";

/** One request: checked again when it is opened. */
export function ReplayOne({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useApi(ExplainReplayDocument, { id });
  const replay = useCreate(ReplayReceiptsDocument, (data) => data.receiptsReplay);
  const [job, setJob] = useState<string | null>(null);
  const form = useForm(
    {},
    () => replay.run({ ids: [id], dryRun: false }),
    (payload) => setJob(payload.job?.id ?? null),
  );
  return (
    <Dialog title="Check and send again" onClose={onClose}>
      {job ? (
        <JobProgress id={job} />
      ) : (
        <Loaded query={query} skeleton={<Skeleton lines={6} />}>
          {({ receiptReplayExplain: explanation }) =>
            explanation ? (
              <Form form={form} action="Send it again" busyText="Sending…" onCancel={onClose}>
                <p className="text-sm text-soft">What would become of it now. Nothing was sent yet.</p>
                <Explained explanation={explanation} />
              </Form>
            ) : (
              <Notice tone="warn">This request cannot be sent again.</Notice>
            )
          }
        </Loaded>
      )}
    </Dialog>
  );
}

/** All refused requests that the list holds: first a rehearsal, then for real. */
export function ReplayDialog({ filter, onClose }: { filter: ReceiptFilter; onClose: () => void }) {
  const replay = useCreate(ReplayReceiptsDocument, (data) => data.receiptsReplay);
  const [rehearsal, setRehearsal] = useState<string | null>(null);
  const [job, setJob] = useState<string | null>(null);
  const form = useForm(
    {},
    () => replay.run({ filter, dryRun: rehearsal === null }),
    (payload) => (rehearsal === null ? setRehearsal : setJob)(payload.job?.id ?? null),
  );
  if (job) {
    return (
      <Dialog title="Sending again" size="small" onClose={onClose}>
        <JobProgress id={job} />
        <div className="flex justify-end pt-3">
          <Button look="primary" onClick={onClose}>
            Close
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="Replay refused requests" size="small" onClose={onClose}>
      <Form form={form} action={rehearsal ? "Send them again" : "Rehearse"} busyText="Starting…" onCancel={onClose}>
        {rehearsal ? (
          <>
            <p className="text-sm text-soft">So many would be accepted now; those that would not are told below. Nothing was recorded yet.</p>
            <JobProgress id={rehearsal} />
          </>
        ) : (
          <p className="text-base">
            Once the cause is mended, the refused requests that the list holds can be sent again from their receipts. A rehearsal tells first what
            would become of them.
          </p>
        )}
      </Form>
    </Dialog>
  );
}
