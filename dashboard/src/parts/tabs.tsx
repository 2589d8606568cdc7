// Tabs whose choice is the page's own (it keeps it in the URL). As the ARIA practices describe them: arrows, Home and End
// move, and what has the focus is chosen.

import { type KeyboardEvent, type ReactNode, useId, useLayoutEffect, useRef } from "react";

interface Props<T extends string> {
  label: string;
  value: T;
  tabs: readonly (readonly [T, string])[];
  onChange: (tab: T) => void;
  /** What the chosen tab shows. */
  children: ReactNode;
}

export function Tabs<T extends string>({ label, value, tabs, onChange, children }: Props<T>) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    // Where they have no room side by side, the chosen one is in sight; the page itself stays where it is.
    const chosen = list.current?.querySelector<HTMLElement>("[aria-selected=true]");
    if (list.current && chosen) list.current.scrollLeft = chosen.offsetLeft - (list.current.clientWidth - chosen.offsetWidth) / 2;
  }, [value]);
  const move = (event: KeyboardEvent) => {
    const at = tabs.findIndex(([tab]) => tab === value);
    const steps: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 };
    const to = (steps[event.key] ?? Number.NaN) % tabs.length;
    const next = tabs[to];
    if (!next) return;
    event.preventDefault();
    onChange(next[0]);
    list.current?.querySelectorAll("button")[to]?.focus();
  };
  return (
    <div>
      <div ref={list} role="tablist" aria-label={label} onKeyDown={move} className="relative flex gap-1 overflow-x-auto border-b border-line [scrollbar-width:none]">
        {tabs.map(([tab, text]) => (
          <button
            key={tab}
            type="button"
            role="tab"
            id={`${id}-${tab}`}
            aria-selected={tab === value}
            aria-controls={`${id}-panel`}
            tabIndex={tab === value ? 0 : -1}
            onClick={() => onChange(tab)}
            className={
              "-mb-px border-b-2 px-3 py-2 text-sm font-medium whitespace-nowrap hover:text-ink focus-visible:-outline-offset-2 " +
              (tab === value ? "border-accent text-ink" : "border-transparent text-soft")
            }
          >
            {text}
          </button>
        ))}
      </div>
      <div id={`${id}-panel`} role="tabpanel" aria-labelledby={`${id}-${value}`} tabIndex={-1} className="pt-4 outline-none">
        {children}
      </div>
    </div>
  );
}
