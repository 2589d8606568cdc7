// Work that goes on behind an answer: how far it is, what could not be done, the way to stop it, and the file where it
// makes one.

import { Download } from "lucide-react";
import { useEffect, useRef, useState } from "react";

import { sentence, useChange } from "@/api/change";
import { download } from "@/api/download";
import { asApiError } from "@/api/errors";
import { CancelJobDocument, JobProgressDocument, type JobProgressQuery, type JobState } from "@/api/gql/graphql";
import { queryClient, useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { countText } from "../amount";
import { Button } from "../button";
import { JobPill } from "../pill";
import { Empty, Loaded, Notice } from "../states";
import { toast } from "../toast";

type Job = NonNullable<JobProgressQuery["job"]>;

const LOOK_MILLIS = 700;
const OVER: ReadonlySet<JobState> = new Set<JobState>(["SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED"]);

interface Props {
  id: string;
  /** Of the file, where the job makes one. */
  fileName?: string;
}

export function JobProgress({ id, fileName }: Props) {
  const mayDownload = useMay("MANAGER");
  const [isOver, setOver] = useState(false);
  const query = useApi(JobProgressDocument, { id, mayDownload }, { refetchInterval: isOver ? undefined : LOOK_MILLIS });
  const state = query.data?.job?.state;
  const isTold = useRef(false);
  useEffect(() => {
    if (!state || !OVER.has(state)) return;
    setOver(true);
    // What it changed is read again, once.
    if (!isTold.current) void queryClient.invalidateQueries();
    isTold.current = true;
  }, [state]);
  return (
    <Loaded query={query}>
      {({ job }) => (job ? <Progress job={job} fileName={fileName} /> : <Empty title="This job is not kept any more" />)}
    </Loaded>
  );
}

function Progress({ job, fileName }: { job: Job; fileName?: string }) {
  const cancel = useChange(CancelJobDocument, (data) => data.jobCancel);
  const isOver = OVER.has(job.state);
  const stop = async () => {
    const { problems } = await cancel.run({ id: job.id });
    for (const { message } of problems) toast(message, { tone: "bad" });
  };
  return (
    <div className="grid gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <JobPill state={job.state} />
        <p role="status" className="figures text-sm text-soft">
          {job.total === null || job.total === undefined
            ? `${countText(job.processed)} looked at`
            : `${countText(job.processed)} of ${countText(job.total)}`}
          {job.failed > 0 && `, ${countText(job.failed)} not done`}
        </p>
      </div>
      <progress
        aria-label="How far it is"
        max={job.total ?? undefined}
        value={job.total === null || job.total === undefined ? (isOver ? 1 : undefined) : job.processed}
        className="h-1.5 w-full overflow-hidden rounded-full [&::-moz-progress-bar]:bg-accent [&::-webkit-progress-bar]:bg-line [&::-webkit-progress-value]:bg-accent"
      />
      {job.failure && <Notice tone="bad">{job.failure}</Notice>}
      {job.errors.nodes.length > 0 && (
        <ul className="grid gap-1 text-sm">
          {job.errors.nodes.map(({ subjectId, error }, index) => (
            <li key={index} className="break-words">
              <span className="mono text-faint">{subjectId}</span> {error.message}
            </li>
          ))}
        </ul>
      )}
      <div className="flex flex-wrap gap-2">
        {job.downloadUrl && fileName && <DownloadButton url={job.downloadUrl} name={fileName} />}
        {!isOver && (
          <Button size="small" disabled={job.cancelRequested || cancel.isRunning} onClick={() => void stop()}>
            {job.cancelRequested ? "Stopping…" : "Stop"}
          </Button>
        )}
      </div>
    </div>
  );
}

function DownloadButton({ url, name }: { url: string; name: string }) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const fetchIt = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await download(url, name);
    } catch (error) {
      setProblem(sentence(asApiError(error)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="grid gap-2">
      <Button look="primary" disabled={isBusy} onClick={() => void fetchIt()}>
        <Download aria-hidden />
        {isBusy ? "Downloading…" : "Download"}
      </Button>
      {problem && (
        <Notice tone="bad" role="alert">
          {problem}
        </Notice>
      )}
    </div>
  );
}
