// The Postback Log: every request on a tracking door as it comes in, what became of it, and why.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { ArrowUp, Download, FlaskConical, Pause, Play, RotateCw, SearchCheck } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";

import { type ReceiptRowFragment, ReceiptsPageDocument } from "@/api/gql/graphql";
import { type List, queryClient, useList } from "@/api/query";
import { useMay } from "@/app/session";
import { Button, LinkButton } from "@/parts/button";
import { words } from "@/parts/checks";
import { FilterMany, FilterPopup, SearchBox } from "@/parts/filters";
import { LivePill } from "@/parts/live-pill";
import { NamedFilter } from "@/parts/lookup/named-filter";
import { Card, Page } from "@/parts/page";
import type { Range } from "@/parts/period/period";
import { PeriodPicker } from "@/parts/period/period-picker";
import { usePeriod } from "@/parts/period/use-period";
import { Pill } from "@/parts/pill";
import { useSame } from "@/parts/same";
import { some } from "@/parts/search-params";
import { useShortcuts } from "@/parts/shortcuts";
import { Empty, Failed } from "@/parts/states";
import { DataTable } from "@/parts/table";
import { columnsOf, KIND_TEXT, VERDICT_TEXT } from "./columns";
import { type LiveReceipts, useLiveReceipts } from "./live";
import { CLEARED, filterOf, isFiltered, KINDS, listFilterOf, type LogSearch, USUAL_PERIOD, VERDICTS } from "./search";

const Figures = lazy(() => import("./figures").then(({ Figures }) => ({ default: Figures })));
const ReceiptDrawer = lazy(() => import("./receipt-drawer").then(({ ReceiptDrawer }) => ({ default: ReceiptDrawer })));
const CheckUrlDialog = lazy(() => import("@/parts/try-url/check-url").then(({ CheckUrlDialog }) => ({ default: CheckUrlDialog })));
const SendTest = lazy(() => import("@/parts/try-url/send-test").then(({ SendTest }) => ({ default: SendTest })));
const ReplayDialog = lazy(() => import("./replay").then(({ ReplayDialog }) => ({ default: ReplayDialog })));
const ExportReceipts = lazy(() => import("./export").then(({ ExportReceipts }) => ({ default: ExportReceipts })));

const PAGE = 50;
/** Further down than this, rows that come in wait: nothing moves under a reader. */
const READING_PIXELS = 320;
const VERDICT_OPTIONS = VERDICTS.map((verdict) => [verdict, VERDICT_TEXT[verdict]] as const);
const KIND_OPTIONS = KINDS.map((kind) => [kind, KIND_TEXT[kind]] as const);
const TESTS_OPTIONS = [["no", "Without tests"]] as const;

export function PostbackLog() {
  const search = useSearch({ from: "/shell/postback-log" });
  const navigate = useNavigate({ from: "/postback-log" });
  const set = useCallback(
    (change: LogSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: !change.receipt, resetScroll: false }),
    [navigate],
  );
  const { zone, range, error, retry } = usePeriod(search, USUAL_PERIOD);
  const mayTry = useMay("MANAGER");
  const [isExporting, setExporting] = useState(false);
  const [isReplaying, setReplaying] = useState(false);
  const [isPaused, setPaused] = useState(false);
  const isReading = useIsReading();
  const isLive = range?.until === null;
  const live = useLiveReceipts(useSame(isLive ? filterOf(search) : null), isPaused || isReading);
  return (
    <Page
      title="Postback Log"
      mark={isLive && (isPaused ? <Pill tone="warn" icon={Pause}>Paused</Pill> : <LivePill phase={live.phase} />)}
      about="Every request of advertisers and visitors, kept whatever became of it."
      actions={
        <>
          <PeriodPicker period={search} usual={USUAL_PERIOD} zone={zone} onChange={set} />
          {mayTry && (
            <>
              <Button onClick={() => setExporting(true)} disabled={!range}>
                <Download aria-hidden />
                Export CSV
              </Button>
              <Button onClick={() => setReplaying(true)} disabled={!range}>
                <RotateCw aria-hidden />
                Replay…
              </Button>
              <Button onClick={() => set({ check: true })}>
                <SearchCheck aria-hidden />
                Paste a URL to check
              </Button>
              <Button look="primary" onClick={() => set({ test: true })}>
                <FlaskConical aria-hidden />
                Send test
              </Button>
            </>
          )}
        </>
      }
    >
      {error && !range && <Failed error={error} onRetry={retry} />}
      {range && zone && !search.transaction && (
        <Suspense fallback={<div className="skeleton h-80" />}>
          <Figures search={search} range={range} zone={zone} set={set} />
        </Suspense>
      )}
      {range && <Rows search={search} range={range} live={live} pause={isLive ? { isPaused, setPaused } : null} set={set} />}
      <Suspense>
        {search.receipt && <ReceiptDrawer id={search.receipt} onClose={() => set({ receipt: undefined })} />}
        {search.check && mayTry && <CheckUrlDialog onClose={() => set({ check: undefined })} />}
        {search.test && mayTry && <SendTest offerId={undefined} onClose={() => set({ test: undefined })} />}
        {isReplaying && range && <ReplayDialog filter={listFilterOf(search, range)} onClose={() => setReplaying(false)} />}
        {isExporting && range && <ExportReceipts filter={listFilterOf(search, range)} onClose={() => setExporting(false)} />}
      </Suspense>
    </Page>
  );
}

