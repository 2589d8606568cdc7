// What happened to a conversion, oldest first: who, what, why, and what it did to the money.

import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, Clock, type LucideIcon, MessageSquare, Pencil, RotateCcw } from "lucide-react";

import { type ConversionChangeKind, ConversionTimelineDocument, type ConversionTimelineQuery, type Money } from "@/api/gql/graphql";
import { useList } from "@/api/query";
import { moneyText } from "@/parts/amount";
import { Button } from "@/parts/button";
import { Moment } from "@/parts/moment";
import { Failed, Skeleton, StaleNotice } from "@/parts/states";
import { reasonText } from "./columns";

type Entry = NonNullable<ConversionTimelineQuery["conversion"]>["timeline"]["nodes"][number];
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

const PAGE = 50;
const NONE = { nodes: [], pageInfo: { hasNextPage: false } };
const ACTORS = { ADVERTISER_POSTBACK: "by postback,", OPERATOR: "by", API_KEY: "by the key", SYSTEM: "by a rule," } as const;

export function Timeline({ id }: { id: string }) {
  const list = useList(ConversionTimelineDocument, { id, first: PAGE }, (data) => data.conversion?.timeline ?? NONE);
  if (!list.rows) return list.error ? <Failed error={list.error} onRetry={list.retry} /> : <Skeleton lines={4} />;
  return (
    <div className={`grid gap-2 ${list.isStale ? "opacity-60" : ""}`}>
      {list.error && <StaleNotice error={list.error} onRetry={list.retry} />}
      <Entries entries={list.rows} />
      {list.hasMore && (
        <Button size="small" className="justify-self-center" disabled={list.isLoadingMore} onClick={list.loadMore}>
          {list.isLoadingMore ? "Loading…" : "Load more"}
        </Button>
      )}
    </div>
  );
}

function Entries({ entries }: { entries: Entry[] }) {
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
            {entry.reason && <p className="break-words">{reasonText(entry.reason)}</p>}
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
