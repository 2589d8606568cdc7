// Days in a zone: where each begins as an instant. `Intl` knows the zones; nothing here adds hours to days, because some
// days have 23 or 25 of them.

export interface Day {
  year: number;
  /** 1 to 12. */
  month: number;
  day: number;
}

const QUARTER_MILLIS = 900_000;
/** No zone is further from UTC. */
const FAR_QUARTERS = 64;
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
    formats.set(zone, format);
  }
  return format;
}

/** The day that it is in the zone. */
export function dayAt(millis: number, zone: string): Day {
  const part = (type: string) => Number(formatOf(zone).formatToParts(millis).find((one) => one.type === type)?.value);
  return { year: part("year"), month: part("month"), day: part("day") };
}

function number({ year, month, day }: Day): number {
  return Date.UTC(year, month - 1, day);
}

/** The first instant of a day, also where its midnight does not exist. */
export function dayStart(day: Day, zone: string): number {
  const wanted = number(day);
  let [before, after] = [wanted / QUARTER_MILLIS - FAR_QUARTERS, wanted / QUARTER_MILLIS + FAR_QUARTERS];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (number(dayAt(middle * QUARTER_MILLIS, zone)) >= wanted) after = middle;
    else before = middle;
  }
  return after * QUARTER_MILLIS;
}

export function addDays(day: Day, days: number): Day {
  const at = new Date(number(day) + days * 86_400_000);
  return { year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: at.getUTCDate() };
}

/** The first of the month that is so many months away. */
export function monthStart({ year, month }: Day, months: number): Day {
  const at = new Date(Date.UTC(year, month - 1 + months, 1));
  return { year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: 1 };
}

/** `2026-11-26`. */
export function dayText({ year, month, day }: Day): string {
  return `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
}

/** Undefined for what is no day. */
export function parseDay(text: string | undefined): Day | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text ?? "");
  if (!match) return undefined;
  const day = { year: Number(match[1]), month: Number(match[2]), day: Number(match[3]) };
  return dayText(addDays(day, 0)) === text ? day : undefined;
}
