// What the list comes to: figures against the time before, one of them over time, and all of them by up to two
// dimensions. It reads reports, so tests are never in it.

import { lazy, Suspense } from "react";

import { ConversionFiguresDocument, type ConversionFiguresQuery, type StatInterval } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { moneyText } from "@/parts/amount";
import { Chart, type ChartColour, type Series } from "@/parts/chart/chart";
import { Select, Switch } from "@/parts/field";
import { Card } from "@/parts/page";
import { lengthDays, type Range } from "@/parts/period/period";
import { Loaded } from "@/parts/states";
import { bucketText, Change, countOrDash, figureOf, mainCurrency, rateText, Sums, Tile, Tiles } from "@/parts/stats";
import { type ConversionSearch, DIMENSIONS, filterOf, type Metric, METRICS } from "./search";

const Breakdown = lazy(() => import("./breakdown").then(({ Breakdown }) => ({ default: Breakdown })));

type Report = ConversionFiguresQuery["stats"];

interface Props {
  search: ConversionSearch;
  range: Range;
  /** Of the workspace. */
  currency: string | null | undefined;
  set: (change: ConversionSearch) => void;
}

const METRIC_TEXT: Record<Metric, string> = {
  conversions: "Conversions",
  clicks: "Clicks",
  revenue: "Revenue",
  payout: "Payout",
  profit: "Profit",
};
const INTERVAL_TEXT: Record<StatInterval, string> = { HOUR: "By hour", DAY: "By day", WEEK: "By week", MONTH: "By month" };
export const DIMENSION_TEXT: Record<(typeof DIMENSIONS)[number], string> = {
  OFFER: "Offer",
  PUBLISHER: "Publisher",
  ADVERTISER: "Advertiser",
  SUB_ID: "Sub id",
  STATUS: "Status",
  REJECTION_REASON: "Rejection reason",
  SOURCE: "Source",
  TOKEN: "Secure token",
};
const BEFORE = "before";
/** Longer series are refused, and could not be read. */
const HOURS_DAYS_MAX = 14;

export function Figures({ search, range, currency, set }: Props) {
  const days = lengthDays(range, Date.now());
  const interval = intervalOf(search.interval, days);
  const query = useApi(ConversionFiguresDocument, {
    input: { range, interval, filter: filterOf(search), comparePrevious: true },
  });
  return (
    <>
      <Card isFlush>
        <div className={query.isStale ? "opacity-60" : ""}>
          <Loaded query={query} skeleton={<FiguresSkeleton />}>
            {({ stats }) => (
              <>
                <MetricTiles report={stats} search={search} currency={currency} set={set} />
                <div className="grid gap-3 border-t border-line p-4 sm:p-5">
                  <Over report={stats} search={search} interval={interval} currency={currency} isLong={days > 1.5} />
                </div>
              </>
            )}
          </Loaded>
        </div>
        <Controls search={search} interval={interval} days={days} set={set} />
      </Card>
      {search.by && (
        <Suspense>
          <Breakdown search={search} range={range} interval={interval} currency={currency} set={set} />
        </Suspense>
      )}
    </>
  );
}

function intervalOf(chosen: StatInterval | undefined, days: number): StatInterval {
  if (chosen === "HOUR" && days > HOURS_DAYS_MAX) return "DAY";
  return chosen ?? (days <= 2 ? "HOUR" : days <= 92 ? "DAY" : "WEEK");
}

function FiguresSkeleton() {
  return (
    <>
      <div className="grid h-[88px] grid-cols-2 gap-6 px-5 py-4 sm:grid-cols-5">
        {METRICS.map((metric) => (
          <div key={metric} className="grid content-start gap-2">
            <div className="skeleton h-3 w-16" />
            <div className="skeleton h-5 w-24" />
          </div>
        ))}
      </div>
      <div className="border-t border-line p-5">
        <div className="skeleton h-[260px]" />
      </div>
    </>
  );
}

