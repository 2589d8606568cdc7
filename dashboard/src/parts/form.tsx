// A form: values, what the server finds wrong with them, and one summary for what belongs to no field. The first bad
// field gets the focus, so that nobody has to look for it.

import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";

import type { Outcome, Problem } from "@/api/change";
import { Button } from "./button";
import { Notice } from "./states";

export interface FormState<T> {
  values: T;
  set: <K extends keyof T>(key: K, value: T[K]) => void;
  /** What is wrong with this field, the last name of the path in the mutation's arguments. */
  problem: (field: keyof T & string) => string | undefined;
  /** Problems that no field shows. */
  rest: Problem[];
  isBusy: boolean;
  submit: (event: FormEvent) => void;
}

/** `send` is called with the values; `done` with the payload once it was taken. */
export function useForm<T extends object, P>(
  initial: T,
  send: (values: T) => Promise<Outcome<P>>,
  done: (payload: P) => void,
): FormState<T> {
  const [values, setValues] = useState(initial);
  const [problems, setProblems] = useState<Problem[]>([]);
  const [isBusy, setBusy] = useState(false);

  async function run() {
    setBusy(true);
    try {
      const outcome = await send(values);
      setProblems(outcome.problems);
      if (outcome.payload !== null) done(outcome.payload);
    } finally {
      setBusy(false);
    }
  }

  const fieldOf = (problem: Problem) => problem.field?.findLast((part) => part in values);
  return {
    values,
    set: (key, value) => setValues((old) => ({ ...old, [key]: value })),
    problem: (field) => {
      const found = problems.find((problem) => fieldOf(problem) === field);
      return found && [found.message, found.hint].filter(Boolean).join(" ");
    },
    rest: problems.filter((problem) => fieldOf(problem) === undefined),
    isBusy,
    submit: (event) => {
      event.preventDefault();
      if (!isBusy) void run();
    },
  };
}

/** The form's frame: its problems on top, its buttons below. */
export function Form<T>({
  form,
  action,
  busyText = "Saving…",
  onCancel,
  children,
}: {
  form: FormState<T>;
  /** What its button says. */
  action: string;
  /** What its button says meanwhile. */
  busyText?: string;
  onCancel?: () => void;
  children: ReactNode;
}) {
  const frame = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (!form.isBusy) frame.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [form.isBusy]);
  return (
    <form ref={frame} noValidate onSubmit={form.submit} className="grid gap-4">
      <Problems problems={form.rest} />
      {children}
      <div className="flex flex-wrap justify-end gap-2 pt-1">
        {onCancel && <Button onClick={onCancel}>Cancel</Button>}
        <Button type="submit" look="primary" disabled={form.isBusy}>
          {form.isBusy ? busyText : action}
        </Button>
      </div>
    </form>
  );
}

export function Problems({ problems }: { problems: Problem[] }) {
  if (problems.length === 0) return null;
  return (
    <Notice tone="bad" role="alert">
      {problems.map((problem) => (
        <p key={problem.message}>
          {problem.message} {problem.hint}
        </p>
      ))}
    </Notice>
  );
}
