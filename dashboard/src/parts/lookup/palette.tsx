// Ctrl K: every page, every offer and partner by name or number, and a conversion by any id that somebody was sent.

import { useNavigate } from "@tanstack/react-router";
import { ArrowRight, CornerDownLeft, Search } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";

import { LookupConversionsDocument, LookupEverythingDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useDelayed } from "../delayed";

export interface Destination {
  key: string;
  /** What it is: "Page", "Offer", … */
  kind: string;
  text: string;
  detail?: string;
  to: string;
}

interface Props {
  pages: Destination[];
  onClose: () => void;
}

/** Shorter texts are no id of anything. */
const ID_LENGTH_MIN = 8;

export function Palette({ pages, onClose }: Props) {
  const frame = useRef<HTMLDialogElement>(null);
  const list = useId();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const { found, isLoading } = useDestinations(pages, text.trim());
  const at = Math.min(active, found.length - 1);

  useEffect(() => {
    const dialog = frame.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);

  const go = (destination: Destination) => {
    onClose();
    void navigate({ to: destination.to });
  };

  return (
    <dialog
      ref={frame}
      aria-label="Search everything"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === frame.current) onClose();
      }}
      className="mx-auto mt-[12dvh] w-[calc(100vw-2rem)] max-w-xl overflow-hidden rounded-xl border border-line bg-surface shadow-over animate-rise"
    >
      <div className="flex items-center gap-2.5 border-b border-line px-4">
        <Search aria-hidden className="size-4 shrink-0 text-faint" />
        <input
          role="combobox"
          aria-label="Search pages, offers, partners, or paste a transaction id"
          aria-expanded
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={found[at] ? `${list}-${at}` : undefined}
          autoComplete="off"
          autoFocus
          placeholder="Search, or paste a transaction id"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setActive(0);
          }}
          onKeyDown={(event) => {
            const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
            if (step !== 0) {
              event.preventDefault();
              setActive(Math.min(Math.max(at + step, 0), found.length - 1));
            }
            if (event.key === "Enter" && found[at]) {
              event.preventDefault();
              go(found[at]);
            }
          }}
          className="h-12 grow bg-transparent text-base outline-none placeholder:text-faint"
        />
      </div>
      <ul id={list} role="listbox" aria-label="Found" className="max-h-[50dvh] overflow-y-auto p-2">
        {found.map((one, index) => (
          <li
            key={one.key}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === at}
            onPointerMove={() => setActive(index)}
            onClick={() => go(one)}
            className={`flex cursor-pointer items-center gap-3 rounded-md px-2.5 py-2 text-sm ${index === at ? "bg-hover" : ""}`}
          >
            <span className="w-20 shrink-0 text-xs text-faint">{one.kind}</span>
            <span className="min-w-0 grow truncate">
              {one.text} {one.detail && <span className="text-faint">{one.detail}</span>}
            </span>
            {index === at ? <CornerDownLeft aria-hidden className="size-4 text-faint" /> : <ArrowRight aria-hidden className="size-4 text-transparent" />}
          </li>
        ))}
      </ul>
      <p role="status" className="border-t border-line px-4 py-2 text-xs text-faint">
        {isLoading ? "Searching…" : found.length === 0 ? "Nothing is called so, and no conversion has this id." : `${found.length} found`}
      </p>
    </dialog>
  );
}

function useDestinations(pages: Destination[], text: string): { found: Destination[]; isLoading: boolean } {
  const search = useDelayed(text);
  const isAsked = search.length > 0;
  const isId = search.length >= ID_LENGTH_MIN && !/\s/.test(search);
  const things = useApi(LookupEverythingDocument, { search }, { enabled: isAsked });
  const conversions = useApi(LookupConversionsDocument, { search }, { enabled: isId });
  const word = text.toLowerCase();
  const found = pages.filter((page) => page.text.toLowerCase().includes(word));
  if (isAsked && things.data) {
    const { offers, publishers, advertisers } = things.data;
    found.push(
      ...offers.nodes.map((one) => destination("Offer", one, `/offers/${one.id}`)),
      ...publishers.nodes.map((one) => destination("Publisher", one, `/publishers?open=${one.id}`)),
      ...advertisers.nodes.map((one) => destination("Advertiser", one, `/advertisers?open=${one.id}`)),
    );
  }
  if (isId && conversions.data) {
    for (const { id, transactionId, offer } of conversions.data.conversions.nodes) {
      found.unshift({ key: id, kind: "Conversion", text: offer.name, detail: transactionId, to: `/conversions?conversion=${id}` });
    }
  }
  const isLoading = search !== text || (isAsked && !things.data && !things.error);
  return { found, isLoading };
}

function destination(kind: string, one: { id: string; name: string; number: number }, to: string): Destination {
  return { key: one.id, kind, text: one.name, detail: String(one.number), to };
}
