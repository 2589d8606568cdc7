// Who is signed in. The access token lives in this module's memory only; the refresh token in a cookie that no script
// can read. Tabs take turns to refresh, because the cookie rotates and its reuse ends the session.

import { ApiError } from "./errors";

export type Role = "VIEWER" | "MANAGER" | "ADMIN";

export interface Operator {
  id: string;
  email: string;
  name: string;
  role: Role;
}

/** `unknown` until the first refresh was answered; `ended`: it was over, without anybody signing out. */
export type SessionState =
  | { phase: "unknown" }
  | { phase: "out"; ended: boolean }
  | { phase: "in"; operator: Operator };

interface Welcome {
  access_token: string;
  /** Seconds. */
  expires_in: number;
  operator: Operator;
}

interface Refusal {
  code?: string;
  message?: string;
  request_id?: string;
  errors?: { field: string; message: string }[];
}

/** Before its end, so that no request meets a token that ends on the way. */
const EARLY_SECONDS = 60;
const RACE_WAIT_MILLIS = 300;
const RACE_TRIES = 4;

let state: SessionState = { phase: "unknown" };
let bearer: { token: string; goodUntil: number } | null = null;
let refreshing: Promise<boolean> | null = null;
const listeners = new Set<() => void>();
const otherTabs = new BroadcastChannel("roundtrip.session");

otherTabs.onmessage = (message) => {
  if (message.data === "signed-out" && state.phase === "in") forget(false);
};

export function sessionState(): SessionState {
  return state;
}

export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export async function signIn(email: string, password: string): Promise<void> {
  keep(await post<Welcome>("/api/session", { email, password }));
}

/** Makes the first administrator, with the code that the server printed. */
export async function setUp(first: { code: string; email: string; name: string; password: string }): Promise<void> {
  keep(await post<Welcome>("/api/setup", first));
}

/** Sets the password of somebody who was invited, with the code of their link. */
export async function acceptInvitation(first: { code: string; password: string }): Promise<void> {
  keep(await post<Welcome>("/api/invite", first));
}

/** Has nobody been set up yet? Then the way in is the printed code. */
export async function isFirstRun(): Promise<boolean> {
  const answer = await told<{ setup_complete: boolean }>("/api/setup", { method: "GET" });
  return !answer.setup_complete;
}

/** Whoever is signed in changed their own name, or was changed. */
export function renamed(name: string): void {
  if (state.phase !== "in") return;
  state = { phase: "in", operator: { ...state.operator, name } };
  for (const listener of listeners) listener();
}

export async function signOut(): Promise<void> {
  const headers: Record<string, string> = bearer ? { authorization: `Bearer ${bearer.token}` } : {};
  forget(false);
  otherTabs.postMessage("signed-out");
  await send("/api/session", { method: "DELETE", headers });
}

/** A token that is good for the next minute; `null` when nobody is signed in. */
export async function accessToken(): Promise<string | null> {
  if (bearer && Date.now() < bearer.goodUntil) return bearer.token;
  return (await refresh()) ? (bearer?.token ?? null) : null;
}

/** The server did not believe this token: the next request asks for another one. */
export function distrust(token: string): void {
  if (bearer?.token === token) bearer = null;
}

/** False when the session is over. Throws when the server cannot be asked. */
export function refresh(): Promise<boolean> {
  refreshing ??= takeTurns(renew).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

/** Locks need a secure context: over plain HTTP a race between tabs is left to `refresh_race`. */
function takeTurns(work: () => Promise<boolean>): Promise<boolean> {
  return "locks" in navigator ? navigator.locks.request("roundtrip.refresh", work) : work();
}

async function renew(): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      keep(await post<Welcome>("/api/session/refresh", null));
      return true;
    } catch (error) {
      const reason = error instanceof ApiError ? error.details.reason : undefined;
      if (reason === "not_signed_in" || reason === "session_ended") {
        forget(state.phase === "in" || reason === "session_ended");
        return false;
      }
      if (reason !== "refresh_race" || attempt === RACE_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, RACE_WAIT_MILLIS));
    }
  }
}

function keep(welcome: Welcome): void {
  const seconds = Math.max(welcome.expires_in - EARLY_SECONDS, 5);
  bearer = { token: welcome.access_token, goodUntil: Date.now() + seconds * 1000 };
  state = { phase: "in", operator: welcome.operator };
  for (const listener of listeners) listener();
}

function forget(ended: boolean): void {
  bearer = null;
  state = { phase: "out", ended };
  for (const listener of listeners) listener();
}

function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { "content-type": "application/json" };
  return told<T>(path, body === null ? { method: "POST" } : { method: "POST", headers, body: JSON.stringify(body) });
}

async function told<T>(path: string, init: RequestInit): Promise<T> {
  const response = await send(path, init);
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && body !== null) return body as T;
  const refusal = (body ?? {}) as Refusal;
  const wait = Number(response.headers.get("retry-after"));
  throw new ApiError("SESSION", refusal.message ?? `The server answered ${response.status}`, {
    reason: refusal.code,
    requestId: refusal.request_id,
    fields: refusal.errors,
    retryAfterSeconds: Number.isFinite(wait) && wait > 0 ? wait : undefined,
  });
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { ...init, credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new ApiError("OFFLINE", "The server cannot be reached");
  }
}
