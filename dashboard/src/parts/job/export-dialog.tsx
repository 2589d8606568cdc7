// A CSV file of what a list holds: a job that counts, and then the file.

import { useState } from "react";

import type { Outcome } from "@/api/change";
import { Dialog } from "../dialog";
import { Form, useForm } from "../form";
import { JobProgress } from "./job-progress";

interface Props {
  /** What goes into it, as a sentence. */
  about: string;
  /** Without its end. */
  name: string;
  start: () => Promise<Outcome<{ job?: { id: string } | null }>>;
  onClose: () => void;
}

export function ExportDialog({ about, name, start, onClose }: Props) {
  const [job, setJob] = useState<string | null>(null);
  const form = useForm({}, start, (payload) => setJob(payload.job?.id ?? null));
  return (
    <Dialog title="Export CSV" size="small" onClose={onClose}>
      {job ? (
        <JobProgress id={job} fileName={`${name}-${new Date().toISOString().slice(0, 10)}.csv`} />
      ) : (
        <Form form={form} action="Make the file" busyText="Starting…" onCancel={onClose}>
          <p className="text-base">{about}</p>
          <p className="text-sm text-faint">Every column, one line for each. The file can be fetched for a day.</p>
        </Form>
      )}
    </Dialog>
  );
}
