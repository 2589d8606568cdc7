// Money as the server says it, an exact decimal in a string: printed, never calculated with.

import type { Money, Price } from "@/api/gql/graphql";

type Sum = Pick<Money, "amount" | "currency">;

/** `1234.5` and `EUR` → `€1,234.50`. `Intl` takes the string itself, so no digit passes a float. */
export function moneyText({ amount, currency }: Sum): string {
  return written(amount, new Intl.NumberFormat(undefined, { style: "currency", currency, maximumFractionDigits: 6 }));
}

/** To the cent, or what the currency has: for columns, where the exact amount is a hover away. */
export function roundedText({ amount, currency }: Sum): string {
  return written(amount, new Intl.NumberFormat(undefined, { style: "currency", currency }));
}

function written(amount: string, format: Intl.NumberFormat): string {
  // Strings are taken exactly since ES2023; the type still says number.
  return format.format(amount as unknown as number);
}

export function priceText(price: Pick<Price, "percent"> & { fixed?: Sum | null }): string {
  if (price.fixed) return moneyText(price.fixed);
  return price.percent ? `${price.percent}%` : "–";
}

/** `isRounded`: in a column. */
export function Amount({ money, isRounded }: { money?: Sum | null; isRounded?: boolean }) {
  if (!money) return <span className="text-faint">–</span>;
  return (
    <span className="figures whitespace-nowrap" title={`${money.amount} ${money.currency}`}>
      {isRounded ? roundedText(money) : moneyText(money)}
    </span>
  );
}

export function countText(value: number): string {
  return value.toLocaleString();
}

/** A part of a whole, in per cent: counts, never money. */
export function shareText(part: number, whole: number): string {
  return (part / whole).toLocaleString(undefined, { style: "percent", maximumFractionDigits: 1 });
}

/** A counted list: behind 10 000 counting stops. */
export function boundedText({ value, isExact }: { value: number; isExact: boolean }): string {
  return isExact ? value.toLocaleString() : `${value.toLocaleString()}+`;
}
