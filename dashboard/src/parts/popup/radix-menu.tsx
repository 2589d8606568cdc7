// The list of a `Menu`. Only `menu.tsx` loads it.

import { DropdownMenu } from "radix-ui";
import type { ReactElement } from "react";

import { usePopupHome } from "../dialog";
import type { MenuItem } from "./menu";

export default function RadixMenu({ trigger, items }: { trigger: ReactElement; items: MenuItem[] }) {
  const home = usePopupHome();
  return (
    <DropdownMenu.Root modal={false} defaultOpen>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal container={home}>
        <DropdownMenu.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          className="z-40 min-w-44 rounded-lg border border-line bg-surface p-1 shadow-over animate-rise"
        >
          {items.map((item) => (
            <DropdownMenu.Item
              key={item.text}
              disabled={item.isDisabled}
              onSelect={item.onSelect}
              className={
                "flex cursor-pointer items-center gap-2 rounded px-2.5 py-1.5 text-sm outline-none " +
                "data-highlighted:bg-hover data-disabled:text-faint [&_svg]:size-4 " +
                (item.isDanger ? "text-bad" : "text-ink")
              }
            >
              {item.icon}
              {item.text}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
