// The page outside: the name, one card, nothing else.

import { type ReactNode, useEffect } from "react";

import { Brand } from "@/app/shell";

export function Frame({ title, about, below, children }: { title: string; about?: ReactNode; below?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Roundtrip`;
  }, [title]);
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="grid w-full max-w-sm gap-6">
        <div className="justify-self-center text-lg">
          <Brand />
        </div>
        <section className="grid gap-5 rounded-xl border border-line bg-surface p-6 shadow-raised">
          <div className="grid gap-1">
            <h1 className="text-lg font-semibold">{title}</h1>
            {about && <p className="text-sm text-soft">{about}</p>}
          </div>
          {children}
        </section>
        {below && <p className="text-center text-sm text-soft">{below}</p>}
      </div>
    </main>
  );
}
