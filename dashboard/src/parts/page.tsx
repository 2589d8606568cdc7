// The frame of a page: title, one line about it, its actions; and the cards that it is made of.

import { type ReactNode, useEffect, useId, useRef } from "react";

interface PageProps {
  title: string;
  /** One line: what this page is for. */
  about?: ReactNode;
  /** Above the title: where it belongs. */
  above?: ReactNode;
  /** Beside the title: a pill. */
  mark?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, about, above, mark, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Roundtrip`;
  }, [title]);
  return (
    <div className="mx-auto grid max-w-[88rem] gap-5 px-4 py-5 sm:px-6 lg:px-8 lg:py-7 *:min-w-0">
      <header className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="grid min-w-0 gap-1">
          {above && <div className="text-sm text-faint">{above}</div>}
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <h1 ref={heading} tabIndex={-1} className="text-xl font-semibold tracking-tight break-words">
              {title}
            </h1>
            {mark}
          </div>
          {about && <p className="max-w-prose text-sm text-soft">{about}</p>}
        </div>
        {actions && (
          <div data-print="hide" className="flex flex-wrap items-center gap-2">
            {actions}
          </div>
        )}
      </header>
      {children}
    </div>
  );
}

interface CardProps {
  title?: ReactNode;
  about?: ReactNode;
  actions?: ReactNode;
  /** True: the content reaches the card's edges, as a table does. */
  isFlush?: boolean;
  children: ReactNode;
}

export function Card({ title, about, actions, isFlush = false, children }: CardProps) {
  const heading = useId();
  return (
    <section
      aria-labelledby={title ? heading : undefined}
      className="min-w-0 rounded-lg border border-line bg-surface shadow-raised"
    >
      {(title || actions) && (
        <header className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-b border-line px-4 py-3 sm:px-5">
          <div className="min-w-0 grow basis-40">
            <h2 id={heading} className="text-base font-semibold">
              {title}
            </h2>
            {about && <p className="text-sm text-faint">{about}</p>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </header>
      )}
      <div className={isFlush ? "" : "p-4 sm:p-5"}>{children}</div>
    </section>
  );
}

/** Names and values, one below the other on a narrow screen. */
export function Facts({ rows }: { rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[minmax(7rem,auto)_1fr] gap-x-5 gap-y-2 text-sm">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-faint">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
