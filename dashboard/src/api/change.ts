// Writing, as a hook: a mutation's payload, or what the caller can put right, or our failure, always in one shape that
// a form can show. After a change everything on the page is read again: simple, and never wrong.

import { useMutation } from "@tanstack/react-query";
import { useRef } from "react";

import { request } from "./client";
import { asApiError, type ApiError } from "./errors";
import { queryClient } from "./query";
import type { ProblemPartsFragment, TypedDocumentString } from "./gql/graphql";

/** What the caller can put right, or, as `FAILED`, our own failure. */
export interface Problem extends Omit<ProblemPartsFragment, "code"> {
  code: ProblemPartsFragment["code"] | "FAILED";
}

export type Outcome<P> = { payload: P; problems: [] } | { payload: null; problems: Problem[] };

interface Options {
  /** True: it names many, and does what it can. A problem that has an `index` is about one of them, and in the payload. */
  isPartial?: boolean;
}

/** `pick` finds the payload in the answer; the server says null where it did not get to it. */
export function useChange<R, V, P extends { userErrors: Problem[] }>(
  document: TypedDocumentString<R, V>,
  pick: (data: R) => P | null | undefined,
  { isPartial = false }: Options = {},
) {
  const mutation = useMutation({
    mutationFn: async (variables: V): Promise<Outcome<P>> => {
      try {
        return outcome(pick(await request(document, variables)), isPartial);
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

/**
 * As `useChange`, for what makes something new: sent again after an answer that never came, it is still made once. The
 * same call keeps its key until the server has answered it.
 */
export function useCreate<R, V extends { idempotencyKey?: string | null }, P extends { userErrors: Problem[] }>(
  document: TypedDocumentString<R, V>,
  pick: (data: R) => P | null | undefined,
  options?: Options,
) {
  const { run, isRunning } = useChange(document, pick, options);
  const open = useRef({ call: "", key: "" });
  return {
    isRunning,
    run: async (variables: Omit<V, "idempotencyKey">): Promise<Outcome<P>> => {
      const call = JSON.stringify(variables);
      if (open.current.call !== call) open.current = { call, key: newKey() };
      const outcome = await run({ ...variables, idempotencyKey: open.current.key } as V);
      const isAnswered = !outcome.problems.some(({ code }) => code === "FAILED");
      if (isAnswered) open.current = { call: "", key: "" };
      return outcome;
    },
  };
}

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function outcome<P extends { userErrors: Problem[] }>(payload: P | null | undefined, isPartial: boolean): Outcome<P> {
  if (!payload) return failed("The server did not answer this call.");
  const problems = payload.userErrors.filter(({ index }) => !isPartial || index === null || index === undefined);
  return problems.length > 0 ? { payload: null, problems } : { payload, problems: [] };
}

function failed<P>(message: string): Outcome<P> {
  return { payload: null, problems: [{ code: "FAILED", message }] };
}

/** One sentence for people, with what finds it in the log. */
export function sentence(error: ApiError): string {
  const { requestId, requiredRole } = error.details;
  if (error.code === "FORBIDDEN" && requiredRole) return `This needs the role ${requiredRole}.`;
  const message = error.message.replace(/\.$/, "");
  return requestId ? `${message} (request ${requestId}).` : `${message}.`;
}
