// What the page's URL holds, and what it asks the API for.

import type { ReceiptCode, ReceiptFilter, ReceiptKind, Verdict } from "@/api/gql/graphql";
import { periodOf, type Range } from "@/parts/period/period";
import { flag, manyOf, oneOf, text } from "@/parts/search-params";

export const VERDICTS = ["RECORDED", "DUPLICATE", "NO_CHANGE", "PARKED", "REFUSED", "FAILED"] as const satisfies readonly Verdict[];
export const KINDS = ["CONVERSION", "CLICKLESS", "IMAGE_PIXEL", "REJECTION", "STATUS", "CLICK"] as const satisfies readonly ReceiptKind[];
export const USUAL_PERIOD = "today";

export function readSearch(raw: Record<string, unknown>) {
  const code = text(raw, "code");
  return {
    ...periodOf(raw),
    verdict: manyOf(raw, "verdict", VERDICTS),
    kind: manyOf(raw, "kind", KINDS),
    // A name that is none is refused by the API, which says so.
    code: code && /^[A-Z_]+$/.test(code) ? code : undefined,
    offer: text(raw, "offer"),
    publisher: text(raw, "publisher"),
    token: text(raw, "token"),
    transaction: text(raw, "transaction"),
    tests: oneOf(raw, "tests", ["no"] as const),
    check: flag(raw, "check"),
    test: flag(raw, "test"),
    receipt: text(raw, "receipt"),
  };
}

export type LogSearch = Partial<ReturnType<typeof readSearch>>;

const FILTERS = ["verdict", "kind", "code", "offer", "publisher", "token", "transaction", "tests"] as const;

export function isFiltered(search: LogSearch): boolean {
  return FILTERS.some((name) => search[name] !== undefined);
}

export const CLEARED: LogSearch = Object.fromEntries(FILTERS.map((name) => [name, undefined]));

/** Without its time. */
export function filterOf(search: LogSearch): ReceiptFilter {
  return {
    verdict: search.verdict ?? null,
    kind: search.kind ?? null,
    code: search.code ? [search.code as ReceiptCode] : null,
    offerIds: search.offer ? [search.offer] : null,
    publisherIds: search.publisher ? [search.publisher] : null,
    tokenIds: search.token ? [search.token] : null,
    transactionId: search.transaction ? { eq: search.transaction.trim() } : null,
    includeTests: search.tests !== "no",
  };
}

export function listFilterOf(search: LogSearch, range: Range): ReceiptFilter {
  return search.transaction ? filterOf(search) : { ...filterOf(search), receivedAt: range };
}
