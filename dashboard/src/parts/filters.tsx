// The bar above a list. It holds no state: the page keeps every filter in its URL and hands it down, so that a link, a
// reload and "back" show the same list.

import { Check, ListFilter, Search, X } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";

import { Button } from "./button";
import { CONTROL } from "./field";
import { Popup } from "./popup/popup";
import { useShortcuts } from "./shortcuts";

const PAUSE_MILLIS = 250;

/** A search box that waits until typing pauses. `/` goes to it. */
export function SearchBox({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) {
  const [text, setText] = useState(value);
  const box = useRef<HTMLInputElement>(null);
  const send = useRef(onChange);
  send.current = onChange;
  useShortcuts([{ key: "/", text: "Search this list", run: () => box.current?.focus() }]);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => send.current(text), PAUSE_MILLIS);
    return () => clearTimeout(timer);
  }, [text, value]);
  return (
    <div className="relative min-w-0 grow basis-48 sm:max-w-60">
      <Search aria-hidden className="pointer-events-none absolute top-1/2 left-2.5 size-4 -translate-y-1/2 text-faint" />
      <input
        ref={box}
        type="search"
        aria-label={label}
        placeholder={label}
        value={text}
        onChange={(event) => setText(event.target.value)}
        className={`${CONTROL} h-8 pl-8 text-sm`}
      />
    </div>
  );
}

/** Any of some values; none chosen means all. */
export function FilterMany<T extends string>({
  label,
  options,
  chosen,
  onChange,
}: {
  label: string;
  options: readonly (readonly [T, string])[];
  chosen: readonly T[];
  onChange: (chosen: T[]) => void;
}) {
  const words = options.filter(([value]) => chosen.includes(value)).map(([, text]) => text);
  return (
    <FilterPopup label={label} shown={words.join(", ")} onClear={() => onChange([])}>
      {options.map(([value, text]) => {
        const isOn = chosen.includes(value);
        return (
          <label key={value} className="flex items-center gap-2.5 rounded px-2 py-1.5 text-sm hover:bg-hover">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={isOn}
              onChange={() => onChange(isOn ? chosen.filter((one) => one !== value) : [...chosen, value])}
            />
            {text}
          </label>
        );
      })}
    </FilterPopup>
  );
}

/** The button of one filter, with what is chosen, and whatever it opens. */
export function FilterPopup({
  label,
  shown,
  onClear,
  children,
}: {
  label: string;
  /** What is chosen, in words; empty where nothing is. */
  shown: string;
  onClear: () => void;
  children: ReactNode;
}) {
  return (
    <div className="inline-flex items-center">
      <Popup
        label={label}
        className="max-w-80 min-w-52"
        trigger={
          <Button
            size="small"
            className={`h-8 max-w-64 ${shown ? "rounded-r-none border-accent/50! bg-accent-soft! text-accent-ink!" : ""}`}
          >
            {shown ? <Check aria-hidden /> : <ListFilter aria-hidden />}
            <span className="truncate">{shown ? `${label}: ${shown}` : label}</span>
          </Button>
        }
      >
        {() => children}
      </Popup>
      {shown && (
        <Button
          size="small"
          aria-label={`Clear ${label}`}
          title={`Clear ${label}`}
          onClick={onClear}
          className="h-8 rounded-l-none border-l-0 border-accent/50! bg-accent-soft! px-1.5 text-accent-ink!"
        >
          <X aria-hidden />
        </Button>
      )}
    </div>
  );
}
