// What the page's URL holds, and what it asks the API for.

import type { ConversionFilter, ConversionSource, ConversionStatus, StatDimension } from "@/api/gql/graphql";
import { periodOf, type Range } from "@/parts/period/period";
import { flag, manyOf, oneOf, text } from "@/parts/search-params";

export const STATUSES = ["APPROVED", "PENDING", "REJECTED"] as const satisfies readonly ConversionStatus[];
export const SOURCES = ["POSTBACK", "IMAGE_PIXEL", "CLICKLESS"] as const satisfies readonly ConversionSource[];
export const DIMENSIONS = ["OFFER", "PUBLISHER", "ADVERTISER", "SUB_ID", "STATUS", "REJECTION_REASON", "SOURCE", "TOKEN"] as const satisfies readonly StatDimension[];
export const METRICS = ["conversions", "clicks", "revenue", "payout", "profit"] as const;
export type Metric = (typeof METRICS)[number];
export const INTERVALS = ["HOUR", "DAY", "WEEK", "MONTH"] as const;
export const SORTS = ["CONVERTED_AT", "RECORDED_AT", "REVENUE", "PAYOUT", "SESSION_TIME"] as const;

export const USUAL_PERIOD = "7d";

export function readSearch(raw: Record<string, unknown>) {
  return {
    ...periodOf(raw),
    search: text(raw, "search"),
    status: manyOf(raw, "status", STATUSES),
    source: manyOf(raw, "source", SOURCES),
    offer: text(raw, "offer"),
    publisher: text(raw, "publisher"),
    advertiser: text(raw, "advertiser"),
    reason: text(raw, "reason"),
    subId: text(raw, "subId"),
    tests: flag(raw, "tests"),
    sort: oneOf(raw, "sort", SORTS),
    metric: oneOf(raw, "metric", METRICS),
    interval: oneOf(raw, "interval", INTERVALS),
    compare: flag(raw, "compare"),
    by: oneOf(raw, "by", DIMENSIONS),
    by2: oneOf(raw, "by2", DIMENSIONS),
    conversion: text(raw, "conversion"),
  };
}

export type ConversionSearch = Partial<ReturnType<typeof readSearch>>;

/** What is put in one by one; the period is not among them. */
const FILTERS = ["search", "status", "source", "offer", "publisher", "advertiser", "reason", "subId", "tests"] as const;

export function isFiltered(search: ConversionSearch): boolean {
  return FILTERS.some((name) => search[name] !== undefined);
}

export const CLEARED: ConversionSearch = Object.fromEntries(FILTERS.map((name) => [name, undefined]));

/** Without its time: that of figures is the report's range. */
export function filterOf(search: ConversionSearch): ConversionFilter {
  return {
    status: search.status ?? null,
    source: search.source ?? null,
    offerIds: search.offer ? [search.offer] : null,
    publisherIds: search.publisher ? [search.publisher] : null,
    advertiserIds: search.advertiser ? [search.advertiser] : null,
    rejectionReason: search.reason ? { eq: search.reason } : null,
    subId: search.subId ? { eq: search.subId } : null,
  };
}

/** What the table shows. An id that somebody pasted is looked for at any time. */
export function listFilterOf(search: ConversionSearch, range: Range): ConversionFilter {
  const includeTests = search.tests === true;
  if (search.search) return { ...filterOf(search), includeTests: true, search: search.search.trim() };
  return { ...filterOf(search), includeTests, convertedAt: range };
}

