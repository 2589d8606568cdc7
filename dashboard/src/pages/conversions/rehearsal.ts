// What a rejection would change, asked of the server while somebody types the reason. A mutation that writes nothing,
// so it is in no cache.

import { useEffect, useState } from "react";

import { sentence } from "@/api/change";
import { request } from "@/api/client";
import { asApiError } from "@/api/errors";
import { type BulkResultFragment, type ConversionSelection, RejectConversionsDocument } from "@/api/gql/graphql";
import { useDelayed } from "@/parts/delayed";

interface Rehearsal {
  result: BulkResultFragment | null;
  problem: string | null;
}

const NONE: Rehearsal = { result: null, problem: null };

/** `selection` must stay the same object. Nothing is asked without a reason. */
export function useRehearsal(selection: ConversionSelection, reason: string): Rehearsal {
  const wanted = useDelayed(reason, 300);
  const [found, setFound] = useState<Rehearsal>(NONE);
  useEffect(() => {
    if (wanted === "") return;
    const stop = new AbortController();
    request(RejectConversionsDocument, { input: { selection, reason: wanted, dryRun: true } }, stop.signal)
      .then(({ conversionsReject }) => {
        const problem = conversionsReject?.userErrors.map(({ message }) => message).join(" ");
        setFound({ result: conversionsReject ?? null, problem: problem || null });
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setFound({ result: null, problem: sentence(asApiError(error)) });
      });
    return () => stop.abort();
  }, [selection, wanted]);
  return wanted === reason ? found : NONE;
}