function MetricTiles({ report, search, currency, set }: { report: Report; search: ConversionSearch; currency: Props["currency"]; set: Props["set"] }) {
  const { totals, previousTotals } = report;
  const chosen = search.metric ?? "conversions";
  return (
    <Tiles>
      {METRICS.map((metric) => {
        const main = metric === "clicks" || metric === "conversions" ? undefined : mainCurrency(totals[metric], currency);
        const [now, before] = [figureOf(totals, metric, main), previousTotals ? figureOf(previousTotals, metric, main) : null];
        return (
          <Tile
            key={metric}
            name={METRIC_TEXT[metric]}
            isChosen={metric === chosen}
            onChoose={() => set({ metric: metric === "conversions" ? undefined : metric })}
            value={metric === "clicks" || metric === "conversions" ? countOrDash(now) : <Sums sums={totals[metric]} currency={main} />}
            below={
              <>
                <Change now={now} before={before} than={BEFORE} />
                {metric === "conversions" && totals.rejectionRate && <span>{rateText(totals.rejectionRate)} rejected</span>}
                {metric === "clicks" && totals.conversionRate && <span>{rateText(totals.conversionRate)} convert</span>}
              </>
            }
          />
        );
      })}
    </Tiles>
  );
}

function Over({ report, search, interval, currency, isLong }: { report: Report; search: ConversionSearch; interval: StatInterval; currency: Props["currency"]; isLong: boolean }) {
  const metric = search.metric ?? "conversions";
  const main = metric === "clicks" || metric === "conversions" ? undefined : mainCurrency(report.totals[metric], currency);
  const times = report.series.map(({ start }) => Date.parse(start) / 1000);
  const before: Series[] = search.compare
    ? [
        {
          name: `${METRIC_TEXT[metric]} in the period before`,
          kind: "line",
          colour: "faint",
          isDashed: true,
          values: times.map((_, index) => {
            const point = report.previousSeries?.[index];
            return point ? figureOf(point.metrics, metric, main) : null;
          }),
        },
      ]
    : [];
  const bars: readonly (readonly [string, ChartColour, (metrics: Report["totals"]) => number | null])[] =
    metric === "conversions"
      ? [
          ["Approved", "good", ({ approved }) => approved],
          ["Pending", "warn", ({ pending }) => pending],
          ["Rejected", "bad", ({ rejected }) => rejected],
        ]
      : [[METRIC_TEXT[metric], "accent", (metrics) => figureOf(metrics, metric, main)]];
  const series: Series[] = bars.map(([name, colour, read]) => ({ name, colour, kind: "bars", values: report.series.map(({ metrics }) => read(metrics)) }));
  if (report.series.length === 0) return <p className="py-16 text-center text-sm text-faint">This period has not begun.</p>;
  return (
    <Chart
      label={`${METRIC_TEXT[metric]} ${INTERVAL_TEXT[interval].toLowerCase()}${main ? `, in ${main}` : ""}`}
      times={times}
      series={[...series, ...before]}
      timeText={bucketText(interval, report.timezone, isLong)}
      valueText={main ? (value) => moneyText({ amount: String(value), currency: main }) : undefined}
    />
  );
}

function Controls({ search, interval, days, set }: { search: ConversionSearch; interval: StatInterval; days: number; set: Props["set"] }) {
  const intervals = (["HOUR", "DAY", "WEEK", "MONTH"] as const).filter((one) => one !== "HOUR" || days <= HOURS_DAYS_MAX);
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 border-t border-line px-4 py-2.5 sm:px-5">
      <Select aria-label="Interval" isSmall className="w-32" value={interval} onChange={(event) => set({ interval: event.target.value as StatInterval })}>
        {intervals.map((one) => (
          <option key={one} value={one}>
            {INTERVAL_TEXT[one]}
          </option>
        ))}
      </Select>
      <div className="flex flex-wrap items-center gap-2">
        <DimensionSelect label="Break down by" none="No breakdown" value={search.by} not={undefined} onChange={(by) => set({ by, by2: by && search.by2 !== by ? search.by2 : undefined })} />
        {search.by && <DimensionSelect label="And by" none="and nothing else" value={search.by2} not={search.by} onChange={(by2) => set({ by2 })} />}
      </div>
      <div className="sm:ml-auto">
        <Switch label="Compare with the period before" checked={search.compare === true} onChange={(on) => set({ compare: on || undefined })} />
      </div>
    </div>
  );
}

type Dimension = (typeof DIMENSIONS)[number];

function DimensionSelect({ label, none, value, not, onChange }: { label: string; none: string; value: Dimension | undefined; not: Dimension | undefined; onChange: (value: Dimension | undefined) => void }) {
  return (
    <Select aria-label={label} isSmall className="w-40 sm:w-44" value={value ?? ""} onChange={(event) => onChange(DIMENSIONS.find((one) => one === event.target.value))}>
      <option value="">{none}</option>
      {DIMENSIONS.filter((one) => one !== not).map((one) => (
        <option key={one} value={one}>
          {DIMENSION_TEXT[one]}
        </option>
      ))}
    </Select>
  );
}
