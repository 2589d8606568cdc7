// Who is signed in, for components, and what they may do. The server decides; this only keeps buttons away that would
// be refused.

import { useSyncExternalStore } from "react";

import { onSessionChange, type Operator, type Role, type SessionState, sessionState } from "@/api/session";

const ORDER: readonly Role[] = ["VIEWER", "MANAGER", "ADMIN"];

export function useSession(): SessionState {
  return useSyncExternalStore(onSessionChange, sessionState);
}

export function useOperator(): Operator | null {
  const session = useSession();
  return session.phase === "in" ? session.operator : null;
}

/** May the signed-in person do what needs this role? */
export function useMay(needed: Role): boolean {
  const operator = useOperator();
  return operator !== null && ORDER.indexOf(operator.role) >= ORDER.indexOf(needed);
}