interface RowsProps {
  search: LogSearch;
  range: Range;
  live: LiveReceipts;
  /** Null where nothing is live. */
  pause: { isPaused: boolean; setPaused: (isPaused: boolean) => void } | null;
  set: (change: LogSearch) => void;
}

function Rows({ search, range, live, pause, set }: RowsProps) {
  const filter = useSame(listFilterOf(search, range));
  const list = useList(ReceiptsPageDocument, { first: PAGE, filter }, (data) => data.receipts);
  const rows = useMemo(() => joined(live.shown, list.rows), [live.shown, list.rows]);
  const columns = useMemo(() => columnsOf((id) => set({ receipt: id })), [set]);
  useShortcuts(pause ? [{ key: "p", text: pause.isPaused ? "Go on" : "Pause the log", run: () => pause.setPaused(!pause.isPaused) }] : []);
  const showNew = () => {
    pause?.setPaused(false);
    window.scrollTo({ top: 0, behavior: "smooth" });
    live.show();
    if (live.hasGap) {
      live.reset();
      void queryClient.invalidateQueries();
    }
  };
  const shown: List<ReceiptRowFragment> = { ...list, rows };
  return (
    <Card isFlush>
      <DataTable
        name="postback-log"
        label="Requests"
        list={shown}
        columns={columns}
        rowId={(row) => row.id}
        openId={search.receipt}
        onOpen={(row) => set({ receipt: row.id })}
        empty={<NoRows search={search} set={set} />}
        toolbar={
          <>
            <Filters search={search} set={set} />
            {pause && (
              <Button size="small" className="h-8" onClick={() => pause.setPaused(!pause.isPaused)}>
                {pause.isPaused ? <Play aria-hidden /> : <Pause aria-hidden />}
                {pause.isPaused ? "Go on" : "Pause"}
              </Button>
            )}
          </>
        }
      />
      {(live.waiting > 0 || live.hasGap) && (
        <div className="pointer-events-none fixed inset-x-0 top-16 z-20 flex justify-center lg:top-4 lg:left-62">
          <Button look="primary" size="small" className="pointer-events-auto animate-rise" onClick={showNew}>
            <ArrowUp aria-hidden />
            {live.waiting > 0 ? `${live.waiting} new` : "Some were missed: read again"}
          </Button>
        </div>
      )}
    </Card>
  );
}

/** What came in live, above what was read; nothing twice. */
function joined(live: ReceiptRowFragment[], read: ReceiptRowFragment[] | undefined): ReceiptRowFragment[] | undefined {
  if (!read || live.length === 0) return read;
  const known = new Set(live.map(({ id }) => id));
  return [...live, ...read.filter(({ id }) => !known.has(id))];
}

/** Has somebody scrolled into the list? */
function useIsReading(): boolean {
  const [isReading, setReading] = useState(false);
  useEffect(() => {
    const look = () => setReading(window.scrollY > READING_PIXELS);
    window.addEventListener("scroll", look, { passive: true });
    return () => window.removeEventListener("scroll", look);
  }, []);
  return isReading;
}

function Filters({ search, set }: { search: LogSearch; set: RowsProps["set"] }) {
  return (
    <>
      <SearchBox label="Transaction id" value={search.transaction ?? ""} onChange={(text) => set({ transaction: text || undefined })} />
      <FilterMany label="Verdict" options={VERDICT_OPTIONS} chosen={search.verdict ?? []} onChange={(chosen) => set({ verdict: some(chosen) })} />
      <FilterMany label="Kind" options={KIND_OPTIONS} chosen={search.kind ?? []} onChange={(chosen) => set({ kind: some(chosen) })} />
      <NamedFilter noun="offer" value={search.offer} onChange={(offer) => set({ offer })} />
      <NamedFilter noun="publisher" value={search.publisher} onChange={(publisher) => set({ publisher })} />
      {search.code && (
        <FilterPopup label="Answer" shown={words(search.code)} onClear={() => set({ code: undefined })}>
          <p className="p-2 text-sm">{words(search.code)}</p>
        </FilterPopup>
      )}
      {search.token && (
        <FilterPopup label="Token" shown={search.token} onClear={() => set({ token: undefined })}>
          <p className="mono p-2 text-sm">{search.token}</p>
        </FilterPopup>
      )}
      <FilterMany label="Tests" options={TESTS_OPTIONS} chosen={search.tests ? [search.tests] : []} onChange={(chosen) => set({ tests: chosen[0] })} />
    </>
  );
}

function NoRows({ search, set }: { search: LogSearch; set: RowsProps["set"] }) {
  if (isFiltered(search)) {
    return <Empty title="No request matches" action={<Button onClick={() => set(CLEARED)}>Clear the filters</Button>} />;
  }
  return (
    <Empty title="Nothing came in yet" action={<LinkButton to="/offers/tracking-links">Copy the postback URL</LinkButton>}>
      Whatever advertisers fire appears here at once, also what is refused, with the reason and what to do about it.
      <code className="mono mt-3 block rounded-md border border-line bg-sunken p-3 text-left text-sm break-all">
        curl &quot;{location.origin}/postback?transaction_id=…&amp;secure=…&quot;
      </code>
    </Empty>
  );
}
