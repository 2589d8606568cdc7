// A page's period as instants, in the workspace's zone. Instants change at midnight only, so that reading again finds
// what was read before.

import { WorkspaceDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useNow } from "../moment";
import { type Period, type Range, rangeOf, type Usual } from "./period";

export function usePeriod(period: Period, usual: Usual): { zone: string | undefined; range: Range | undefined; error: ReturnType<typeof useApi>["error"]; retry: () => void } {
  const { data, error, retry } = useApi(WorkspaceDocument, {});
  const now = useNow();
  const zone = data?.settings.timezone;
  return { zone, range: zone ? rangeOf(period, usual, zone, now) : undefined, error, retry };
}
