// The figures by one dimension, or by two: each row leads to its conversions.

import { ConversionBreakdownDocument, type ConversionBreakdownQuery, type ConversionSource, type ConversionStatus, type StatInterval } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { countText } from "@/parts/amount";
import { Sparkline } from "@/parts/chart/sparkline";
import { words } from "@/parts/checks";
import { Card } from "@/parts/page";
import type { Range } from "@/parts/period/period";
import { Loaded, Notice, Skeleton } from "@/parts/states";
import { countOrDash, mainCurrency, rateText, Sums, usualCurrency } from "@/parts/stats";
import { SOURCE_TEXT } from "./columns";
import { DIMENSION_TEXT } from "./figures";
import { type ConversionSearch, filterOf } from "./search";

type Row = ConversionBreakdownQuery["stats"]["rows"][number];
type Key = Row["keys"][number];

const ROWS = 50;

interface Props {
  search: ConversionSearch;
  range: Range;
  interval: StatInterval;
  currency: string | null | undefined;
  set: (change: ConversionSearch) => void;
}

export function Breakdown({ search, range, interval, currency, set }: Props) {
  const dimensions = [search.by, search.by2].filter((one) => one !== undefined);
  const query = useApi(ConversionBreakdownDocument, {
    input: { range, interval, filter: filterOf(search), groupBy: dimensions, limit: ROWS },
  });
  return (
    <Card title={`By ${dimensions.map((one) => DIMENSION_TEXT[one].toLowerCase()).join(" and ")}`} isFlush>
      <Loaded query={query} skeleton={<Skeleton lines={6} className="p-5" />}>
        {({ stats }) =>
          stats.rows.length === 0 ? (
            <p className="px-5 py-8 text-center text-sm text-faint">Nothing in this period.</p>
          ) : (
            <div className={`overflow-x-auto ${query.isStale ? "opacity-60" : ""}`} tabIndex={0} role="group" aria-label="Breakdown">
              <table className="figures w-full text-sm">
                <thead>
                  <tr className="border-b border-line bg-sunken/60 text-left text-xs text-faint">
                    {dimensions.map((one) => (
                      <th key={one} scope="col" className="px-3 py-2 font-medium first:pl-4 sm:first:pl-5">
                        {DIMENSION_TEXT[one]}
                      </th>
                    ))}
                    <Head from="sm">Clicks</Head>
                    <Head>Conversions</Head>
                    <Head from="md">Approved</Head>
                    <Head from="md">Rejected</Head>
                    <Head from="lg">Conversion rate</Head>
                    <Head from="sm">Revenue</Head>
                    <Head from={dimensions.length > 1 ? "sm" : undefined}>Payout</Head>
                    <th scope="col" className="px-3 py-2 font-medium max-lg:hidden">
                      Over time
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {stats.rows.map((row) => (
                    <BreakdownRow key={JSON.stringify(row.keys.map(({ value }) => value))} row={row} currency={usualCurrency(stats.rows, currency)} set={set} />
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
      {query.data?.stats.truncated && (
        <div className="border-t border-line p-3">
          <Notice>These are the {ROWS} with the most conversions. The sums above hold everything.</Notice>
        </div>
      )}
    </Card>
  );
}

function Head({ from, children }: { from?: "sm" | "md" | "lg"; children: string }) {
  const hidden = { sm: "max-sm:hidden", md: "max-md:hidden", lg: "max-lg:hidden" };
  return (
    <th scope="col" className={`px-3 py-2 text-right font-medium ${from ? hidden[from] : ""}`}>
      {children}
    </th>
  );
}

function BreakdownRow({ row: { keys, metrics, series }, currency, set }: { row: Row; currency: Props["currency"]; set: Props["set"] }) {
  return (
    <tr className="h-[41px] border-b border-line last:border-0">
      {keys.map((key) => (
        <th key={key.dimension} scope="row" className="px-3 text-left font-normal first:pl-4 sm:first:pl-5">
          <KeyText of={key} set={set} />
        </th>
      ))}
      <td className="px-3 text-right max-sm:hidden">{countOrDash(metrics.clicks)}</td>
      <td className="px-3 text-right font-medium">{countText(metrics.conversions)}</td>
      <td className="px-3 text-right max-md:hidden">{countText(metrics.approved)}</td>
      <td className="px-3 text-right whitespace-nowrap max-md:hidden">
        {countText(metrics.rejected)} <span className="text-faint">{metrics.rejectionRate && `(${rateText(metrics.rejectionRate)})`}</span>
      </td>
      <td className="px-3 text-right max-lg:hidden">{rateText(metrics.conversionRate)}</td>
      <td className="px-3 text-right max-sm:hidden">
        <Sums sums={metrics.revenue} currency={mainCurrency(metrics.revenue, currency)} />
      </td>
      <td className={`px-3 text-right ${keys.length > 1 ? "max-sm:hidden" : ""}`}>
        <Sums sums={metrics.payout} currency={mainCurrency(metrics.payout, currency)} />
      </td>
      <td className="px-3 max-lg:hidden">
        <Sparkline values={(series ?? []).map((point) => point.metrics.conversions)} />
      </td>
    </tr>
  );
}

/** What it is; a button where the list can be filtered by it. */
function KeyText({ of: key, set }: { of: Key; set: Props["set"] }) {
  const change = filterBy(key);
  const text = labelOf(key);
  return change ? (
    <button type="button" onClick={() => set(change)} className="max-w-28 truncate text-left hover:underline sm:max-w-56" title={`Only ${text}`}>
      {text}
    </button>
  ) : (
    <span className="block max-w-28 truncate sm:max-w-56">{text}</span>
  );
}

function labelOf({ dimension, value, label }: Key): string {
  if (dimension === "SOURCE" && value && value in SOURCE_TEXT) return SOURCE_TEXT[value as ConversionSource];
  return dimension === "STATUS" ? words(label) : label;
}

function filterBy({ dimension, value }: Key): ConversionSearch | null {
  if (value === null || value === undefined) return null;
  switch (dimension) {
    case "OFFER":
      return { offer: value };
    case "PUBLISHER":
      return { publisher: value };
    case "ADVERTISER":
      return { advertiser: value };
    case "SUB_ID":
      // What is not among the most frequent has no filter.
      return value === "(other)" ? null : { subId: value };
    case "STATUS":
      return { status: [value as ConversionStatus] };
    case "SOURCE":
      return { source: [value as ConversionSource] };
    case "REJECTION_REASON":
      return { reason: value };
    case "TOKEN":
      return null;
  }
}
