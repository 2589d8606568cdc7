// A modal dialog: the browser's own `<dialog>`, which keeps the focus inside and closes on Escape. What pops up inside
// it (a menu, a list) must live in it too, because everything outside is inert: hence `usePopupHome`.

import { X } from "lucide-react";
import { createContext, type ReactNode, useContext, useEffect, useId, useRef, useState } from "react";

import { IconButton } from "./button";

const PopupHome = createContext<HTMLElement | null>(null);

/** Where menus and lists are to be put; null is the page. */
export function usePopupHome(): HTMLElement | null {
  return useContext(PopupHome);
}

interface Props {
  title: string;
  onClose: () => void;
  size?: "small" | "normal" | "wide";
  children: ReactNode;
}

const WIDTHS = { small: "max-w-md", normal: "max-w-xl", wide: "max-w-3xl" };

/** Open while it is rendered. */
export function Dialog({ title, onClose, size = "normal", children }: Props) {
  const frame = useRef<HTMLDialogElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const [home, setHome] = useState<HTMLElement | null>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = frame.current;
    dialog?.showModal();
    // The first thing to fill in, else the first to press; the browser would take the button that closes.
    const first = body.current?.querySelector<HTMLElement>("input, select, textarea") ?? body.current?.querySelector<HTMLElement>("button");
    first?.focus();
    setHome(dialog);
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={frame}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      className={
        "m-auto max-h-[min(46rem,calc(100dvh-2rem))] w-[calc(100vw-2rem)] flex-col overflow-hidden rounded-xl border " +
        `border-line bg-surface shadow-over open:flex animate-rise ${WIDTHS[size]}`
      }
    >
      <header className="flex items-center justify-between gap-4 border-b border-line px-5 py-3.5">
        <h2 id={heading} className="text-lg font-semibold">
          {title}
        </h2>
        <IconButton label="Close" onClick={onClose}>
          <X aria-hidden />
        </IconButton>
      </header>
      <div ref={body} className="overflow-y-auto px-5 py-4">
        <PopupHome value={home}>{children}</PopupHome>
      </div>
    </dialog>
  );
}
