// Conversions: what came back from visitors that were sent on, what it is worth, and whether it counts.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { ArrowUp, Download } from "lucide-react";
import { lazy, Suspense, useCallback, useMemo, useState } from "react";

import { ConversionsPageDocument, type ConversionRowFragment, type ConversionSortField, WorkspaceDocument } from "@/api/gql/graphql";
import { type List, queryClient, useApi, useList } from "@/api/query";
import { useMay } from "@/app/session";
import { Button, LinkButton } from "@/parts/button";
import { copyText } from "@/parts/copy";
import { Select } from "@/parts/field";
import { FilterMany, FilterPopup, SearchBox } from "@/parts/filters";
import { LivePill } from "@/parts/live-pill";
import { NamedFilter } from "@/parts/lookup/named-filter";
import { Card, Page } from "@/parts/page";
import { periodText, type Range } from "@/parts/period/period";
import { PeriodPicker } from "@/parts/period/period-picker";
import { usePeriod } from "@/parts/period/use-period";
import { useSame } from "@/parts/same";
import { some } from "@/parts/search-params";
import { useShortcuts } from "@/parts/shortcuts";
import { Empty, Failed } from "@/parts/states";
import { DataTable } from "@/parts/table";
import { toast } from "@/parts/toast";
import { columnsOf, SOURCE_TEXT } from "./columns";
import { type Live, useLiveConversions } from "./live";
import { CLEARED, type ConversionSearch, filterOf, isFiltered, listFilterOf, SORTS, SOURCES, STATUSES, USUAL_PERIOD } from "./search";

const Figures = lazy(() => import("./figures").then(({ Figures }) => ({ default: Figures })));
const ConversionDrawer = lazy(() => import("./conversion-drawer").then(({ ConversionDrawer }) => ({ default: ConversionDrawer })));
const SelectionBar = lazy(() => import("./selection-bar").then(({ SelectionBar }) => ({ default: SelectionBar })));
const ExportConversions = lazy(() => import("./export").then(({ ExportConversions }) => ({ default: ExportConversions })));

const PAGE = 50;
const STATUS_OPTIONS = STATUSES.map((status) => [status, status.charAt(0) + status.slice(1).toLowerCase()] as const);
const SOURCE_OPTIONS = SOURCES.map((source) => [source, SOURCE_TEXT[source]] as const);
const TESTS_OPTIONS = [["yes", "Tests too"]] as const;
const SORT_TEXT: Record<ConversionSortField, string> = {
  CONVERTED_AT: "Newest first",
  RECORDED_AT: "Last recorded first",
  REVENUE: "Highest revenue first",
  PAYOUT: "Highest payout first",
  SESSION_TIME: "Longest after the click first",
};

export function Conversions() {
  const search = useSearch({ from: "/shell/conversions" });
  const navigate = useNavigate({ from: "/conversions" });
  const set = useCallback(
    (change: ConversionSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: !change.conversion, resetScroll: false }),
    [navigate],
  );
  const { zone, range, error, retry } = usePeriod(search, USUAL_PERIOD);
  const currency = useApi(WorkspaceDocument, {}).data?.settings.currency;
  const mayExport = useMay("MANAGER");
  const [isExporting, setExporting] = useState(false);
  const isLive = range?.until === null && !search.search;
  const live = useLiveConversions(useSame(isLive ? { ...filterOf(search), includeTests: search.tests === true } : null));
  return (
    <Page
      title="Conversions"
      mark={isLive && <LivePill phase={live.phase} />}
      about="What came back from visitors that publishers sent."
      actions={
        <>
          <PeriodPicker period={search} usual={USUAL_PERIOD} zone={zone} onChange={set} />
          {mayExport && (
            <Button onClick={() => setExporting(true)} disabled={!range}>
              <Download aria-hidden />
              Export CSV
            </Button>
          )}
        </>
      }
    >
      {error && !range && <Failed error={error} onRetry={retry} />}
      {range && !search.search && (
        <Suspense fallback={<div className="skeleton h-[30rem]" />}>
          <Figures search={search} range={range} currency={currency} set={set} />
        </Suspense>
      )}
      {range && <Rows search={search} range={range} live={live} set={set} onExport={() => setExporting(true)} />}
      <Suspense>
        {search.conversion && <ConversionDrawer id={search.conversion} onClose={() => set({ conversion: undefined })} />}
        {isExporting && range && (
          <ExportConversions
            filter={listFilterOf(search, range)}
            about={`${search.search ? "What was searched for" : periodText(search, USUAL_PERIOD)}${isFiltered(search) ? ", with the filters of the list" : ""}.`}
            onClose={() => setExporting(false)}
          />
        )}
      </Suspense>
    </Page>
  );
}

interface RowsProps {
  search: ConversionSearch;
  range: Range;
  live: Live;
  set: (change: ConversionSearch) => void;
  onExport: () => void;
}

