// What people call an offer, publisher or advertiser that a URL names by its id.

import { LookupNameDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";

export type Noun = "offer" | "publisher" | "advertiser";

/** What people call the thing with this id; undefined until it is known. */
export function useName(id: string | undefined): string | undefined {
  const { data } = useApi(LookupNameDocument, { id: id ?? "" }, { enabled: id !== undefined });
  const node = data?.node;
  if (!node || node.id !== id) return undefined;
  if ("offerName" in node) return `${node.offerName} (${node.offerNumber})`;
  if ("publisherName" in node) return `${node.publisherName} (${node.publisherNumber})`;
  if ("advertiserName" in node) return `${node.advertiserName} (${node.advertiserNumber})`;
  return undefined;
}
