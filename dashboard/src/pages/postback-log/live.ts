// Receipts as they come in. They are gathered and shown a few times a second, so that a flood does not stop the page;
// while the list is held they wait, and what waits for too long is left to the next reading.

import { useEffect, useReducer, useRef, useState } from "react";

import { type ReceiptFilter, type ReceiptRowFragment, ReceiptStreamDocument } from "@/api/gql/graphql";
import { follow, type StreamPhase } from "@/api/follow";

const SHOW_MILLIS = 250;
/** Shown at most; older ones are in the list below once it is read again. */
const SHOWN_MAX = 2_000;

export interface LiveReceipts {
  phase: StreamPhase;
  /** The newest first. */
  shown: ReceiptRowFragment[];
  /** Came in while the list was held. */
  waiting: number;
  /** Something was missed: the list has to be read again. */
  hasGap: boolean;
  /** Shows what waits. */
  show: () => void;
  /** The list was read again. */
  reset: () => void;
}

interface Seen {
  shown: ReceiptRowFragment[];
  hasGap: boolean;
}

type Step = { kind: "rows"; rows: ReceiptRowFragment[] } | { kind: "gap" } | { kind: "reset" };

const NOTHING: Seen = { shown: [], hasGap: false };

function next(seen: Seen, step: Step): Seen {
  switch (step.kind) {
    case "rows":
      return { ...seen, shown: [...step.rows, ...seen.shown].slice(0, SHOWN_MAX) };
    case "gap":
      return { ...seen, hasGap: true };
    case "reset":
      return NOTHING;
  }
}

/** `filter` must stay the same object while nothing changes; null follows nothing. */
export function useLiveReceipts(filter: ReceiptFilter | null, isHeld: boolean): LiveReceipts {
  const [phase, setPhase] = useState<StreamPhase>("connecting");
  const [seen, step] = useReducer(next, NOTHING);
  const [waiting, setWaiting] = useState(0);
  const queue = useRef<ReceiptRowFragment[]>([]);
  const held = useRef(isHeld);
  held.current = isHeld;

  const show = () => {
    if (queue.current.length > 0) step({ kind: "rows", rows: queue.current.splice(0).reverse() });
    setWaiting(0);
  };
  const flush = useRef(show);
  flush.current = show;

  useEffect(() => {
    queue.current = [];
    setWaiting(0);
    step({ kind: "reset" });
    if (!filter) return;
    const timer = setInterval(() => {
      if (held.current) setWaiting(queue.current.length);
      else if (queue.current.length > 0) flush.current();
    }, SHOW_MILLIS);
    const stop = follow(
      ReceiptStreamDocument,
      { filter },
      {
        phase: setPhase,
        error: () => setPhase("broken"),
        cursor: (data) => data.receipts.cursor,
        next: ({ receipts: { receipt, gap } }) => {
          if (gap) step({ kind: "gap" });
          if (!receipt) return;
          queue.current.push(receipt);
          if (queue.current.length > SHOWN_MAX) {
            queue.current.shift();
            step({ kind: "gap" });
          }
        },
      },
    );
    return () => {
      clearInterval(timer);
      stop();
    };
  }, [filter]);

  useEffect(() => {
    if (!isHeld) flush.current();
  }, [isHeld]);

  const reset = () => {
    queue.current = [];
    setWaiting(0);
    step({ kind: "reset" });
  };
  return { phase, ...seen, waiting, show, reset };
}
