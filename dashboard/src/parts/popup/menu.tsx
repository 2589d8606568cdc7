// A button that opens a short list of actions.

import { lazy, type ReactElement, type ReactNode } from "react";

import { Armed } from "./armed";

export interface MenuItem {
  text: string;
  icon?: ReactNode;
  onSelect: () => void;
  /** It hurts. */
  isDanger?: boolean;
  isDisabled?: boolean;
}

const load = () => import("./radix-menu");
const RadixMenu = lazy(load);

interface Props {
  /** The button. */
  trigger: ReactElement<Record<string, unknown>>;
  /** False entries are left out, so that a page can say `mayEdit && {…}`. */
  items: (MenuItem | false)[];
}

export function Menu({ trigger, items }: Props) {
  return (
    <Armed trigger={trigger} kind="menu" load={load}>
      <RadixMenu trigger={trigger} items={items.filter((item) => item !== false)} />
    </Armed>
  );
}
