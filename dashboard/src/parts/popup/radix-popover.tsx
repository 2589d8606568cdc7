// The panel of a `Popup`. Only `popup.tsx` loads it.

import { Popover } from "radix-ui";
import { useState } from "react";

import { usePopupHome } from "../dialog";
import type { PopupProps } from "./popup";

export default function RadixPopover({ label, trigger, align = "start", className = "", children }: PopupProps) {
  const home = usePopupHome();
  const [isOpen, setOpen] = useState(true);
  return (
    <Popover.Root open={isOpen} onOpenChange={setOpen}>
      <Popover.Trigger asChild>{trigger}</Popover.Trigger>
      <Popover.Portal container={home}>
        <Popover.Content
          align={align}
          sideOffset={6}
          collisionPadding={8}
          aria-label={label}
          className={`z-40 max-h-96 overflow-y-auto rounded-lg border border-line bg-surface p-2 shadow-over animate-rise ${className}`}
        >
          {children(() => setOpen(false))}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
