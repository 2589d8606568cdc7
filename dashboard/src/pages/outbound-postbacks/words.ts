// The words of closed lists, and durations as people say them.

import type { OutboundMethod, OutboundMoment } from "@/api/gql/graphql";

export const MOMENT_TEXT: Record<OutboundMoment, string> = { RECORDED: "Recorded", APPROVED: "Approved", REJECTED: "Rejected" };
export const MOMENTS = ["RECORDED", "APPROVED", "REJECTED"] as const satisfies readonly OutboundMoment[];
export const METHOD_TEXT: Record<OutboundMethod, string> = { GET: "GET", POST_FORM: "POST, form", POST_JSON: "POST, JSON" };

/** How the signing secret is handed out, once. */
export const SECRET = {
  title: "The signing secret",
  about: "Give it to the publisher’s engineers: with it they know that a request is ours.",
} as const;

export function delayText(seconds: number): string {
  if (seconds === 0) return "at once";
  if (seconds % 86_400 === 0) return `after ${seconds / 86_400} d`;
  if (seconds % 3600 === 0) return `after ${seconds / 3600} h`;
  return seconds % 60 === 0 ? `after ${seconds / 60} min` : `after ${seconds} s`;
}

/** Percent as the API says it, `66.666666`. */
export function percentText(rate: string | null | undefined): string {
  if (rate === null || rate === undefined) return "–";
  return `${Number(rate).toLocaleString(undefined, { maximumFractionDigits: 1 })}%`;
}
