// Figures of reports as people read them: sums in several currencies, rates, and how they compare with the time before.

import { ArrowDown, ArrowRight, ArrowUp } from "lucide-react";
import type { ReactNode } from "react";

import type { MetricsFragment, Money, StatInterval } from "@/api/gql/graphql";
import { countText, moneyText } from "./amount";

type Sum = Pick<Money, "amount" | "currency">;

/** `0.125` → `12.5 %`. */
export function rateText(rate: string | null | undefined): string {
  if (rate === null || rate === undefined) return "–";
  return new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 }).format(Number(rate));
}

/** What a figure is for a picture or a comparison; never for a sum that is printed. */
export function figureOf(metrics: MetricsFragment, metric: "clicks" | "conversions" | "revenue" | "payout" | "profit", currency: string | undefined): number | null {
  if (metric === "clicks") return metrics.clicks ?? null;
  if (metric === "conversions") return metrics.conversions;
  const sum = metrics[metric].find((one) => one.currency === currency);
  return sum ? Number(sum.amount) : 0;
}

/** What a row without money is written in: the workspace's currency, else that of the first row with some. */
export function usualCurrency(rows: { metrics: MetricsFragment }[], usual: string | null | undefined): string | undefined {
  return usual ?? rows.flatMap(({ metrics: { revenue, payout } }) => [...revenue, ...payout])[0]?.currency;
}

/** The workspace's currency where it has sums in it, else the first. */
export function mainCurrency(sums: Sum[], usual: string | null | undefined): string | undefined {
  return (sums.find(({ currency }) => currency === usual) ?? sums[0])?.currency ?? usual ?? undefined;
}

/** Sums of several currencies, the main one first; never added together. */
export function Sums({ sums, currency }: { sums: Sum[]; currency: string | undefined }) {
  const main = sums.find((sum) => sum.currency === currency);
  const others = sums.filter((sum) => sum !== main);
  return (
    <>
      {main ? moneyText(main) : currency ? moneyText({ amount: "0", currency }) : "0"}
      {others.length > 0 && <span className="block text-xs font-normal text-faint">{others.map(moneyText).join(" · ")}</span>}
    </>
  );
}

/** How much more or less than before, in words for who cannot see the arrow. */
export function Change({ now, before, than }: { now: number | null; before: number | null; than: string }) {
  if (now === null || before === null) return null;
  if (before === 0) return <span className="text-xs text-faint">{now === 0 ? `as ${than}` : `none ${than}`}</span>;
  const share = (now - before) / Math.abs(before);
  const text = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: Math.abs(share) < 0.1 ? 1 : 0 }).format(Math.abs(share));
  const [Icon, look, word] = share > 0 ? ([ArrowUp, "text-good", "more"] as const) : share < 0 ? ([ArrowDown, "text-bad", "less"] as const) : ([ArrowRight, "text-faint", "more"] as const);
  return (
    <span className={`figures inline-flex items-center gap-0.5 text-xs font-medium ${look}`} title={`${text} ${word} than ${than}`}>
      <Icon aria-hidden className="size-3.5" />
      {text}
      <span className="sr-only"> {word} than {than}</span>
    </span>
  );
}

/** Figures side by side, with lines between them. */
export function Tiles({ children }: { children: ReactNode }) {
  return <div className="grid grid-cols-2 gap-px overflow-hidden rounded-t-lg bg-line sm:grid-cols-5">{children}</div>;
}

/** One figure with its name; a button where it chooses what the chart shows. */
export function Tile({ name, value, below, isChosen, onChoose }: { name: string; value: ReactNode; below?: ReactNode; isChosen?: boolean; onChoose?: () => void }) {
  const look =
    "grid content-start gap-1 bg-surface px-4 py-3 text-left max-sm:last:odd:col-span-2 sm:px-5 " +
    (isChosen ? "bg-accent-soft! shadow-[inset_0_2px_0_var(--accent)]" : onChoose ? "hover:bg-hover" : "");
  const inside = (
    <>
      <span className="text-xs font-medium text-soft">{name}</span>
      <span className="figures text-lg leading-6 font-semibold tracking-tight">{value}</span>
      <span className="flex min-h-4.5 flex-wrap items-center gap-x-2 text-xs text-faint">{below}</span>
    </>
  );
  return onChoose ? (
    <button type="button" aria-pressed={isChosen} onClick={onChoose} className={`${look} -outline-offset-2`}>
      {inside}
    </button>
  ) : (
    <div className={look}>{inside}</div>
  );
}

export function countOrDash(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : countText(value);
}

/** How a bucket's begin is written, in the zone of the report. */
export function bucketText(interval: StatInterval, zone: string, isLong: boolean): (seconds: number) => string {
  const formats: Record<StatInterval, Intl.DateTimeFormatOptions> = {
    HOUR: isLong ? { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit" },
    DAY: { day: "numeric", month: "short" },
    WEEK: { day: "numeric", month: "short" },
    MONTH: { month: "short", year: "numeric" },
  };
  const format = new Intl.DateTimeFormat(undefined, { ...formats[interval], timeZone: zone });
  return (seconds) => format.format(seconds * 1000);
}
