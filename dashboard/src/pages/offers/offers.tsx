// Offers › Overview: what there is to promote, what it brings and costs, and when something last came in for it.

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Archive, ArchiveRestore, Ellipsis, Link2, Plus, Settings2 } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";

import { useChange } from "@/api/change";
import {
  ArchiveOfferDocument,
  OffersPageDocument,
  type OffersPageQuery,
  OfferStatsDocument,
  type OfferStatsQuery,
  UnarchiveOfferDocument,
} from "@/api/gql/graphql";
import { useApi, useList } from "@/api/query";
import { useMay } from "@/app/session";
import { countText, priceText, shareText } from "@/parts/amount";
import { Button, IconButton } from "@/parts/button";
import { Sparkline } from "@/parts/chart/sparkline";
import { Select } from "@/parts/field";
import { FilterMany, SearchBox } from "@/parts/filters";
import { NamedFilter } from "@/parts/lookup/named-filter";
import { Menu } from "@/parts/popup/menu";
import { MaybeMoment, Moment } from "@/parts/moment";
import { Card, Page } from "@/parts/page";
import { OfferPill, VerdictPill } from "@/parts/pill";
import { some } from "@/parts/search-params";
import { type Column, DataTable } from "@/parts/table";
import { Empty } from "@/parts/states";
import { toast } from "@/parts/toast";

const NewOffer = lazy(() => import("./offer-form").then(({ NewOffer }) => ({ default: NewOffer })));

type Row = OffersPageQuery["offers"]["nodes"][number];
type Figures = OfferStatsQuery["stats"]["rows"][number];

const PAGE = 50;
const STATES = [
  ["ACTIVE", "Active"],
  ["PAUSED", "Paused"],
  ["ARCHIVED", "Archived"],
] as const;
const SORTS = [
  ["NAME", "By name"],
  ["CREATED_AT", "Newest first"],
  ["UPDATED_AT", "Changed last first"],
] as const;

export function Offers() {
  const search = useSearch({ from: "/shell/offers" });
  const navigate = useNavigate({ from: "/offers" });
  const mayEdit = useMay("MANAGER");
  const set = (change: Partial<typeof search>) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const list = useList(
    OffersPageDocument,
    {
      first: PAGE,
      filter: {
        search: search.search ?? null,
        state: search.state ?? ["ACTIVE", "PAUSED"],
        advertiserIds: search.advertiser ? [search.advertiser] : null,
      },
      sort: { field: search.sort ?? "NAME", direction: search.sort && search.sort !== "NAME" ? "DESC" : "ASC" },
    },
    (data) => data.offers,
  );
  const figures = useFigures(list.rows);
  const columns = useMemo(() => COLUMNS(figures), [figures]);
  const isFiltered = Boolean(search.search ?? search.state ?? search.advertiser);
  const create = mayEdit && (
    <Button look="primary" onClick={() => set({ create: true })}>
      <Plus aria-hidden />
      New offer
    </Button>
  );

  return (
    <Page title="Offers" about="What publishers promote, and how its conversions count." actions={create}>
      <Card isFlush>
        <DataTable
          name="offers"
          label="Offers"
          list={list}
          columns={columns}
          rowId={(row) => row.id}
          onOpen={(row) => void navigate({ to: "/offers/$offerId", params: { offerId: row.id } })}
          empty={
            isFiltered ? (
              <Empty
                title="No offer matches"
                action={<Button onClick={() => void navigate({ search: {} })}>Clear the filters</Button>}
              />
            ) : (
              <Empty title="No offers yet" action={create || undefined}>
                An offer says where visitors land, who pays for a conversion, and what the publisher gets.
              </Empty>
            )
          }
          toolbar={
            <>
              <SearchBox label="Name or number" value={search.search ?? ""} onChange={(text) => set({ search: text || undefined })} />
              <div className="w-40">
                <Select
                  aria-label="Sort by"
                  isSmall
                  value={search.sort ?? "NAME"}
                  onChange={(event) => set({ sort: SORTS.find(([field]) => field === event.target.value)?.[0] })}
                >
                  {SORTS.map(([field, text]) => (
                    <option key={field} value={field}>
                      {text}
                    </option>
                  ))}
                </Select>
              </div>
              <FilterMany label="Status" options={STATES} chosen={search.state ?? []} onChange={(chosen) => set({ state: some(chosen) })} />
              <NamedFilter noun="advertiser" value={search.advertiser} onChange={(advertiser) => set({ advertiser })} />
            </>
          }
        />
      </Card>
      {search.create && mayEdit && (
        <Suspense>
          <NewOffer
            onClose={() => set({ create: undefined })}
            onDone={(id) => void navigate({ to: "/offers/$offerId", params: { offerId: id } })}
          />
        </Suspense>
      )}
    </Page>
  );
}

/** How far back the figures of the list go. */
const DAYS = 7;
const QUARTER_MILLIS = 900_000;

/** Figures of the offers that are shown, by id; empty until they are there, so that the list never waits for them. */
function useFigures(offers: Row[] | undefined): ReadonlyMap<string, Figures> | undefined {
  // Fixed while the page is open, on a quarter of an hour as reports want it.
  const [since] = useState(() => {
    const now = Date.now();
    return new Date(now - (now % QUARTER_MILLIS) - DAYS * 86_400_000).toISOString();
  });
  const ids = offers?.map((offer) => offer.id) ?? [];
  const { data } = useApi(
    OfferStatsDocument,
    {
      input: {
        range: { since },
        interval: "DAY",
        groupBy: ["OFFER"],
        filter: { offerIds: ids },
        limit: Math.max(ids.length, 1),
      },
    },
    { enabled: ids.length > 0 },
  );
  return useMemo(() => data && new Map(data.stats.rows.map((row) => [row.keys[0]?.value ?? "", row])), [data]);
}

