// Choosing one offer, publisher or advertiser out of any number: type a part of its name, or its number. A combobox as
// the ARIA practices describe it: arrows move, Enter chooses, Escape closes.

import { Check, ChevronsUpDown, X } from "lucide-react";
import { useId, useState } from "react";

import { useApi } from "@/api/query";
import { LookupAdvertisersDocument, LookupOffersDocument, LookupPublishersDocument } from "@/api/gql/graphql";
import { Button } from "../button";
import { useDelayed } from "../delayed";
import { CONTROL } from "../field";
import { Popup } from "../popup/popup";
import { type Noun, useName } from "./name";

interface Found {
  id: string;
  number: number;
  name: string;
}

interface Props {
  noun: Noun;
  value: string | undefined;
  onChange: (id: string | undefined) => void;
  /** Of the label, from `Field`. */
  id?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: true;
  /** What is said while nothing is chosen. */
  placeholder?: string;
  /** True: it can be emptied again. */
  isOptional?: boolean;
}

const SHOWN_MAX = 20;

export function Picker({ noun, value, onChange, placeholder = `Choose the ${noun}`, isOptional, ...control }: Props) {
  const name = useName(value);
  return (
    <div className="flex min-w-0">
      <Popup
        label={placeholder}
        className="w-(--radix-popover-trigger-width) min-w-64"
        trigger={
          <button type="button" {...control} className={`${CONTROL} flex h-9 min-w-0 items-center justify-between gap-2 text-left`}>
            <span className={`truncate ${value ? "" : "text-faint"}`}>{value ? (name ?? value) : placeholder}</span>
            <ChevronsUpDown aria-hidden className="size-4 shrink-0 text-faint" />
          </button>
        }
      >
        {(close) => (
          <Search
            noun={noun}
            value={value}
            onChoose={(id) => {
              onChange(id);
              close();
            }}
          />
        )}
      </Popup>
      {isOptional && value && (
        <Button look="quiet" size="square" aria-label={`No ${noun}`} title={`No ${noun}`} onClick={() => onChange(undefined)}>
          <X aria-hidden />
        </Button>
      )}
    </div>
  );
}

function Search({ noun, value, onChoose }: { noun: Noun; value: string | undefined; onChoose: (id: string) => void }) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const list = useId();
  const { found, isLoading } = useFound(noun, useDelayed(text.trim()));
  const at = Math.min(active, found.length - 1);
  return (
    <div className="grid gap-2">
      <input
        role="combobox"
        aria-label={`Search for the ${noun}`}
        aria-expanded
        aria-controls={list}
        aria-activedescendant={found[at] ? `${list}-${found[at].id}` : undefined}
        aria-autocomplete="list"
        autoComplete="off"
        autoFocus
        placeholder="Name or number"
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
          if (event.key === "Enter") {
            event.preventDefault();
            if (found[at]) onChoose(found[at].id);
          }
        }}
        className={`${CONTROL} h-8 text-sm`}
      />
      <ul id={list} role="listbox" aria-label={`Found ${noun}s`} className="max-h-64 overflow-y-auto">
        {found.map((one, index) => (
          <li
            key={one.id}
            id={`${list}-${one.id}`}
            role="option"
            aria-selected={one.id === value}
            onPointerMove={() => setActive(index)}
            onClick={() => onChoose(one.id)}
            className={`flex cursor-pointer items-center justify-between gap-2 rounded px-2 py-1.5 text-sm ${index === at ? "bg-hover" : ""}`}
          >
            <span className="min-w-0 truncate">{one.name}</span>
            <span className="figures flex items-center gap-1.5 text-faint">
              {one.id === value && <Check aria-hidden className="size-4 text-accent-ink" />}
              {one.number}
            </span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="px-2 pb-1 text-sm text-faint">{isLoading ? "Searching…" : "Nothing has this name or number."}</p>}
      {found.length === SHOWN_MAX && <p className="px-2 pb-1 text-xs text-faint">The first {SHOWN_MAX}: type more of the name.</p>}
    </div>
  );
}

function useFound(noun: Noun, text: string): { found: Found[]; isLoading: boolean } {
  const variables = { search: text || null, first: SHOWN_MAX };
  const offers = useApi(LookupOffersDocument, variables, { enabled: noun === "offer" });
  const publishers = useApi(LookupPublishersDocument, variables, { enabled: noun === "publisher" });
  const advertisers = useApi(LookupAdvertisersDocument, variables, { enabled: noun === "advertiser" });
  const nodes = {
    offer: offers.data?.offers.nodes,
    publisher: publishers.data?.publishers.nodes,
    advertiser: advertisers.data?.advertisers.nodes,
  }[noun];
  return { found: nodes ?? [], isLoading: nodes === undefined };
}
