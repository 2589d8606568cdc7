// Tabs whose choice is the page's own (it keeps it in the URL). Arrow keys move between them.

import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";

interface Props<T extends string> {
  label: string;
  value: T;
  tabs: readonly (readonly [T, string])[];
  onChange: (tab: T) => void;
  /** What the chosen tab shows. */
  children: ReactNode;
}

export function Tabs<T extends string>({ label, value, tabs, onChange, children }: Props<T>) {
  return (
    <Radix.Root value={value} onValueChange={(tab) => onChange(tab as T)}>
      <Radix.List
        aria-label={label}
        className="flex gap-1 overflow-x-auto border-b border-line [scrollbar-width:none]"
      >
        {tabs.map(([tab, text]) => (
          <Radix.Trigger
            key={tab}
            value={tab}
            className={
              "-mb-px border-b-2 border-transparent px-3 py-2 text-sm font-medium whitespace-nowrap text-soft " +
              "hover:text-ink focus-visible:-outline-offset-2 data-[state=active]:border-accent data-[state=active]:text-ink"
            }
          >
            {text}
          </Radix.Trigger>
        ))}
      </Radix.List>
      <Radix.Content value={value} tabIndex={-1} className="pt-4 outline-none">
        {children}
      </Radix.Content>
    </Radix.Root>
  );
}
