// The one websocket of a page, for subscriptions: opened by the first, closed a while after the last. The bearer goes
// into `connection_init`, fresh with every reconnect.

import type { Client } from "graphql-ws";

import { ApiError } from "./errors";
import { accessToken } from "./session";
import type { TypedDocumentString } from "./gql/graphql";

let client: Promise<Client> | null = null;

/** Its code is loaded with the first subscription. */
function socket(): Promise<Client> {
  client ??= import("graphql-ws").then(({ createClient }) =>
    createClient({
      url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql/ws`,
      lazy: true,
      lazyCloseTimeout: 5_000,
      keepAlive: 20_000,
      retryAttempts: Number.MAX_SAFE_INTEGER,
      shouldRetry: () => true,
      connectionParams: async () => ({ authorization: `Bearer ${(await accessToken()) ?? ""}` }),
    }),
  );
  return client;
}

export type StreamPhase = "connecting" | "live" | "broken";

interface Sink<R> {
  next: (data: R) => void;
  phase: (phase: StreamPhase) => void;
  error: (error: ApiError) => void;
  /** Where the stream goes on after the connection was lost; without it, from the moment at which it is there again. */
  cursor?: (data: R) => string;
}

/** Follows a subscription until the returned function is called. */
export function follow<R, V>(document: TypedDocumentString<R, V>, variables: V, sink: Sink<R>): () => void {
  const stops: (() => void)[] = [];
  let isOver = false;
  sink.phase("connecting");
  socket()
    .then((one) => {
      if (!isOver) stops.push(one.on("closed", () => sink.phase("broken")), subscribe(one, document, variables, sink));
    })
    .catch((error: unknown) => {
      client = null;
      sink.error(new ApiError("OFFLINE", describe(error)));
    });
  return () => {
    isOver = true;
    for (const stop of stops) stop();
  };
}

function subscribe<R, V>(one: Client, document: TypedDocumentString<R, V>, variables: V, sink: Sink<R>): () => void {
  // The client sends it anew with every connection.
  const payload = { query: document.toString(), variables: { ...(variables as Record<string, unknown>) } };
  return one.subscribe<R>(payload, {
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
}

function describe(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (Array.isArray(error)) return error.map((one: { message?: string }) => one.message ?? "").join("; ");
  return "The live connection ended";
}
