// What a period may be: one of the usual ones, or two days. Loaded when somebody opens it.

import { Check } from "lucide-react";
import { useState } from "react";

import { Button } from "../button";
import { Field, TextInput } from "../field";
import { USUAL, USUAL_TEXT } from "./period";
import type { Props } from "./period-picker";

export function PeriodChoices({ period, usual, zone, onChange }: Props) {
  const [from, setFrom] = useState(period.from ?? "");
  const [to, setTo] = useState(period.to ?? "");
  const chosen = period.from ? undefined : (period.range ?? usual);
  const isWhole = from !== "" && to !== "" && from <= to;
  return (
    <div className="grid gap-1">
      {USUAL.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={one === chosen}
          onClick={() => onChange({ range: one === usual ? undefined : one, from: undefined, to: undefined })}
          className="flex items-center justify-between rounded px-2 py-1.5 text-left text-sm hover:bg-hover"
        >
          {USUAL_TEXT[one]}
          {one === chosen && <Check aria-hidden className="size-4 text-accent-ink" />}
        </button>
      ))}
      <form
        className="mt-1 grid gap-2 border-t border-line px-2 pt-3 pb-1"
        onSubmit={(event) => {
          event.preventDefault();
          if (isWhole) onChange({ range: undefined, from, to });
        }}
      >
        <Field label="From">
          {(control) => <TextInput {...control} type="date" className="h-8 text-sm" value={from} max={to || undefined} onChange={(event) => setFrom(event.target.value)} />}
        </Field>
        <Field label="To" hint={zone ? `Days of ${zone}.` : undefined}>
          {(control) => <TextInput {...control} type="date" className="h-8 text-sm" value={to} min={from || undefined} onChange={(event) => setTo(event.target.value)} />}
        </Field>
        <Button type="submit" size="small" disabled={!isWhole}>
          Show these days
        </Button>
      </form>
    </div>
  );
}
