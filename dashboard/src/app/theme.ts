// Light, dark, or as the system is. `public/theme.js` sets the same attribute before the first paint.

import { useSyncExternalStore } from "react";

import { recall, remember } from "./storage";

export type ThemeChoice = "system" | "light" | "dark";

const KEY = "theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function choice(): ThemeChoice {
  const kept = recall(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

function apply(): void {
  const chosen = choice();
  const dark = chosen === "dark" || (chosen === "system" && system.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  for (const listener of listeners) listener();
}

system.addEventListener("change", apply);
// Another tab chose.
addEventListener("storage", apply);
apply();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): { choice: ThemeChoice; isDark: boolean; choose: (next: ThemeChoice) => void } {
  const chosen = useSyncExternalStore(subscribe, choice);
  const isDark = useSyncExternalStore(subscribe, () => document.documentElement.dataset.theme === "dark");
  const choose = (next: ThemeChoice) => {
    remember(KEY, next === "system" ? null : next);
    apply();
  };
  return { choice: chosen, isDark, choose };
}