function Rows({ search, range, live, set, onExport }: RowsProps) {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const filter = useSame(listFilterOf(search, range));
  const list = useList(
    ConversionsPageDocument,
    { first: PAGE, filter, sort: { field: search.sort ?? "CONVERTED_AT", direction: "DESC" } },
    (data) => data.conversions,
  );
  const rows = useMemo(() => list.rows?.map((row) => newer(row, live.changed.get(row.id))), [list.rows, live.changed]);
  const columns = useMemo(() => columnsOf((id) => set({ conversion: id })), [set]);
  useCopyKey(rows);
  const read = () => {
    live.reset();
    void queryClient.invalidateQueries();
  };
  const shown: List<ConversionRowFragment> = { ...list, rows };
  return (
    <Card isFlush>
      <DataTable
        name="conversions"
        label="Conversions"
        list={shown}
        columns={columns}
        rowId={(row) => row.id}
        openId={search.conversion}
        onOpen={(row) => set({ conversion: row.id })}
        selection={{ ids, change: setIds }}
        empty={<NoRows search={search} set={set} />}
        toolbar={
          <>
            <Filters search={search} set={set} />
            <span role="status">
              {(live.fresh > 0 || live.hasGap) && (
                <Button size="small" look="primary" className="h-8" onClick={read}>
                  <ArrowUp aria-hidden />
                  {live.fresh > 0 ? `${live.fresh} new: show` : "Some were missed: show"}
                </Button>
              )}
            </span>
          </>
        }
      />
      {ids.size > 0 && (
        <Suspense>
          <SelectionBar
            ids={ids}
            countingIds={rows?.filter((row) => ids.has(row.id) && row.status !== "REJECTED").map((row) => row.id) ?? []}
            isWholePage={rows?.every((row) => ids.has(row.id)) ?? false}
            hasMore={list.hasMore}
            filter={filter}
            onClear={() => setIds(new Set())}
            onExport={onExport}
          />
        </Suspense>
      )}
    </Card>
  );
}

function newer(row: ConversionRowFragment, live: ConversionRowFragment | undefined): ConversionRowFragment {
  return live && live.version > row.version ? live : row;
}

function useCopyKey(rows: ConversionRowFragment[] | undefined): void {
  useShortcuts([
    {
      key: "c",
      text: "Copy the transaction id of the row",
      run: () => {
        const id = document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset.row;
        const row = rows?.find((one) => one.id === id);
        if (!row) return;
        void copyText(row.transactionId).then((done) => {
          if (done) toast(`${row.transactionId} is copied.`);
          else toast("The browser did not let the dashboard write to the clipboard.", { tone: "bad" });
        });
      },
    },
  ]);
}

function Filters({ search, set }: { search: ConversionSearch; set: RowsProps["set"] }) {
  return (
    <>
      <SearchBox label="Transaction or external id" value={search.search ?? ""} onChange={(text) => set({ search: text || undefined })} />
      <FilterMany label="Status" options={STATUS_OPTIONS} chosen={search.status ?? []} onChange={(chosen) => set({ status: some(chosen) })} />
      <NamedFilter noun="offer" value={search.offer} onChange={(offer) => set({ offer })} />
      <NamedFilter noun="publisher" value={search.publisher} onChange={(publisher) => set({ publisher })} />
      <NamedFilter noun="advertiser" value={search.advertiser} onChange={(advertiser) => set({ advertiser })} />
      <FilterMany label="Source" options={SOURCE_OPTIONS} chosen={search.source ?? []} onChange={(chosen) => set({ source: some(chosen) })} />
      {search.reason && <FilterPopup label="Reason" shown={search.reason} onClear={() => set({ reason: undefined })}>{<p className="p-2 text-sm">{search.reason}</p>}</FilterPopup>}
      {search.subId && <FilterPopup label="Sub id" shown={search.subId} onClear={() => set({ subId: undefined })}>{<p className="p-2 text-sm">{search.subId}</p>}</FilterPopup>}
      <FilterMany label="Tests" options={TESTS_OPTIONS} chosen={search.tests ? ["yes"] : []} onChange={(chosen) => set({ tests: chosen.length > 0 || undefined })} />
      <Select aria-label="Order" isSmall className="w-36" value={search.sort ?? "CONVERTED_AT"} onChange={(event) => set({ sort: SORTS.find((one) => one === event.target.value && one !== "CONVERTED_AT") })}>
        {SORTS.map((sort) => (
          <option key={sort} value={sort}>
            {SORT_TEXT[sort]}
          </option>
        ))}
      </Select>
    </>
  );
}

function NoRows({ search, set }: { search: ConversionSearch; set: RowsProps["set"] }) {
  if (isFiltered(search)) {
    return (
      <Empty title="No conversion matches" action={<Button onClick={() => set(CLEARED)}>Clear the filters</Button>}>
        {search.search && "An id is looked for exactly: paste the whole of it."}
      </Empty>
    );
  }
  return (
    <Empty title="No conversions in this period" action={<LinkButton to="/offers/tracking-links">Copy the postback URL</LinkButton>}>
      A conversion comes in when an advertiser fires the postback URL with the transaction id of a click.
      <code className="mono mt-3 block rounded-md border border-line bg-sunken p-3 text-left text-sm break-all">
        curl &quot;{location.origin}/postback?transaction_id=…&amp;secure=…&quot;
      </code>
    </Empty>
  );
}
