// What happened to a conversion, oldest first: who, what, why, and what it did to the money.

import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, Clock, type LucideIcon, MessageSquare, Pencil, RotateCcw } from "lucide-react";

import type { ConversionChangeKind, ConversionDrawerQuery, Money } from "@/api/gql/graphql";
import { moneyText } from "@/parts/amount";
import { Moment } from "@/parts/moment";

type Entry = NonNullable<ConversionDrawerQuery["conversion"]>["timeline"]["nodes"][number];
type Sum = Pick<Money, "amount" | "currency"> | null | undefined;

const LOOKS: Record<ConversionChangeKind, readonly [LucideIcon, string, string]> = {
  RECORDED: [CircleCheck, "text-accent-ink", "Recorded"],
  CONFIRMED: [CircleCheck, "text-good", "Confirmed by a postback"],
  STATUS_CHANGED: [Clock, "text-soft", "Status changed"],
  REJECTED: [CircleX, "text-bad", "Rejected"],
  REASON_CHANGED: [Pencil, "text-soft", "Reason changed"],
  REINSTATED: [RotateCcw, "text-good", "Reinstated"],
  AMENDED: [Pencil, "text-soft", "Amounts put right"],
  NOTE_ADDED: [MessageSquare, "text-soft", "Note"],
};

const ACTORS = { ADVERTISER_POSTBACK: "by postback,", OPERATOR: "by", API_KEY: "by the key", SYSTEM: "by a rule," } as const;

export function Timeline({ entries }: { entries: Entry[] }) {
  return (
    <ol className="grid">
      {entries.map((entry, index) => (
        <li key={entry.id} className="grid grid-cols-[1.5rem_minmax(0,1fr)] gap-x-2.5">
          <Dot kind={entry.type} isLast={index === entries.length - 1} />
          <div className="grid gap-0.5 pb-4 text-sm">
            <p>
              <span className="font-medium">{LOOKS[entry.type][2]}</span>{" "}
              {entry.fromStatus && entry.fromStatus !== entry.toStatus && (
                <span className="text-soft">
                  {word(entry.fromStatus)} → {word(entry.toStatus)}
                </span>
              )}
              {!entry.fromStatus && <span className="text-soft">as {word(entry.toStatus)}</span>}
            </p>
            {entry.reason && <p className="break-words">“{entry.reason}”</p>}
            {entry.note && <p className="break-words text-soft">{entry.note}</p>}
            <MoneyLine name="Revenue" before={entry.revenueBefore} after={entry.revenueAfter} />
            <MoneyLine name="Payout" before={entry.payoutBefore} after={entry.payoutAfter} />
            <p className="flex flex-wrap gap-x-1.5 text-xs text-faint">
              <Moment at={entry.at} />
              <span className="break-words">
                {ACTORS[entry.actor.kind]} {entry.actor.label}
              </span>
              {entry.receipt && (
                <Link to="/postback-log" search={{ receipt: entry.receipt.id }} className="text-accent-ink hover:underline">
                  Receipt
                </Link>
              )}
            </p>
          </div>
        </li>
      ))}
    </ol>
  );
}

function Dot({ kind, isLast }: { kind: ConversionChangeKind; isLast: boolean }) {
  const [Icon, colour] = LOOKS[kind];
  return (
    <div aria-hidden className="relative flex justify-center">
      {!isLast && <span className="absolute top-6 bottom-0 w-px bg-line" />}
      <span className={`mt-0.5 h-fit rounded-full bg-surface ${colour}`}>
        <Icon className="size-4.5" />
      </span>
    </div>
  );
}

function MoneyLine({ name, before, after }: { name: string; before: Sum; after: Sum }) {
  if (!after || before?.amount === after.amount) return null;
  return (
    <p className="figures text-soft">
      {name} {before && `${moneyText(before)} → `}
      {moneyText(after)}
    </p>
  );
}

function word(status: string): string {
  return status.charAt(0) + status.slice(1).toLowerCase();
}
