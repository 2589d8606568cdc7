// What a page says when it has nothing to show, or not yet, or not to this person. A sentence, a reason, one way on.

import { CircleAlert, CircleCheck, Info, Lock, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

import { sentence } from "@/api/change";
import type { ApiError } from "@/api/errors";
import { Button } from "./button";

export type Tone = "plain" | "accent" | "good" | "warn" | "bad";

const TONES: Record<Tone, { className: string; Icon: typeof Info }> = {
  plain: { className: "border-line bg-sunken text-soft", Icon: Info },
  accent: { className: "border-accent/30 bg-accent-soft text-accent-ink", Icon: Info },
  good: { className: "border-good/30 bg-good-soft text-good", Icon: CircleCheck },
  warn: { className: "border-warn/30 bg-warn-soft text-warn", Icon: TriangleAlert },
  bad: { className: "border-bad/30 bg-bad-soft text-bad", Icon: CircleAlert },
};

/** A sentence that stands in the page. */
export function Notice({ tone = "plain", role, children }: { tone?: Tone; role?: "alert" | "status"; children: ReactNode }) {
  const { className, Icon } = TONES[tone];
  return (
    <div role={role} className={`flex items-start gap-2.5 rounded-md border px-3 py-2 text-sm ${className}`}>
      <Icon aria-hidden className="mt-0.5 size-4 shrink-0" />
      <div className="min-w-0 grow break-words">{children}</div>
    </div>
  );
}

/** Nothing here yet (with what it is, and the one action), or nothing that matches (with the way back). */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="mx-auto grid max-w-xl grid-cols-[minmax(0,1fr)] justify-items-center gap-2 px-4 py-12 text-center">
      <p className="text-base font-semibold">{title}</p>
      {children && <div className="max-w-full text-sm text-soft">{children}</div>}
      {action && <div className="pt-2">{action}</div>}
    </div>
  );
}

/** A request that failed: the sentence, what finds it in the log, and again. A role that is too small reads as such. */
export function Failed({ error, onRetry }: { error: ApiError; onRetry?: () => void }) {
  if (error.code === "FORBIDDEN") return <Forbidden role={error.details.requiredRole} />;
  return (
    <div role="alert" className="mx-auto grid max-w-xl justify-items-center gap-2 px-4 py-10 text-center">
      <CircleAlert aria-hidden className="size-6 text-bad" />
      <p className="text-base font-semibold">This could not be loaded</p>
      <p className="text-sm text-soft">{sentence(error)}</p>
      {onRetry && (
        <Button onClick={onRetry} className="mt-2">
          Try again
        </Button>
      )}
    </div>
  );
}

export function Forbidden({ role = "ADMIN" }: { role?: string }) {
  return (
    <div className="mx-auto grid max-w-xl justify-items-center gap-2 px-4 py-12 text-center">
      <Lock aria-hidden className="size-6 text-faint" />
      <p className="text-base font-semibold">This needs the role {role}</p>
      <p className="text-sm text-soft">An administrator can give it to you under Settings, Operators.</p>
    </div>
  );
}

/** Above data that is there but may be old, because the newest try failed. */
export function StaleNotice({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  return (
    <Notice tone="warn" role="status">
      <span>What you see may be out of date: {sentence(error)} </span>
      <button type="button" onClick={onRetry} className="font-medium underline">
        Try again
      </button>
    </Notice>
  );
}

/** Lines in the place of text that loads. */
export function Skeleton({ lines = 3, className = "" }: { lines?: number; className?: string }) {
  return (
    <div aria-hidden className={`grid gap-2.5 ${className}`}>
      {Array.from({ length: lines }, (_, line) => (
        <div key={line} className={`skeleton h-4 ${line % 3 === 2 ? "w-2/5" : line % 2 ? "w-3/5" : "w-4/5"}`} />
      ))}
    </div>
  );
}

/** The states of something that is read as a whole: loading, failed, forbidden, stale, there. */
export function Loaded<T>({
  query,
  skeleton = <Skeleton lines={4} />,
  children,
}: {
  query: { data: T | undefined; error: ApiError | null; retry: () => void };
  skeleton?: ReactNode;
  children: (data: T) => ReactNode;
}) {
  const { data, error, retry } = query;
  if (data === undefined) {
    if (error) return <Failed error={error} onRetry={retry} />;
    return (
      <div role="status">
        <span className="sr-only">Loading</span>
        {skeleton}
      </div>
    );
  }
  return (
    <>
      {error && <StaleNotice error={error} onRetry={retry} />}
      {children(data)}
    </>
  );
}
