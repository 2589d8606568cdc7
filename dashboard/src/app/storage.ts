// What the browser remembers of a person's taste: theme, columns, shortcuts. Never a secret, never data of the network.
// Storage can be switched off or full: then nothing is remembered, and nothing breaks.

const PREFIX = "roundtrip.";

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, value);
  } catch {
    // As said above.
  }
}
