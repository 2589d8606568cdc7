// A button whose popup is loaded when somebody is about to use it: most people open few of the menus on a page, and
// nobody should wait for them before the page is there.

import { cloneElement, type ReactElement, type ReactNode, Suspense, useState } from "react";

interface Props {
  trigger: ReactElement<Record<string, unknown>>;
  /** What it is for assistive technology. */
  kind: "menu" | "dialog";
  /** Loads the code of the popup. */
  load: () => Promise<unknown>;
  /** The trigger with its popup, open at first. */
  children: ReactNode;
}

export function Armed({ trigger, kind, load, children }: Props) {
  const [isAsked, setAsked] = useState(false);
  const prepare = () => void load();
  const button = cloneElement(trigger, {
    "aria-haspopup": kind,
    "aria-expanded": false,
    onPointerEnter: prepare,
    onFocus: prepare,
    onClick: () => setAsked(true),
  });
  return isAsked ? <Suspense fallback={button}>{children}</Suspense> : button;
}
