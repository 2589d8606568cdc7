// Writing, as a hook: a mutation's payload, or what the caller can put right, or our failure, always in one shape that
// a form can show. After a change everything on the page is read again: simple, and never wrong.

import { useMutation } from "@tanstack/react-query";

import { request } from "./client";
import { asApiError, type ApiError } from "./errors";
import { queryClient } from "./query";
import type { TypedDocumentString, UserErrorCode } from "./gql/graphql";

export interface Problem {
  code: UserErrorCode | "FAILED";
  message: string;
  /** The path inside the mutation's arguments. */
  field?: string[] | null;
  hint?: string | null;
}

export type Outcome<P> = { payload: P; problems: [] } | { payload: null; problems: Problem[] };

/** `pick` finds the payload in the answer; the server says null where it did not get to it. */
export function useChange<R, V, P extends { userErrors: Problem[] }>(
  document: TypedDocumentString<R, V>,
  pick: (data: R) => P | null | undefined,
) {
  const mutation = useMutation({
    mutationFn: async (variables: V): Promise<Outcome<P>> => {
      try {
        return outcome(pick(await request(document, variables)));
      } catch (error) {
        return failed(sentence(asApiError(error)));
      }
    },
    onSuccess: ({ payload }) => {
      if (payload) void queryClient.invalidateQueries();
    },
  });
  return { run: (variables: V) => mutation.mutateAsync(variables), isRunning: mutation.isPending };
}

function outcome<P extends { userErrors: Problem[] }>(payload: P | null | undefined): Outcome<P> {
  if (!payload) return failed("The server did not answer this call.");
  return payload.userErrors.length > 0 ? { payload: null, problems: payload.userErrors } : { payload, problems: [] };
}

function failed<P>(message: string): Outcome<P> {
  return { payload: null, problems: [{ code: "FAILED", message }] };
}

/** One sentence for people, with what finds it in the log. */
export function sentence(error: ApiError): string {
  const { requestId, requiredRole } = error.details;
  if (error.code === "FORBIDDEN" && requiredRole) return `This needs the role ${requiredRole}.`;
  return requestId ? `${error.message} (request ${requestId}).` : `${error.message}.`;
}
