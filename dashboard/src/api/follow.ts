// What happens while a page is open, told by subscriptions. The socket's code is loaded with the first one.

import { ApiError } from "./errors";
import type { TypedDocumentString } from "./gql/graphql";

export type StreamPhase = "connecting" | "live" | "broken";

export interface Sink<R> {
  next: (data: R) => void;
  phase: (phase: StreamPhase) => void;
  error: (error: ApiError) => void;
  /** Where the stream goes on after the connection was lost; without it, from the moment at which it is there again. */
  cursor?: (data: R) => string;
}

/** Follows a subscription until the returned function is called. */
export function follow<R, V>(document: TypedDocumentString<R, V>, variables: V, sink: Sink<R>): () => void {
  let stop: (() => void) | undefined;
  let isOver = false;
  sink.phase("connecting");
  import("./socket")
    .then(({ subscribe }) => {
      if (!isOver) stop = subscribe(document, variables, sink);
    })
    .catch(() => sink.error(new ApiError("OFFLINE", "The server cannot be reached")));
  return () => {
    isOver = true;
    stop?.();
  };
}
