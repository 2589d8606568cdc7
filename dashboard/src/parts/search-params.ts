// Reading a page's URL: whatever does not fit is left out, because anybody can write a link.

type Raw = Record<string, unknown>;

/**
 * A page's reader: everything in it is optional. A key that is read as undefined must stay in the result, because it
 * hides what the URL really says; it is not written into URLs.
 */
export function params<T extends object>(read: (raw: Raw) => T): (raw: Raw) => Partial<T> {
  return read;
}

export function text(raw: Raw, key: string): string | undefined {
  const value = raw[key];
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function oneOf<T extends string>(raw: Raw, key: string, allowed: readonly T[]): T | undefined {
  const value = raw[key];
  return allowed.find((one) => one === value);
}

/** Some of the allowed values; undefined where none is left, so that the URL stays short. */
export function manyOf<T extends string>(raw: Raw, key: string, allowed: readonly T[]): T[] | undefined {
  const value = raw[key];
  const chosen = Array.isArray(value) ? allowed.filter((one) => value.includes(one)) : [];
  return chosen.length > 0 ? chosen : undefined;
}

/** Ids of ours with this prefix. */
export function ids(raw: Raw, key: string, prefix: string): string[] | undefined {
  const value = raw[key];
  const chosen = Array.isArray(value) ? value.filter((one): one is string => typeof one === "string" && one.startsWith(prefix)) : [];
  return chosen.length > 0 ? chosen : undefined;
}

export function flag(raw: Raw, key: string): true | undefined {
  return raw[key] === true || raw[key] === "true" ? true : undefined;
}

/** For a filter that is empty: undefined takes it out of the URL. */
export function some<T>(values: T[]): T[] | undefined {
  return values.length > 0 ? values : undefined;
}
