// The same object for as long as it says the same: what is made anew with every rendering, for effects.

import { useMemo } from "react";

export function useSame<T>(value: T): T {
  const text = JSON.stringify(value);
  return useMemo(() => JSON.parse(text) as T, [text]);
}
