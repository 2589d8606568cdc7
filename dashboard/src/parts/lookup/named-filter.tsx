// A filter by one offer, publisher or advertiser.

import { lazy, Suspense } from "react";

import { FilterPopup } from "../filters";
import { type Noun, useName } from "./name";

const Picker = lazy(() => import("./picker").then(({ Picker }) => ({ default: Picker })));

interface Props {
  noun: Noun;
  value: string | undefined;
  onChange: (id: string | undefined) => void;
}

export function NamedFilter({ noun, value, onChange }: Props) {
  const name = useName(value);
  const label = noun.charAt(0).toUpperCase() + noun.slice(1);
  return (
    <FilterPopup label={label} shown={value ? (name ?? "…") : ""} onClear={() => onChange(undefined)}>
      <Suspense>
        <Picker noun={noun} value={value} onChange={onChange} />
      </Suspense>
    </FilterPopup>
  );
}
