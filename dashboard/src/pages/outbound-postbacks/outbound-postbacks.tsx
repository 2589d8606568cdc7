// Publishers › Outbound Postbacks: by which rules publishers are told of their conversions, and what became of it.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { lazy, Suspense, useCallback, useMemo } from "react";

import { OutboundPageDocument, type OutboundPageQuery } from "@/api/gql/graphql";
import { useList } from "@/api/query";
import { useMay } from "@/app/session";
import { Button } from "@/parts/button";
import { FilterMany } from "@/parts/filters";
import { NamedFilter } from "@/parts/lookup/named-filter";
import { Moment } from "@/parts/moment";
import { Card, Page } from "@/parts/page";
import { Empty } from "@/parts/states";
import { type Column, DataTable } from "@/parts/table";
import { RulePill } from "./rule-pill";
import { delayText, METHOD_TEXT, MOMENT_TEXT, percentText } from "./words";

const RuleDrawer = lazy(() => import("./rule-drawer").then(({ RuleDrawer }) => ({ default: RuleDrawer })));
const NewRule = lazy(() => import("./rule-form").then(({ NewRule }) => ({ default: NewRule })));

type Row = OutboundPageQuery["outboundPostbacks"]["nodes"][number];

export interface OutboundSearch {
  publisher?: string;
  offer?: string;
  enabled?: "yes" | "no";
  open?: string;
  create?: true;
}

const PAGE = 50;
const STATES = [
  ["yes", "On"],
  ["no", "Off"],
] as const;
const ABOUT = "A rule tells a publisher’s server of every conversion that it is paid for, or of those that are rejected.";

export function OutboundPostbacks() {
  const search = useSearch({ from: "/shell/publishers/outbound-postbacks" });
  const navigate = useNavigate({ from: "/publishers/outbound-postbacks" });
  const set = useCallback(
    (change: OutboundSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: !change.open, resetScroll: false }),
    [navigate],
  );
  const mayEdit = useMay("MANAGER");
  const list = useList(
    OutboundPageDocument,
    {
      first: PAGE,
      publisherId: search.publisher ?? null,
      offerId: search.offer ?? null,
      enabled: search.enabled === undefined ? null : search.enabled === "yes",
    },
    (data) => data.outboundPostbacks,
  );
  const columns = useMemo(() => columnsOf((id) => set({ open: id })), [set]);
  const isFiltered = Boolean(search.publisher ?? search.offer ?? search.enabled);
  const create = mayEdit && (
    <Button look="primary" onClick={() => set({ create: true })}>
      <Plus aria-hidden />
      New outbound postback
    </Button>
  );
  return (
    <Page title="Outbound Postbacks" about={ABOUT} actions={create}>
      <Card isFlush>
        <DataTable
          name="outbound-postbacks"
          label="Outbound postbacks"
          list={list}
          columns={columns}
          rowId={(row) => row.id}
          openId={search.open}
          onOpen={(row) => set({ open: row.id })}
          empty={
            isFiltered ? (
              <Empty
                title="No outbound postback matches"
                action={<Button onClick={() => set({ publisher: undefined, offer: undefined, enabled: undefined })}>Clear the filters</Button>}
              />
            ) : (
              <Empty title="No outbound postbacks yet" action={create || undefined}>
                {ABOUT}
                <code className="mono mt-3 block rounded-md border border-line bg-sunken p-3 text-left text-sm break-all">
                  {"https://publisher.example/postback?click={external_transaction_id}&payout={payout}"}
                </code>
              </Empty>
            )
          }
          toolbar={
            <>
              <NamedFilter noun="publisher" value={search.publisher} onChange={(publisher) => set({ publisher })} />
              <NamedFilter noun="offer" value={search.offer} onChange={(offer) => set({ offer })} />
              <FilterMany label="Status" options={STATES} chosen={search.enabled ? [search.enabled] : []} onChange={(chosen) => set({ enabled: chosen.length === 1 ? chosen[0] : undefined })} />
            </>
          }
        />
      </Card>
      <Suspense>
        {search.open && <RuleDrawer id={search.open} onClose={() => set({ open: undefined })} />}
        {search.create && mayEdit && (
          <NewRule publisherId={search.publisher} onClose={() => set({ create: undefined })} onMade={(id) => set({ create: undefined, open: id })} />
        )}
      </Suspense>
    </Page>
  );
}

const Any = ({ what }: { what: string }) => <span className="text-faint">any {what}</span>;

function columnsOf(open: (id: string) => void): Column<Row>[] {
  return [
    {
      id: "name",
      header: "Name",
      isFixed: true,
      cell: (row) => (
        <button type="button" onClick={() => open(row.id)} className="text-left font-medium break-words hover:underline">
          {row.name}
        </button>
      ),
    },
    { id: "state", header: "Status", cell: (row) => <RulePill rule={row} /> },
    {
      id: "publisher",
      header: "Publisher",
      from: "sm",
      cell: (row) => <p className="line-clamp-1 max-w-44 break-all">{row.publisher?.name ?? <Any what="publisher" />}</p>,
    },
    {
      id: "offer",
      header: "Offer",
      from: "md",
      cell: (row) => <p className="line-clamp-1 max-w-44 break-all">{row.offer?.name ?? <Any what="offer" />}</p>,
    },
    {
      id: "fireOn",
      header: "Fires on",
      from: "md",
      cell: (row) => row.fireOn.map((moment) => MOMENT_TEXT[moment]).join(", "),
    },
    { id: "delay", header: "When", from: "xl", cell: (row) => delayText(row.delaySeconds) },
    { id: "method", header: "Method", from: "xl", cell: (row) => METHOD_TEXT[row.method] },
    {
      id: "rate",
      header: "Delivered, 24 h",
      align: "right",
      cell: (row) => <span className="figures">{percentText(row.successRate24h)}</span>,
    },
    { id: "url", header: "URL", isExtra: true, cell: (row) => <p className="mono max-w-80 truncate">{row.maskedUrl}</p> },
    { id: "updatedAt", header: "Changed", from: "lg", cell: (row) => <Moment at={row.updatedAt} /> },
  ];
}
