// What a row holds, beside its list. Not modal: on a wide screen the list stays usable (J and K move on). The page keeps
// in the URL which one is open, so "back" closes it and a link opens it.

import { X } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef } from "react";

import { IconButton } from "./button";

/** Where it is as wide as the screen. */
const NARROW = "(max-width: 40rem)";

interface Props {
  title: ReactNode;
  /** Another one: the focus goes to the top again. */
  subject: string;
  onClose: () => void;
  children: ReactNode;
}

export function Drawer({ title, subject, onClose, children }: Props) {
  const frame = useRef<HTMLElement>(null);
  const heading = useId();
  const close = useRef(onClose);
  close.current = onClose;

  useEffect(() => {
    const before = document.activeElement;
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);

  useEffect(() => {
    frame.current?.focus();
  }, [subject]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // A menu or a dialog above it takes the key first.
      const above = document.querySelector("dialog[open], [role='menu'], [role='listbox']");
      if (event.key === "Escape" && !event.defaultPrevented && !above) close.current();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  return (
    <aside
      ref={frame}
      tabIndex={-1}
      aria-labelledby={heading}
      onBlur={({ relatedTarget, currentTarget }) => {
        // On a narrow screen it covers the list: what is behind it must not get the focus.
        const isBehind = relatedTarget instanceof Element && relatedTarget.closest("#main") && !currentTarget.contains(relatedTarget);
        if (isBehind && matchMedia(NARROW).matches) currentTarget.focus();
      }}
      className={
        "fixed inset-y-0 right-0 z-30 flex w-full max-w-xl flex-col border-l border-line bg-surface shadow-over " +
        "outline-none animate-slide-in"
      }
    >
      <header className="flex items-center justify-between gap-4 border-b border-line px-5 py-3.5">
        <h2 id={heading} className="min-w-0 truncate text-lg font-semibold">
          {title}
        </h2>
        <IconButton label="Close" onClick={onClose}>
          <X aria-hidden />
        </IconButton>
      </header>
      <div className="grow overflow-y-auto px-5 py-4">{children}</div>
    </aside>
  );
}
