// Reading, as hooks: one document, a list that grows by "load more", and the cache that both share.

import { keepPreviousData, QueryClient, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo, useRef } from "react";

import { request } from "./client";
import { type ApiError, asApiError } from "./errors";
import type { TypedDocumentString } from "./gql/graphql";

const STALE_MILLIS = 10_000;
const RETRIES = 2;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: STALE_MILLIS,
      retry: (failures, error) => failures < RETRIES && asApiError(error).isTransient,
      // A server that says when to come again means it.
      retryDelay: (failures, error) => (asApiError(error).details.retryAfterSeconds ?? 2 ** failures) * 1000,
      // An `OFFLINE` of ours says more than the browser's guess about the network.
      networkMode: "always",
    },
    mutations: { retry: false, networkMode: "always" },
  },
});

interface Options {
  /** False: not asked for yet. */
  enabled?: boolean;
  /** Milliseconds between two looks, while the page is visible. */
  refetchInterval?: number;
}

/** Reads a document. While other variables load, the old data stays (`isStale`). */
export function useApi<R, V>(document: TypedDocumentString<R, V>, variables: V, options: Options = {}) {
  const query = useQuery<R, ApiError>({
    queryKey: [nameOf(document), variables],
    queryFn: ({ signal }) => request(document, variables, signal),
    placeholderData: keepPreviousData,
    ...options,
  });
  return {
    data: query.data,
    /** Of the newest try; old data may still be there. */
    error: query.error ? asApiError(query.error) : null,
    isStale: query.isPlaceholderData,
    retry: () => void query.refetch(),
  };
}

/** What every connection of the schema has. */
export interface Page<N> {
  nodes: N[];
  pageInfo: { hasNextPage: boolean; endCursor?: string | null };
}

/** A list as a table shows it. */
export interface List<N> {
  /** Undefined until the first page is there. */
  rows: N[] | undefined;
  error: ApiError | null;
  /** Other rows are on their way: those shown are of the question before. */
  isStale: boolean;
  hasMore: boolean;
  isLoadingMore: boolean;
  loadMore: () => void;
  retry: () => void;
}

/** Reads a connection page by page; `pick` finds it in the answer. The document must take `$after`. */
export function useList<R, V extends { after?: string | null }, N>(
  document: TypedDocumentString<R, V>,
  variables: Omit<V, "after">,
  pick: (data: R) => Page<N>,
  options: Options = {},
): List<N> & { first: R | undefined } {
  const query = useInfiniteQuery({
    queryKey: [nameOf(document), "list", variables],
    queryFn: ({ pageParam, signal }) => request(document, { ...variables, after: pageParam } as V, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last: R) => {
      const { hasNextPage, endCursor } = pick(last).pageInfo;
      return hasNextPage ? endCursor : null;
    },
    placeholderData: keepPreviousData,
    ...options,
  });
  const pages = query.data?.pages;
  // The same array until other pages come: a table puts its rows together anew for another one.
  const picked = useRef(pick);
  const rows = useMemo(() => pages?.flatMap((page) => picked.current(page).nodes), [pages]);
  return {
    rows,
    /** The first page's whole answer, for what stands beside the list. */
    first: pages?.[0],
    error: query.error ? asApiError(query.error) : null,
    isStale: query.isPlaceholderData,
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    loadMore: () => void query.fetchNextPage(),
    retry: () => void query.refetch(),
  };
}

/** A list that came whole, for a table. */
export function wholeList<N>(query: ReturnType<typeof useApi>, rows: N[] | undefined): List<N> {
  const { error, isStale, retry } = query;
  return { rows, error, isStale, retry, hasMore: false, isLoadingMore: false, loadMore: () => undefined };
}

function nameOf(document: { toString(): string }): string {
  return /(?:query|mutation)\s+(\w+)/.exec(document.toString())?.[1] ?? document.toString();
}
