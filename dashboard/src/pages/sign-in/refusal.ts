// A refused session request, as the problems of a form.

import { type Outcome, type Problem, sentence } from "@/api/change";
import { type ApiError, asApiError } from "@/api/errors";

export async function attempt(work: () => Promise<void>): Promise<Outcome<true>> {
  try {
    await work();
    return { payload: true, problems: [] };
  } catch (error) {
    return { payload: null, problems: problemsOf(asApiError(error)) };
  }
}

function problemsOf(error: ApiError): Problem[] {
  const { fields, retryAfterSeconds, reason } = error.details;
  if (fields?.length) return fields.map(({ field, message }) => ({ code: "INVALID", message, field: [field] }));
  if (reason === "locked" && retryAfterSeconds) {
    const minutes = Math.ceil(retryAfterSeconds / 60);
    return [{ code: "FAILED", message: `Too many wrong passwords: try again in ${minutes} min.` }];
  }
  // What is wrong with what was typed needs no request id.
  const isTyped = reason === "wrong_credentials" || reason === "wrong_setup_code" || reason === "wrong_invite_code" || reason === "setup_done";
  return [{ code: "FAILED", message: isTyped ? `${error.message}.` : sentence(error) }];
}