const COLUMNS = (figures: ReadonlyMap<string, Figures> | undefined): Column<Row>[] => [
  {
    id: "name",
    header: "Offer",
    isFixed: true,
    cell: (offer) => (
      <div className="min-w-40">
        <Link to="/offers/$offerId" params={{ offerId: offer.id }} className="font-medium break-words hover:underline">
          {offer.name}
        </Link>
        <p className="figures text-xs text-faint">{offer.number}</p>
      </div>
    ),
  },
  { id: "state", header: "Status", cell: (row) => <OfferPill state={row.state} /> },
  {
    id: "advertiser",
    header: "Advertiser",
    from: "md",
    cell: (row) => (
      <Link to="/advertisers" search={{ open: row.advertiser.id }} className="break-words text-soft hover:underline">
        {row.advertiser.name}
      </Link>
    ),
  },
  {
    id: "revenue",
    header: "Revenue",
    align: "right",
    isExtra: true,
    cell: (row) => <span className="figures">{priceText(row.revenue)}</span>,
  },
  {
    id: "payout",
    header: "Payout",
    align: "right",
    from: "sm",
    cell: (row) => <span className="figures">{priceText(row.payout)}</span>,
  },
  {
    id: "clicks",
    header: `Clicks, ${DAYS} d`,
    align: "right",
    from: "lg",
    cell: (row) => {
      const clicks = figures?.get(row.id)?.metrics.clicks ?? 0;
      return <span className="figures">{figures ? countText(clicks) : ""}</span>;
    },
  },
  {
    id: "conversions",
    header: `Conversions, ${DAYS} d`,
    align: "right",
    from: "md",
    cell: (row) => {
      const found = figures?.get(row.id);
      return (
        <span className="figures flex items-center justify-end gap-2">
          {found?.series && <Sparkline values={found.series.map((point) => point.metrics.conversions)} />}
          {figures ? countText(found?.metrics.conversions ?? 0) : ""}
        </span>
      );
    },
  },
  {
    id: "approval",
    header: "Approved",
    align: "right",
    from: "xl",
    cell: (row) => {
      const metrics = figures?.get(row.id)?.metrics;
      const decided = metrics ? metrics.approved + metrics.rejected : 0;
      return <span className="figures">{metrics && decided > 0 ? shareText(metrics.approved, decided) : "–"}</span>;
    },
  },
  {
    id: "lastReceipt",
    header: "Last receipt",
    from: "md",
    cell: (row) => {
      const receipt = row.tracking.lastReceipt;
      return receipt ? (
        <span className="flex items-center gap-2 text-soft">
          <Moment at={receipt.receivedAt} />
          <VerdictPill verdict={receipt.verdict} />
        </span>
      ) : (
        <MaybeMoment none="nothing yet" />
      );
    },
  },
  {
    id: "createdAt",
    header: "Created",
    isExtra: true,
    cell: (row) => <Moment at={row.createdAt} />,
  },
  {
    id: "updatedAt",
    header: "Changed",
    isExtra: true,
    cell: (row) => <Moment at={row.updatedAt} />,
  },
  { id: "menu", header: "", isFixed: true, align: "right", cell: (row) => <RowMenu offer={row} /> },
];

function RowMenu({ offer }: { offer: Row }) {
  const navigate = useNavigate();
  const mayEdit = useMay("MANAGER");
  const archive = useArchive();
  return (
    <Menu
      trigger={
        <IconButton label={`Actions of ${offer.name}`}>
          <Ellipsis aria-hidden />
        </IconButton>
      }
      items={[
        {
          text: "Tracking link",
          icon: <Link2 aria-hidden />,
          onSelect: () => void navigate({ to: "/offers/tracking-links", search: { offer: offer.id } }),
        },
        {
          text: "Settings",
          icon: <Settings2 aria-hidden />,
          onSelect: () => void navigate({ to: "/offers/$offerId", params: { offerId: offer.id }, search: { tab: "settings" } }),
        },
        mayEdit && {
          text: offer.state === "ARCHIVED" ? "Bring back" : "Archive",
          icon: offer.state === "ARCHIVED" ? <ArchiveRestore aria-hidden /> : <Archive aria-hidden />,
          isDanger: offer.state !== "ARCHIVED",
          onSelect: () => void archive(offer, offer.state !== "ARCHIVED"),
        },
      ]}
    />
  );
}

/** Archives or brings back, with Undo: both can be taken back at once. */
export function useArchive() {
  const archive = useChange(ArchiveOfferDocument, (data) => data.offerArchive);
  const unarchive = useChange(UnarchiveOfferDocument, (data) => data.offerUnarchive);
  return async function change(offer: { id: string; name: string }, isArchived: boolean): Promise<void> {
    const { payload, problems } = await (isArchived ? archive : unarchive).run({ id: offer.id });
    if (!payload) {
      toast(problems.map(({ message }) => message).join(" "), { tone: "bad" });
      return;
    }
    const text = isArchived ? `${offer.name} is archived: it takes nothing any more.` : `${offer.name} is back, paused.`;
    toast(text, { undo: () => void change(offer, !isArchived) });
  };
}

