// Keys that do things: each page registers its own while it is there, `?` lists them all. They keep out of the way of
// whoever types, of assistive keys with modifiers, and can be switched off (WCAG 2.1.4).

import { lazy, Suspense, useEffect, useRef, useState, useSyncExternalStore } from "react";

import { recall, remember } from "@/app/storage";

const ShortcutList = lazy(() => import("./shortcut-list").then(({ ShortcutList }) => ({ default: ShortcutList })));

export interface Shortcut {
  /** As `KeyboardEvent.key` says it, in lower case. */
  key: string;
  /** What it does. */
  text: string;
  run: () => void;
}

const KEY = "shortcuts";
const registered = new Map<symbol, { current: Shortcut[] }>();
const listeners = new Set<() => void>();

function enabled(): boolean {
  return recall(KEY) !== "off";
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !enabled()) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  // The newest first: what is opened above a page goes before it.
  for (const { current } of [...registered.values()].reverse()) {
    const found = current.find((shortcut) => shortcut.key === key);
    if (found) {
      event.preventDefault();
      found.run();
      return;
    }
  }
});

/** Registers shortcuts for as long as the caller is rendered. */
export function useShortcuts(shortcuts: Shortcut[]): void {
  const newest = useRef(shortcuts);
  newest.current = shortcuts;
  useEffect(() => {
    const id = Symbol();
    registered.set(id, newest);
    return () => {
      registered.delete(id);
    };
  }, []);
}

/** What a key does now; where two want the same one, the newer. */
export function shortcutsNow(): Shortcut[] {
  const all = [...registered.values()].flatMap(({ current }) => current);
  return [...new Map(all.map((one) => [one.key, one])).values()];
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Are they switched on? */
export function useEnabled(): [boolean, (on: boolean) => void] {
  const on = useSyncExternalStore(subscribe, enabled);
  return [
    on,
    (next) => {
      remember(KEY, next ? null : "off");
      for (const listener of listeners) listener();
    },
  ];
}

/** `?`: everything that a key does on this page. Once, in the shell. */
export function ShortcutHelp() {
  const [isOpen, setOpen] = useState(false);
  useShortcuts([{ key: "?", text: "Show this list", run: () => setOpen(true) }]);
  return isOpen ? (
    <Suspense>
      <ShortcutList onClose={() => setOpen(false)} />
    </Suspense>
  ) : null;
}
