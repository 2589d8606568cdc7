// What happens to conversions while the page is open. Rows that are shown change in their place; new ones are only
// counted, because a list that moves under a hand that is about to click is worse than one that is a minute old.

import { useCallback, useEffect, useState } from "react";

import { ConversionChangesDocument, type ConversionFilter, type ConversionRowFragment } from "@/api/gql/graphql";
import { follow, type StreamPhase } from "@/api/follow";

export interface Live {
  phase: StreamPhase;
  /** Recorded since the list was read. */
  fresh: number;
  /** As they are now, by id. */
  changed: ReadonlyMap<string, ConversionRowFragment>;
  /** Something was missed: the list has to be read again. */
  hasGap: boolean;
  /** The list was read again. */
  reset: () => void;
}

const NOTHING = { fresh: 0, changed: new Map<string, ConversionRowFragment>(), hasGap: false };

/** `filter` must stay the same object while nothing changes; null follows nothing. */
export function useLiveConversions(filter: ConversionFilter | null): Live {
  const [phase, setPhase] = useState<StreamPhase>("connecting");
  const [seen, setSeen] = useState(NOTHING);
  const reset = useCallback(() => setSeen(NOTHING), []);
  useEffect(() => {
    reset();
    if (!filter) return;
    return follow(
      ConversionChangesDocument,
      { filter },
      {
        phase: setPhase,
        cursor: (data) => data.conversionChanges.cursor,
        error: () => setPhase("broken"),
        next: ({ conversionChanges: { change, gap } }) => {
          if (gap) setSeen((old) => ({ ...old, hasGap: true }));
          if (!change) return;
          const isNew = change.type === "RECORDED";
          setSeen((old) => ({
            ...old,
            fresh: old.fresh + (isNew ? 1 : 0),
            changed: isNew ? old.changed : new Map(old.changed).set(change.conversion.id, change.conversion),
          }));
        },
      },
    );
  }, [filter, reset]);
  return { phase, ...seen, reset };
}
