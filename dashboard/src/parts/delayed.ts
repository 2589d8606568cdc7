// A value that follows another one once that has been quiet for a while: what is asked of the server while somebody
// types.

import { useEffect, useState } from "react";

export function useDelayed<T>(value: T, pauseMillis = 200): T {
  const [delayed, setDelayed] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setDelayed(value), pauseMillis);
    return () => clearTimeout(timer);
  }, [value, pauseMillis]);
  return delayed;
}
