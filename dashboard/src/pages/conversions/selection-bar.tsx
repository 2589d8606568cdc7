// What can be done with the rows that are chosen, or with all that the filters hold. It stays in sight while one is.

import { Download, RotateCcw, X, XCircle } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";

import { ConversionsCountDocument, type ConversionFilter } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { boundedText } from "@/parts/amount";
import { Button, IconButton } from "@/parts/button";
import { useShortcuts } from "@/parts/shortcuts";
import type { Chosen } from "./reject-dialog";

const RejectDialog = lazy(() => import("./reject-dialog").then(({ RejectDialog }) => ({ default: RejectDialog })));
const ReinstateDialog = lazy(() => import("./reinstate-dialog").then(({ ReinstateDialog }) => ({ default: ReinstateDialog })));

/** So many can be named; more are a job over the filter. */
export const NAMED_MAX = 500;

interface Props {
  ids: ReadonlySet<string>;
  /** Of them, those that are not Rejected. */
  countingIds: string[];
  /** Every row that is shown is chosen. */
  isWholePage: boolean;
  hasMore: boolean;
  filter: ConversionFilter;
  onClear: () => void;
  onExport: () => void;
}

export function SelectionBar({ ids, countingIds, isWholePage, hasMore, filter, onClear, onExport }: Props) {
  const mayChange = useMay("MANAGER");
  const [isAll, setAll] = useState(false);
  const [open, setOpen] = useState<"reject" | "reinstate" | null>(null);
  const offersAll = isWholePage && hasMore;
  const count = useApi(ConversionsCountDocument, { filter }, { enabled: offersAll });
  const total = count.data?.conversions.totalCount;
  const isFilter = isAll && offersAll && total !== undefined;
  const names = [...ids].sort().join(" ");
  const counting = countingIds.join(" ");
  const value = isFilter ? total.value : ids.size;
  const expected = isFilter && total.isExact ? total.value : null;
  const chosen = useMemo<Chosen>(() => {
    const named = names.split(" ");
    return {
      selection: isFilter ? { filter } : { ids: named },
      ids: isFilter ? [] : named,
      count: value,
      expectedCount: expected,
      countingIds: isFilter || counting === "" ? [] : counting.split(" "),
    };
  },
    [isFilter, filter, names, counting, value, expected],
  );
  useShortcuts(mayChange ? [{ key: "r", text: "Reject what is selected", run: () => setOpen("reject") }] : []);
  const tooMany = !isFilter && ids.size > NAMED_MAX;
  return (
    <div role="region" aria-label="Selection" className="sticky bottom-3 z-10 mx-3 mb-3 flex flex-wrap items-center gap-2 rounded-lg border border-line-strong bg-surface px-3 py-2 shadow-over animate-rise">
      <IconButton label="Clear the selection" onClick={onClear}>
        <X aria-hidden />
      </IconButton>
      <p role="status" className="figures text-sm font-medium">
        {isFilter ? `All ${boundedText(total)} that match` : `${ids.size} selected`}
      </p>
      {offersAll && total !== undefined && (
        <button type="button" onClick={() => setAll(!isAll)} className="text-sm text-accent-ink underline">
          {isAll ? "Only those shown" : `Select all ${boundedText(total)} that match`}
        </button>
      )}
      <div className="ml-auto flex flex-wrap gap-2">
        {tooMany && <p className="self-center text-sm text-bad">{NAMED_MAX} at most at once</p>}
        {mayChange && (
          <>
            <Button size="small" className="max-sm:hidden" onClick={onExport}>
              <Download aria-hidden />
              Export CSV
            </Button>
            <Button size="small" disabled={tooMany} onClick={() => setOpen("reinstate")}>
              <RotateCcw aria-hidden />
              Reinstate…
            </Button>
            <Button size="small" look="danger" disabled={tooMany} onClick={() => setOpen("reject")}>
              <XCircle aria-hidden />
              Reject…
            </Button>
          </>
        )}
      </div>
      <Suspense>
        {open === "reject" && (
          <RejectDialog
            chosen={chosen}
            onClose={() => setOpen(null)}
            onDone={() => {
              setOpen(null);
              onClear();
            }}
          />
        )}
        {open === "reinstate" && (
          <ReinstateDialog
            chosen={chosen}
            onClose={() => setOpen(null)}
            onDone={() => {
              setOpen(null);
              onClear();
            }}
          />
        )}
      </Suspense>
    </div>
  );
}
