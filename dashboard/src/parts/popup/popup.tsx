// A button that opens a small panel beside it: filters, choices, searches.

import { lazy, type ReactElement, type ReactNode } from "react";

import { Armed } from "./armed";

const load = () => import("./radix-popover");
const RadixPopover = lazy(load);

export interface PopupProps {
  /** What is in the panel, for assistive technology. */
  label: string;
  trigger: ReactElement<Record<string, unknown>>;
  align?: "start" | "end";
  className?: string;
  /** `close` shuts the panel. */
  children: (close: () => void) => ReactNode;
}

export function Popup(props: PopupProps) {
  return (
    <Armed trigger={props.trigger} kind="dialog" load={load}>
      <RadixPopover {...props} />
    </Armed>
  );
}
