// A file behind the bearer: read whole, then handed to the browser under its name.

import { ApiError } from "./errors";
import { accessToken } from "./session";

export async function download(url: string, name: string): Promise<void> {
  const token = await accessToken();
  if (token === null) throw new ApiError("UNAUTHENTICATED", "The session is over: sign in again");
  const response = await ask(new URL(url, location.origin).pathname, token);
  if (!response.ok) {
    const body = (await response.json().catch(() => null)) as { message?: string; request_id?: string } | null;
    throw new ApiError("UNREADABLE", body?.message ?? `The server answered ${response.status}`, { requestId: body?.request_id });
  }
  const file = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = file;
  link.download = name;
  link.click();
  URL.revokeObjectURL(file);
}

async function ask(path: string, token: string): Promise<Response> {
  try {
    return await fetch(path, { headers: { authorization: `Bearer ${token}` }, credentials: "omit", cache: "no-store" });
  } catch {
    throw new ApiError("OFFLINE", "The server cannot be reached");
  }
}
