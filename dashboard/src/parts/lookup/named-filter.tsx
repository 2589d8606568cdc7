// A filter by one offer, publisher or advertiser.

import { FilterPopup } from "../filters";
import { type Noun, Picker, useName } from "./picker";

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
      <Picker noun={noun} value={value} onChange={onChange} />
    </FilterPopup>
  );
}
