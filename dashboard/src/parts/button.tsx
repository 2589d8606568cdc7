// Buttons, and links that look like them. One primary action to a page.

import { Link, type LinkProps } from "@tanstack/react-router";
import type { ComponentProps, ReactNode } from "react";

export type Look = "primary" | "plain" | "quiet" | "danger";

const SHAPE =
  "inline-flex items-center justify-center gap-1.5 rounded-md text-sm font-medium whitespace-nowrap select-none " +
  "transition-colors disabled:opacity-55 aria-disabled:opacity-55 [&_svg]:size-4 [&_svg]:shrink-0";
const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-on-accent enabled:hover:bg-accent-hover [a&]:hover:bg-accent-hover shadow-raised",
  plain: "border border-line-strong bg-surface text-ink enabled:hover:bg-hover [a&]:hover:bg-hover shadow-raised",
  quiet: "text-soft enabled:hover:bg-hover enabled:hover:text-ink [a&]:hover:bg-hover [a&]:hover:text-ink",
  danger: "bg-bad text-on-bad enabled:hover:bg-bad-hover shadow-raised",
};
const SIZES = { normal: "h-9 px-3.5", small: "h-7 px-2.5", square: "size-9", smallSquare: "size-7" };

interface Style {
  look?: Look;
  size?: keyof typeof SIZES;
}

export function buttonClass({ look = "plain", size = "normal" }: Style): string {
  return `${SHAPE} ${LOOKS[look]} ${SIZES[size]}`;
}

export function Button({ look, size, className = "", ...rest }: Style & ComponentProps<"button">) {
  return <button type="button" className={`${buttonClass({ look, size })} ${className}`} {...rest} />;
}

/** A button that is only an icon: `label` is what it does, for eyes (as a tooltip) and for ears. */
export function IconButton({
  label,
  look = "quiet",
  size = "smallSquare",
  className = "",
  ...rest
}: Style & { label: string } & Omit<ComponentProps<"button">, "aria-label" | "title">) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`${buttonClass({ look, size })} ${className}`}
      {...rest}
    />
  );
}

export function LinkButton({ look, size, children, ...rest }: Style & LinkProps & { children: ReactNode }) {
  return (
    <Link className={buttonClass({ look, size })} {...rest}>
      {children}
    </Link>
  );
}
