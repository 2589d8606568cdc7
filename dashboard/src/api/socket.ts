// The one websocket of a page, for subscriptions: opened by the first, closed a while after the last. The bearer goes
// into `connection_init`, fresh with every reconnect.

import { createClient, type Client } from "graphql-ws";

import { ApiError } from "./errors";
import { accessToken } from "./session";
import type { TypedDocumentString } from "./gql/graphql";

let client: Client | null = null;

function socket(): Client {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  client ??= createClient({
    url: `${scheme}://${location.host}/graphql/ws`,
    lazy: true,
    lazyCloseTimeout: 5_000,
    keepAlive: 20_000,
    retryAttempts: Number.MAX_SAFE_INTEGER,
    shouldRetry: () => true,
    connectionParams: async () => ({ authorization: `Bearer ${(await accessToken()) ?? ""}` }),
  });
  return client;
}

export type StreamPhase = "connecting" | "live" | "broken";

interface Sink<R> {
  next: (data: R) => void;
  phase: (phase: StreamPhase) => void;
  error: (error: ApiError) => void;
}

/** Follows a subscription until the returned function is called. */
export function follow<R, V>(document: TypedDocumentString<R, V>, variables: V, sink: Sink<R>): () => void {
  const one = socket();
  sink.phase("connecting");
  const stops = [
    one.on("connected", () => sink.phase("live")),
    one.on("closed", () => sink.phase("broken")),
    one.subscribe<R>(
      { query: document.toString(), variables: variables as Record<string, unknown> },
      {
        next: ({ data, errors }) => {
          if (data) sink.next(data);
          else if (errors?.[0]) sink.error(new ApiError("UNREADABLE", errors[0].message));
        },
        error: (error) => sink.error(new ApiError("UNREADABLE", describe(error))),
        complete: () => undefined,
      },
    ),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function describe(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (Array.isArray(error)) return error.map((one: { message?: string }) => one.message ?? "").join("; ");
  return "The live connection ended";
}
