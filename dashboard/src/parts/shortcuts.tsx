// Keys that do things: each page registers its own while it is there, `?` lists them all. They keep out of the way of
// whoever types, of assistive keys with modifiers, and can be switched off (WCAG 2.1.4).

import { useEffect, useRef, useState, useSyncExternalStore } from "react";

import { recall, remember } from "@/app/storage";
import { Dialog } from "./dialog";
import { Switch } from "./field";

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

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function useEnabled(): [boolean, (on: boolean) => void] {
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
  return isOpen ? <Help onClose={() => setOpen(false)} /> : null;
}

function Help({ onClose }: { onClose: () => void }) {
  const [isOn, setOn] = useEnabled();
  const all = [...registered.values()].flatMap(({ current }) => current);
  const shown = [...new Map(all.map((one) => [one.key, one])).values()];
  return (
    <Dialog title="Keyboard shortcuts" size="small" onClose={onClose}>
      <div className="grid gap-4">
        <table className="w-full text-sm">
          <tbody>
            <Row keys="Ctrl K" text="Search everything" />
            {shown.map((one) => (
              <Row key={one.key} keys={one.key.length === 1 ? one.key.toUpperCase() : one.key} text={one.text} />
            ))}
          </tbody>
        </table>
        <Switch
          label="Single keys do things"
          hint="Switch off if they get in the way of your browser or a screen reader. Ctrl K stays."
          checked={isOn}
          onChange={setOn}
        />
      </div>
    </Dialog>
  );
}

function Row({ keys, text }: { keys: string; text: string }) {
  return (
    <tr className="border-b border-line last:border-0">
      <td className="py-1.5">{text}</td>
      <td className="py-1.5 text-right">
        <kbd className="mono rounded border border-line-strong bg-sunken px-1.5 py-0.5">{keys}</kbd>
      </td>
    </tr>
  );
}
