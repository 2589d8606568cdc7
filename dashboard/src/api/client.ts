// One request to the admin API. Adds the bearer, asks once more when it was not believed, and turns every failure into
// an `ApiError`.

import { ApiError, fromWire, type WireError } from "./errors";
import { accessToken, distrust } from "./session";
import type { TypedDocumentString } from "./gql/graphql";

/** A GraphQL answer as it comes. */
export interface Answer<R> {
  data?: R | null;
  errors?: WireError[];
}

const TIMEOUT_MILLIS = 20_000;

export async function request<R, V>(
  document: TypedDocumentString<R, V>,
  variables: V,
  signal?: AbortSignal,
): Promise<R> {
  const answer = await ask<R>({ query: document.toString(), variables }, signal);
  const [error] = answer.errors ?? [];
  if (error) throw fromWire(error);
  if (!answer.data) throw new ApiError("UNREADABLE", "The server's answer holds no data");
  return answer.data;
}

/** The whole answer, errors too, to whatever text somebody wrote. Throws when there is none. */
export async function ask<R>(question: { query: string; variables?: unknown }, signal?: AbortSignal): Promise<Answer<R>> {
  const body = JSON.stringify(question);
  const token = await signedInToken();
  const answer = await send<R>(body, token, signal);
  if (answer.errors?.[0]?.extensions?.code !== "UNAUTHENTICATED") return answer;
  distrust(token);
  return send<R>(body, await signedInToken(), signal);
}

async function signedInToken(): Promise<string> {
  const token = await accessToken();
  if (token === null) throw new ApiError("UNAUTHENTICATED", "The session is over: sign in again");
  return token;
}

async function send<R>(body: string, token: string, signal?: AbortSignal): Promise<Answer<R>> {
  const timeout = AbortSignal.timeout(TIMEOUT_MILLIS);
  let response: Response;
  try {
    response = await fetch("/graphql", {
      method: "POST",
      headers: {
        accept: "application/graphql-response+json",
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
      },
      body,
      credentials: "omit",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (timeout.aborted) throw new ApiError("TIMEOUT", "The server did not answer in time");
    throw new ApiError("OFFLINE", "The server cannot be reached");
  }
  const answer: unknown = await response.json().catch(() => null);
  if (typeof answer !== "object" || answer === null) {
    throw new ApiError("UNREADABLE", `The server answered ${response.status} with something that is not JSON`);
  }
  return withWait(answer as Answer<R>, Number(response.headers.get("retry-after")));
}

/** How long to wait stands in a header, and belongs to the error. */
function withWait<R>(answer: Answer<R>, seconds: number): Answer<R> {
  const [error] = answer.errors ?? [];
  if (error?.extensions && seconds > 0) error.extensions.retryAfterSeconds = seconds;
  return answer;
}
