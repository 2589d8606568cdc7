// A time zone by its IANA name, with those that the browser knows to choose from.

import { type ReactNode, useId } from "react";

import { Field, TextInput } from "@/parts/field";

const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];

interface Props {
  label: string;
  hint: ReactNode;
  problem: string | undefined;
  optional?: boolean;
  value: string;
  onChange: (zone: string) => void;
}

export function ZoneField({ label, hint, problem, optional, value, onChange }: Props) {
  const list = useId();
  return (
    <Field label={label} hint={hint} problem={problem} optional={optional}>
      {(control) => (
        <>
          <TextInput {...control} list={list} spellCheck={false} placeholder="Europe/Berlin" value={value} onChange={(event) => onChange(event.target.value)} />
          <datalist id={list}>
            {ZONES.map((zone) => (
              <option key={zone} value={zone} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
