// Stands before every page: goes to the sign-in page when the session ends, and says so when the server is away.

import { useRouter } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";

import { asApiError } from "@/api/errors";
import { queryClient } from "@/api/query";
import { refresh } from "@/api/session";
import { Failed } from "@/parts/states";
import { useSession } from "./session";

const OUTSIDE = ["/sign-in", "/setup", "/invite"];

export function SessionGate({ children }: { children: ReactNode }) {
  const session = useSession();
  const router = useRouter();
  const [failure, setFailure] = useState<unknown>(null);
  const isOutside = OUTSIDE.includes(router.state.location.pathname);

  useEffect(() => {
    if (session.phase !== "out" || OUTSIDE.includes(router.state.location.pathname)) return;
    queryClient.clear();
    void router.navigate({ to: "/sign-in", search: { next: router.state.location.href } });
  }, [session.phase, router]);

  useEffect(() => {
    if (session.phase === "unknown") refresh().catch(setFailure);
    else setFailure(null);
  }, [session.phase]);

  if (session.phase === "unknown" && !isOutside) {
    if (failure === null) return null;
    const retry = () => {
      setFailure(null);
      refresh().catch(setFailure);
    };
    return <Failed error={asApiError(failure)} onRetry={retry} />;
  }
  return children;
}
