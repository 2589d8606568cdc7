// The one websocket of a page, for subscriptions: opened by the first, closed a while after the last. The bearer goes
// into `connection_init`, fresh with every reconnect. Only `follow.ts` loads it.

import { createClient } from "graphql-ws";

import { ApiError } from "./errors";
import type { Sink } from "./follow";
import { accessToken } from "./session";
import type { TypedDocumentString } from "./gql/graphql";

const client = createClient({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql/ws`,
  lazy: true,
  lazyCloseTimeout: 5_000,
  keepAlive: 20_000,
  retryAttempts: Number.MAX_SAFE_INTEGER,
  shouldRetry: () => true,
  connectionParams: async () => ({ authorization: `Bearer ${(await accessToken()) ?? ""}` }),
});

/** Follows a subscription until the returned function is called. */
export function subscribe<R, V>(document: TypedDocumentString<R, V>, variables: V, sink: Sink<R>): () => void {
  // The client sends it anew with every connection.
  const payload = { query: document.toString(), variables: { ...(variables as Record<string, unknown>) } };
  const forget = client.on("closed", () => sink.phase("broken"));
  const stop = client.subscribe<R>(payload, {
    next: ({ data, errors }) => {
      if (data) {
        if (sink.cursor) payload.variables.after = sink.cursor(data);
        sink.phase("live");
        sink.next(data);
      } else if (errors?.[0]) sink.error(new ApiError("UNREADABLE", errors[0].message));
    },
    error: (error) => sink.error(new ApiError("UNREADABLE", describe(error))),
    complete: () => undefined,
  });
  return () => {
    forget();
    stop();
  };
}

function describe(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (Array.isArray(error)) return error.map((one: { message?: string }) => one.message ?? "").join("; ");
  return "The live connection ended";
}
