// An instant: relative for reading, and on hover or focus in local time, in UTC and as unix seconds for comparing.

import { useSyncExternalStore } from "react";

const TICK_MILLIS = 15_000;
const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Number.POSITIVE_INFINITY],
];

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  now = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(tick, TICK_MILLIS);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time, every quarter of a minute: one timer for the page. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

export function relativeText(at: number, from: number): string {
  let amount = (at - from) / 1000;
  if (Math.abs(amount) < 10) return amount > 0 ? "in a moment" : "just now";
  for (const [unit, size] of STEPS) {
    if (Math.abs(amount) < size) return new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" }).format(Math.round(amount), unit);
    amount /= size;
  }
  return "";
}

export function localText(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

export function Moment({ at }: { at: string }) {
  const millis = Date.parse(at);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const exact = `${localText(at)} (${zone})\n${new Date(at).toISOString()} (UTC)\n${Math.floor(millis / 1000)} (unix)`;
  return (
    <time dateTime={at} title={exact} className="whitespace-nowrap">
      {relativeText(millis, useNow())}
    </time>
  );
}

export function MaybeMoment({ at, none = "never" }: { at?: string | null; none?: string }) {
  return at ? <Moment at={at} /> : <span className="text-faint">{none}</span>;
}
