// What was just done, in a corner, with Undo where it can be undone. Stays while the pointer or the focus is on it.

import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useEffect, useState, useSyncExternalStore } from "react";

import { Button, IconButton } from "./button";

interface Toast {
  id: number;
  text: string;
  tone: "good" | "bad";
  undo?: () => void;
}

const SHOWN_MILLIS = 6_000;
/** Time to read, to decide, and to reach for it. */
const WITH_UNDO_MILLIS = 12_000;
const SHOWN_MAX = 3;

let toasts: Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function change(next: Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

export function toast(text: string, options: { tone?: "good" | "bad"; undo?: () => void } = {}): void {
  lastId += 1;
  change([...toasts, { id: lastId, text, tone: options.tone ?? "good", undo: options.undo }].slice(-SHOWN_MAX));
}

function dismiss(id: number): void {
  change(toasts.filter((one) => one.id !== id));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Once, in the shell: a live region that is always there, or nothing would be read out. */
export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div
      role="status"
      data-print="hide"
      className="pointer-events-none fixed inset-x-4 bottom-4 z-50 grid justify-items-center gap-2 sm:left-auto sm:right-6 sm:bottom-6 sm:justify-items-end"
    >
      {shown.map((one) => (
        <ToastCard key={one.id} toast={one} />
      ))}
    </div>
  );
}

function ToastCard({ toast: { id, text, tone, undo } }: { toast: Toast }) {
  const [isHeld, setHeld] = useState(false);
  useEffect(() => {
    if (isHeld) return;
    const timer = setTimeout(() => dismiss(id), undo ? WITH_UNDO_MILLIS : SHOWN_MILLIS);
    return () => clearTimeout(timer);
  }, [id, undo, isHeld]);
  const Icon = tone === "good" ? CircleCheck : CircleAlert;
  return (
    <div
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
      className="pointer-events-auto flex max-w-md items-center gap-3 rounded-lg border border-line bg-surface py-2 pr-2 pl-3.5 text-sm shadow-over animate-rise"
    >
      <Icon aria-hidden className={`size-4 shrink-0 ${tone === "good" ? "text-good" : "text-bad"}`} />
      <span className="min-w-0 break-words">{text}</span>
      {undo && (
        <Button
          size="small"
          onClick={() => {
            dismiss(id);
            undo();
          }}
        >
          Undo
        </Button>
      )}
      <IconButton label="Dismiss" onClick={() => dismiss(id)}>
        <X aria-hidden />
      </IconButton>
    </div>
  );
}
