// Asks before something that hurts: what will happen, in numbers where there are any, and a button that says it again.

import { type ReactNode, useState } from "react";

import type { Outcome, Problem } from "@/api/change";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { Problems } from "./form";

interface Props<P> {
  title: string;
  /** The consequence. */
  children: ReactNode;
  /** The verb on the button. */
  action: string;
  look?: "danger" | "primary";
  /** False: something that is asked for is missing. */
  isReady?: boolean;
  run: () => Promise<Outcome<P>>;
  onDone: (payload: P) => void;
  onClose: () => void;
}

export function Confirm<P>({ title, children, action, look = "danger", isReady = true, run, onDone, onClose }: Props<P>) {
  const [problems, setProblems] = useState<Problem[]>([]);
  const [isBusy, setBusy] = useState(false);

  async function go() {
    setBusy(true);
    try {
      const outcome = await run();
      setProblems(outcome.problems);
      if (outcome.payload !== null) onDone(outcome.payload);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Dialog title={title} onClose={onClose} size="small">
      <div className="grid gap-4">
        <Problems problems={problems} />
        <div className="grid gap-3 text-base">{children}</div>
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button look={look} disabled={isBusy || !isReady} onClick={() => void go()}>
            {isBusy ? "Working…" : action}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
