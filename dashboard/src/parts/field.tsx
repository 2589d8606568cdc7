// A labelled control with its hint and its problem. Every control of a form goes through `Field`, so that label, hint
// and problem are tied to it for every reader.

import { ChevronDown } from "lucide-react";
import { type ComponentProps, type ReactNode, useId } from "react";

interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  /** What is wrong with it, as one sentence. */
  problem?: string;
  optional?: boolean;
  children: (control: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}

export function Field({ label, hint, problem, optional, children }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ");
  return (
    <div className="grid content-start gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label} {optional && <span className="font-normal text-faint">(optional)</span>}
      </label>
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": problem ? true : undefined })}
      {problem && (
        <p id={`${id}-problem`} className="text-sm text-bad">
          {problem}
        </p>
      )}
      {hint && (
        <p id={`${id}-hint`} className="text-sm text-faint">
          {hint}
        </p>
      )}
    </div>
  );
}

export const CONTROL =
  "w-full rounded-md border border-field bg-surface px-3 text-base text-ink placeholder:text-faint " +
  "aria-invalid:border-bad disabled:bg-sunken disabled:text-faint";

export function TextInput({ className = "", ...rest }: ComponentProps<"input">) {
  return <input type="text" autoComplete="off" className={`${CONTROL} h-9 ${className}`} {...rest} />;
}

export function TextArea({ className = "", ...rest }: ComponentProps<"textarea">) {
  return <textarea rows={3} className={`${CONTROL} py-2 ${className}`} {...rest} />;
}

/** `isSmall`: as high as the filters beside it. `className` is about its width. */
export function Select({ className = "", isSmall = false, children, ...rest }: ComponentProps<"select"> & { isSmall?: boolean }) {
  return (
    <div className={`relative ${className}`}>
      <select className={`${CONTROL} ${isSmall ? "h-8 text-sm" : "h-9"} appearance-none truncate pr-8`} {...rest}>
        {children}
      </select>
      <ChevronDown aria-hidden className="pointer-events-none absolute top-1/2 right-2.5 size-4 -translate-y-1/2 text-faint" />
    </div>
  );
}

interface SwitchProps {
  label: ReactNode;
  hint?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}

/** A setting that is on or off; a native checkbox. */
export function Switch({ label, hint, checked, onChange, disabled }: SwitchProps) {
  const id = useId();
  return (
    <div className="flex items-start gap-3">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={(event) => onChange(event.target.checked)}
        className="mt-0.5 size-4.5 shrink-0 accent-accent"
      />
      <div className="grid gap-0.5">
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {hint && (
          <p id={`${id}-hint`} className="text-sm text-faint">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}

/** One of few, side by side. */
export function Choice<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset className="inline-flex rounded-md border border-line-strong bg-sunken p-0.5">
      <legend className="sr-only">{label}</legend>
      {options.map(([one, text]) => (
        <label
          key={one}
          className={
            "rounded px-2.5 py-1 text-sm has-focus-visible:outline-2 has-focus-visible:outline-accent " +
            (one === value ? "bg-surface font-medium text-ink shadow-raised dark:bg-line" : "text-soft hover:text-ink")
          }
        >
          <input
            type="radio"
            name={name}
            className="sr-only"
            checked={one === value}
            onChange={() => onChange(one)}
          />
          {text}
        </label>
      ))}
    </fieldset>
  );
}
