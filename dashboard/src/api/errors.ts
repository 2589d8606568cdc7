// Everything that can go wrong between the page and the server, in one shape. A problem of a form is no error: it is a
// `Problem` of the payload (see `change.ts`).

/** The codes of the admin API, and three of our own: no answer, an answer that is not ours, a refused session. */
export type ErrorCode =
  | "UNAUTHENTICATED"
  | "FORBIDDEN"
  | "BAD_REQUEST"
  | "GRAPHQL_PARSE_FAILED"
  | "GRAPHQL_VALIDATION_FAILED"
  | "BAD_USER_INPUT"
  | "QUERY_TOO_COMPLEX"
  | "RATE_LIMITED"
  | "TIMEOUT"
  | "INTERNAL"
  | "OFFLINE"
  | "UNREADABLE"
  | "SESSION";

interface Details {
  /** Finds the request in the server's log. */
  requestId?: string;
  /** The least role that would do. */
  requiredRole?: string;
  /** Seconds to wait before the next try. */
  retryAfterSeconds?: number;
  /** Of a session request: what is wrong with which field. */
  fields?: { field: string; message: string }[];
  /** The stable name that a session request answered with. */
  reason?: string;
}

export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly details: Details;

  constructor(code: ErrorCode, message: string, details: Details = {}) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.details = details;
  }

  /** May the same request succeed in a moment, without a change of anything? */
  get isTransient(): boolean {
    return this.code === "OFFLINE" || this.code === "TIMEOUT" || this.code === "RATE_LIMITED";
  }
}

/** The first error of a GraphQL answer as it comes over the wire. */
export interface WireError {
  message: string;
  extensions?: { code?: string; requestId?: string; requiredRole?: string; retryAfterSeconds?: number };
}

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "BAD_REQUEST",
  "GRAPHQL_PARSE_FAILED",
  "GRAPHQL_VALIDATION_FAILED",
  "BAD_USER_INPUT",
  "QUERY_TOO_COMPLEX",
  "RATE_LIMITED",
  "TIMEOUT",
  "INTERNAL",
]);

export function fromWire(error: WireError): ApiError {
  const { code = "", requestId, requiredRole, retryAfterSeconds } = error.extensions ?? {};
  const known = CODES.has(code) ? (code as ErrorCode) : "UNREADABLE";
  return new ApiError(known, error.message, { requestId, requiredRole, retryAfterSeconds });
}

/** Whatever was thrown, as an `ApiError`. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError("UNREADABLE", message);
}
