// A stretch of time as a page's URL holds it: one of the usual ones, or two days. Days are those of the workspace's zone.

import { oneOf, text } from "../search-params";
import { addDays, dayAt, dayStart, monthStart, parseDay } from "./zone";

export const USUAL = ["today", "yesterday", "7d", "30d", "month", "last-month"] as const;
export type Usual = (typeof USUAL)[number];

/** What the URL holds; both days belong to it. */
export interface Period {
  range?: Usual;
  from?: string;
  to?: string;
}

/** Instants as the API takes them; without `until` it goes on to now. */
export interface Range {
  since: string;
  until: string | null;
}

export const USUAL_TEXT: Record<Usual, string> = {
  today: "Today",
  yesterday: "Yesterday",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  month: "This month",
  "last-month": "Last month",
};

/** Reads a page's URL. */
export function periodOf(raw: Record<string, unknown>): Period {
  const [from, to] = [text(raw, "from"), text(raw, "to")];
  const isWhole = parseDay(from) !== undefined && parseDay(to) !== undefined && (from ?? "") <= (to ?? "");
  return isWhole ? { from, to } : { range: oneOf(raw, "range", USUAL) };
}

export function periodText({ range, from, to }: Period, usual: Usual): string {
  if (!from || !to) return USUAL_TEXT[range ?? usual];
  const short = (day: string) => new Date(`${day}T00:00:00Z`).toLocaleDateString(undefined, { dateStyle: "medium", timeZone: "UTC" });
  return from === to ? short(from) : `${short(from)} – ${short(to)}`;
}

/** The instants of a period. `usual` is what a page shows where its URL says nothing. */
export function rangeOf({ range, from, to }: Period, usual: Usual, zone: string, now: number): Range {
  const [first, last] = [parseDay(from), parseDay(to)];
  const instant = (day: Parameters<typeof dayStart>[0]) => new Date(dayStart(day, zone)).toISOString();
  const today = dayAt(now, zone);
  if (first && last) {
    const end = dayStart(addDays(last, 1), zone);
    return { since: instant(first), until: end > now ? null : new Date(end).toISOString() };
  }
  switch (range ?? usual) {
    case "today":
      return { since: instant(today), until: null };
    case "yesterday":
      return { since: instant(addDays(today, -1)), until: instant(today) };
    case "7d":
      return { since: instant(addDays(today, -6)), until: null };
    case "30d":
      return { since: instant(addDays(today, -29)), until: null };
    case "month":
      return { since: instant(monthStart(today, 0)), until: null };
    case "last-month":
      return { since: instant(monthStart(today, -1)), until: instant(monthStart(today, 0)) };
  }
}

/** How long it is, in days, from here to its end. */
export function lengthDays({ since, until }: Range, now: number): number {
  return ((until ? Date.parse(until) : now) - Date.parse(since)) / 86_400_000;
}
