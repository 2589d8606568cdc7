// The overview: today against yesterday, what came in and was refused hour by hour, what brings the most, and what
// somebody should look at.

import { Link } from "@tanstack/react-router";
import { Rocket } from "lucide-react";

import { OverviewAttentionDocument, OverviewFiguresDocument, type OverviewFiguresQuery, OverviewOffersDocument, OverviewRefusalsDocument, WorkspaceDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { countText } from "@/parts/amount";
import { LinkButton } from "@/parts/button";
import { Chart } from "@/parts/chart/chart";
import { Sparkline } from "@/parts/chart/sparkline";
import { Card, Page } from "@/parts/page";
import { useNow } from "@/parts/moment";
import { type Range, rangeOf } from "@/parts/period/period";
import { Empty, Failed, Loaded, Skeleton } from "@/parts/states";
import { bucketText, Change, countOrDash, figureOf, mainCurrency, rateText, Sums, Tile, Tiles, usualCurrency } from "@/parts/stats";
import { Attention } from "./attention";

/** Milliseconds between two looks. */
const LOOK = { refetchInterval: 30_000 };
const OFFERS = 6;
const BEFORE = "at this time yesterday";

export function Overview() {
  const workspace = useApi(WorkspaceDocument, {});
  const now = useNow();
  const settings = workspace.data?.settings;
  const month = settings && rangeOf({ range: "30d" }, "today", settings.timezone, now);
  const attention = useApi(OverviewAttentionDocument, { waiting: { status: ["PENDING"], convertedAt: month } }, { ...LOOK, enabled: month !== undefined });
  const isNew = attention.data?.offers.nodes.length === 0;
  return (
    <Page title="Overview" about="Today, in the time zone of the network.">
      {workspace.error && !settings && <Failed error={workspace.error} onRetry={workspace.retry} />}
      {isNew && (
        <Card>
          <Empty
            title="Nothing is set up yet"
            action={
              <LinkButton to="/start" look="primary">
                <Rocket aria-hidden />
                Getting started
              </LinkButton>
            }
          >
            An advertiser, an offer and its postback URL: a few minutes, and the first test conversion arrives here.
          </Empty>
        </Card>
      )}
      {settings && (
        <Today
          range={rangeOf({ range: "today" }, "today", settings.timezone, now)}
          recent={{ ...rangeOf({ range: "yesterday" }, "today", settings.timezone, now), until: null }}
          zone={settings.timezone}
          currency={settings.currency}
          attention={attention}
        />
      )}
    </Page>
  );
}

interface TodayProps {
  range: Range;
  /** Since yesterday began. */
  recent: Range;
  zone: string;
  currency: string | null | undefined;
  attention: Parameters<typeof Attention>[0]["things"];
}

function Today({ range, recent, zone, currency, attention }: TodayProps) {
  const figures = useApi(OverviewFiguresDocument, { input: { range, interval: "HOUR", comparePrevious: true } }, LOOK);
  const refusals = useApi(OverviewRefusalsDocument, { filter: { receivedAt: range, verdict: ["REFUSED", "FAILED"] } }, LOOK);
  const offers = useApi(OverviewOffersDocument, { input: { range: recent, interval: "HOUR", groupBy: ["OFFER"], limit: 50 } }, LOOK);
  return (
    <>
      <Card isFlush>
        <Loaded query={figures} skeleton={<div className="h-[88px] p-5"><Skeleton lines={2} /></div>}>
          {({ stats }) => <Figures stats={stats} currency={currency} refused={refusals.data?.receiptStats.topCodes} />}
        </Loaded>
      </Card>
      <div className="grid gap-5 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <Card title="Conversions by hour" actions={<MoreLink to="/conversions" />}>
          <Loaded query={figures} skeleton={<div className="skeleton h-[258px]" />}>
            {({ stats }) => <ByHour stats={stats} zone={zone} />}
          </Loaded>
        </Card>
        <Card title="What needs attention" isFlush>
          <Attention things={attention} offers={offers} refusals={refusals} />
        </Card>
      </div>
      <div className="grid gap-5 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <Card title="Top offers" about="Since yesterday began." isFlush actions={<MoreLink to="/offers" />}>
          <Loaded query={offers} skeleton={<Skeleton lines={6} className="p-5" />}>
            {({ stats }) => <TopOffers rows={stats.rows.slice(0, OFFERS)} currency={usualCurrency(stats.rows, currency)} />}
          </Loaded>
        </Card>
        <Card title="Refused by hour" actions={<MoreLink to="/postback-log" />}>
          <Loaded query={refusals} skeleton={<div className="skeleton h-[218px]" />}>
            {({ receiptStats }) => <RefusedByHour buckets={receiptStats.buckets} range={range} zone={zone} />}
          </Loaded>
        </Card>
      </div>
    </>
  );
}

const NAMES: Record<string, string> = { "/conversions": "All conversions", "/offers": "All offers", "/postback-log": "Postback Log" };

function MoreLink({ to }: { to: "/conversions" | "/offers" | "/postback-log" }) {
  return (
    <Link to={to} className="text-sm text-accent-ink hover:underline">
      {NAMES[to]}
    </Link>
  );
}

type Stats = OverviewFiguresQuery["stats"];

function Figures({ stats: { totals, previousTotals }, currency, refused }: { stats: Stats; currency: TodayProps["currency"]; refused: { count: number }[] | undefined }) {
  const change = (metric: "clicks" | "conversions" | "revenue" | "payout", main?: string) => (
    <Change now={figureOf(totals, metric, main)} before={previousTotals ? figureOf(previousTotals, metric, main) : null} than={BEFORE} />
  );
  const [revenueIn, payoutIn] = [mainCurrency(totals.revenue, currency), mainCurrency(totals.payout, currency)];
  const refusals = refused?.reduce((sum, { count }) => sum + count, 0);
  return (
    <Tiles>
      <Tile
        name="Conversions"
        value={countText(totals.conversions)}
        below={
          <>
            {change("conversions")}
            {totals.rejectionRate && <span>{rateText(totals.rejectionRate)} rejected</span>}
          </>
        }
      />
      <Tile
        name="Clicks"
        value={countOrDash(totals.clicks)}
        below={
          <>
            {change("clicks")}
            {totals.conversionRate && <span>{rateText(totals.conversionRate)} convert</span>}
          </>
        }
      />
      <Tile name="Revenue" value={<Sums sums={totals.revenue} currency={revenueIn} />} below={change("revenue", revenueIn)} />
      <Tile name="Payout" value={<Sums sums={totals.payout} currency={payoutIn} />} below={change("payout", payoutIn)} />
      <Tile
        name="Refused requests"
        value={countOrDash(refusals)}
        below={
          refusals ? (
            <Link to="/postback-log" search={{ verdict: ["REFUSED", "FAILED"] }} className="text-accent-ink hover:underline">
              See why
            </Link>
          ) : (
            "none today"
          )
        }
      />
    </Tiles>
  );
}

function ByHour({ stats, zone }: { stats: Stats; zone: string }) {
  const times = stats.series.map(({ start }) => Date.parse(start) / 1000);
  const of = (read: (metrics: Stats["series"][number]["metrics"]) => number) => stats.series.map(({ metrics }) => read(metrics));
  return (
    <Chart
      label="Conversions by hour, today and yesterday"
      times={times}
      timeText={bucketText("HOUR", zone, false)}
      series={[
        { name: "Approved", kind: "bars", colour: "good", values: of(({ approved }) => approved) },
        { name: "Pending", kind: "bars", colour: "warn", values: of(({ pending }) => pending) },
        { name: "Rejected", kind: "bars", colour: "bad", values: of(({ rejected }) => rejected) },
        {
          name: "Yesterday",
          kind: "line",
          colour: "faint",
          isDashed: true,
          values: times.map((_, index) => stats.previousSeries?.[index]?.metrics.conversions ?? null),
        },
      ]}
    />
  );
}

function RefusedByHour({ buckets, range, zone }: { buckets: { start: string; count: number }[]; range: Range; zone: string }) {
  const first = Date.parse(range.since) / 1000;
  const hours = Array.from({ length: Math.ceil((Date.now() / 1000 - first) / 3600) }, (_, hour) => first + hour * 3600);
  const told = buckets.map(({ start, count }) => [Date.parse(start) / 1000, count] as const);
  const values = hours.map((hour) => told.filter(([start]) => start >= hour && start < hour + 3600).reduce((sum, [, count]) => sum + count, 0));
  if (told.length === 0) return <p className="py-20 text-center text-sm text-faint">Nothing was refused today.</p>;
  return (
    <Chart
      label="Refused requests by hour, today"
      times={hours}
      timeText={bucketText("HOUR", zone, false)}
      height={180}
      series={[{ name: "Refused", kind: "bars", colour: "bad", values }]}
    />
  );
}

type OfferRow = { keys: { value?: string | null; label: string }[]; metrics: Stats["totals"]; series?: { metrics: { conversions: number } }[] | null };

function TopOffers({ rows, currency }: { rows: OfferRow[]; currency: TodayProps["currency"] }) {
  if (rows.length === 0) return <p className="px-5 py-20 text-center text-sm text-faint">No traffic since yesterday.</p>;
  return (
    <table className="figures w-full text-sm">
      <thead>
        <tr className="border-b border-line bg-sunken/60 text-left text-xs text-faint">
          <th scope="col" className="px-4 py-2 font-medium sm:px-5">
            Offer
          </th>
          <th scope="col" className="px-3 py-2 text-right font-medium max-sm:hidden">
            Clicks
          </th>
          <th scope="col" className="px-3 py-2 text-right font-medium">
            Conversions
          </th>
          <th scope="col" className="px-3 py-2 text-right font-medium">
            Revenue
          </th>
          <th scope="col" className="px-4 py-2 font-medium max-sm:hidden">
            By hour
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ keys: [key], metrics, series }) => (
          <tr key={key?.value ?? "none"} className="h-[41px] border-b border-line last:border-0">
            <th scope="row" className="px-4 text-left font-normal sm:px-5">
              {key?.value ? (
                <Link to="/offers/$offerId" params={{ offerId: key.value }} className="line-clamp-1 break-all hover:underline">
                  {key.label}
                </Link>
              ) : (
                key?.label
              )}
            </th>
            <td className="px-3 text-right max-sm:hidden">{countOrDash(metrics.clicks)}</td>
            <td className="px-3 text-right font-medium">{countText(metrics.conversions)}</td>
            <td className="px-3 text-right">
              <Sums sums={metrics.revenue} currency={mainCurrency(metrics.revenue, currency)} />
            </td>
            <td className="px-4 max-sm:hidden">
              <Sparkline values={(series ?? []).map((point) => point.metrics.conversions)} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
