// How many requests came in and what became of them, over time; and why they were refused, with the cure beside it.

import { LogFiguresDocument, type LogFiguresQuery, type ReceiptCode, type StatInterval, type Verdict } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { countText } from "@/parts/amount";
import { Chart, type ChartColour } from "@/parts/chart/chart";
import { words } from "@/parts/checks";
import { Moment } from "@/parts/moment";
import { Card } from "@/parts/page";
import { lengthDays, type Range } from "@/parts/period/period";
import { Loaded, Skeleton } from "@/parts/states";
import { bucketText } from "@/parts/stats";
import { VERDICT_TEXT } from "./columns";
import { filterOf, type LogSearch } from "./search";

type Stats = LogFiguresQuery["receiptStats"];

const LOOK_MILLIS = 30_000;
const CODES_MAX = 6;
const SERIES: readonly (readonly [Verdict, ChartColour])[] = [
  ["RECORDED", "good"],
  ["DUPLICATE", "faint"],
  ["NO_CHANGE", "faint"],
  ["PARKED", "warn"],
  ["REFUSED", "bad"],
  ["FAILED", "bad"],
];

interface Props {
  search: LogSearch;
  range: Range;
  zone: string;
  set: (change: LogSearch) => void;
}

export function Figures({ search, range, zone, set }: Props) {
  const days = lengthDays(range, Date.now());
  const interval: StatInterval = days <= 3 ? "HOUR" : "DAY";
  const query = useApi(
    LogFiguresDocument,
    { filter: { ...filterOf(search), receivedAt: range }, interval },
    { refetchInterval: range.until === null ? LOOK_MILLIS : undefined },
  );
  return (
    <div className={`grid gap-5 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)] ${query.isStale ? "opacity-60" : ""}`}>
      <Card title="Requests">
        <Loaded query={query} skeleton={<div className="skeleton h-[218px]" />}>
          {({ receiptStats }) => <Over stats={receiptStats} interval={interval} zone={zone} range={range} isLong={days > 1.5} />}
        </Loaded>
      </Card>
      <Card title="Why requests were refused" isFlush>
        <Loaded query={query} skeleton={<Skeleton lines={5} className="p-5" />}>
          {({ receiptStats }) => <Reasons stats={receiptStats} chosen={search.code} set={set} />}
        </Loaded>
      </Card>
    </div>
  );
}

function Over({ stats, interval, zone, range, isLong }: { stats: Stats; interval: StatInterval; zone: string; range: Range; isLong: boolean }) {
  const times = bucketsOf(stats, interval, range);
  if (stats.buckets.length === 0) return <p className="py-20 text-center text-sm text-faint">Nothing came in.</p>;
  const at = new Map(times.map((time, index) => [time, index]));
  const series = SERIES.flatMap(([verdict, colour]) => {
    const values = times.map(() => 0);
    let sum = 0;
    for (const bucket of stats.buckets) {
      const index = at.get(Date.parse(bucket.start) / 1000);
      if (bucket.verdict === verdict && index !== undefined) {
        values[index] = bucket.count;
        sum += bucket.count;
      }
    }
    return sum > 0 ? [{ name: `${VERDICT_TEXT[verdict]} ${countText(sum)}`, colour, kind: "bars" as const, values }] : [];
  });
  return <Chart label="Requests by what became of them" times={times} series={series} timeText={bucketText(interval, zone, isLong)} height={180} />;
}

/** Where each bucket begins: those that hold nothing are not told, and have to be seen too. */
function bucketsOf(stats: Stats, interval: StatInterval, range: Range): number[] {
  const told = stats.buckets.map(({ start }) => Date.parse(start) / 1000);
  if (interval !== "HOUR") return [...new Set(told)].sort((one, other) => one - other);
  const end = (range.until ? Date.parse(range.until) : Date.now()) / 1000;
  const hours = [...told];
  for (let at = Date.parse(range.since) / 1000; at < end; at += 3600) hours.push(at);
  return [...new Set(hours)].sort((one, other) => one - other);
}

function Reasons({ stats, chosen, set }: { stats: Stats; chosen: string | undefined; set: Props["set"] }) {
  const refused = stats.topCodes.filter(({ suggestedFix }) => suggestedFix !== null && suggestedFix !== undefined).slice(0, CODES_MAX);
  if (refused.length === 0) return <p className="px-5 py-20 text-center text-sm text-faint">Nothing was refused.</p>;
  const most = Math.max(...refused.map(({ count }) => count));
  return (
    <ul>
      {refused.map(({ code, count, suggestedFix, lastSeenAt }) => (
        <li key={code} className="border-b border-line last:border-0">
          <button
            type="button"
            aria-pressed={chosen === code}
            onClick={() => set({ code: chosen === code ? undefined : (code as ReceiptCode) })}
            className={`grid w-full gap-1 px-4 py-2.5 text-left -outline-offset-2 hover:bg-hover sm:px-5 ${chosen === code ? "bg-accent-soft" : ""}`}
          >
            <span className="flex items-baseline justify-between gap-3 text-sm">
              <span className="font-medium">{words(code)}</span>
              <span className="figures shrink-0 text-faint">
                <Moment at={lastSeenAt} /> · <span className="text-ink">{countText(count)}</span>
              </span>
            </span>
            <span aria-hidden className="h-1 rounded-full bg-sunken">
              <span className="block h-1 rounded-full bg-bad" style={{ width: `${Math.max((count / most) * 100, 2)}%` }} />
            </span>
            <span className="text-sm text-soft">{suggestedFix}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
