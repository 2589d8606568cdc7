// What the page's URL holds.

import { periodOf } from "@/parts/period/period";
import { text } from "@/parts/search-params";

export const USUAL_PERIOD = "30d";

export function readSearch(raw: Record<string, unknown>) {
  return { ...periodOf(raw), action: text(raw, "action"), actor: text(raw, "actor"), subject: text(raw, "subject"), entry: text(raw, "entry") };
}

export type AuditSearch = Partial<ReturnType<typeof readSearch>>;
