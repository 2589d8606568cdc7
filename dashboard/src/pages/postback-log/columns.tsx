// The columns of the log.

import { Link } from "@tanstack/react-router";

import type { ReceiptKind, ReceiptRowFragment, Verdict } from "@/api/gql/graphql";
import { words } from "@/parts/checks";
import { Moment } from "@/parts/moment";
import { TestPill, VerdictPill } from "@/parts/pill";
import type { Column } from "@/parts/table";

export const KIND_TEXT: Record<ReceiptKind, string> = {
  CLICK: "Click",
  CONVERSION: "Conversion",
  CLICKLESS: "Clickless",
  IMAGE_PIXEL: "Image pixel",
  REJECTION: "Rejection",
  STATUS: "Status",
};

export const VERDICT_TEXT: Record<Verdict, string> = {
  RECORDED: "Recorded",
  DUPLICATE: "Duplicate",
  NO_CHANGE: "No change",
  PARKED: "Parked",
  REFUSED: "Refused",
  FAILED: "Failed",
};

const Faint = () => <span className="text-faint">–</span>;

export function millisText(micros: number): string {
  return micros < 10_000 ? `${(micros / 1000).toFixed(1)} ms` : `${Math.round(micros / 1000)} ms`;
}

export function columnsOf(open: (id: string) => void): Column<ReceiptRowFragment>[] {
  return [
    {
      id: "verdict",
      header: "Verdict",
      enableHiding: false,
      cell: ({ row: { original } }) => (
        <span className="flex items-center gap-1.5">
          <VerdictPill verdict={original.verdict} />
          {original.isTest && <TestPill />}
        </span>
      ),
    },
    { id: "receivedAt", header: "Received", cell: ({ row }) => <Moment at={row.original.receivedAt} /> },
    { id: "kind", header: "Kind", meta: { from: "sm" }, cell: ({ row }) => KIND_TEXT[row.original.kind] },
    {
      id: "code",
      header: "Answer",
      cell: ({ row: { original } }) => (
        <button
          type="button"
          onClick={() => open(original.id)}
          title={original.explanation}
          className="line-clamp-1 max-w-72 min-w-20 text-left break-words hover:underline"
        >
          {words(original.code)}
        </button>
      ),
    },
    {
      id: "offer",
      header: "Offer",
      meta: { from: "md" },
      cell: ({ row: { original } }) =>
        original.offer ? (
          <Link to="/offers/$offerId" params={{ offerId: original.offer.id }} className="line-clamp-1 max-w-52 break-all hover:underline" title={original.offer.name}>
            {original.offer.name}
          </Link>
        ) : (
          <Faint />
        ),
    },
    {
      id: "publisher",
      header: "Publisher",
      meta: { from: "lg" },
      cell: ({ row: { original } }) =>
        original.publisher ? (
          <Link to="/publishers" search={{ open: original.publisher.id }} className="line-clamp-1 max-w-44 break-all text-soft hover:underline" title={original.publisher.name}>
            {original.publisher.name}
          </Link>
        ) : (
          <Faint />
        ),
    },
    {
      id: "transaction",
      header: "Transaction",
      meta: { from: "lg" },
      cell: ({ row: { original } }) =>
        original.conversion ? (
          <Link
            to="/conversions"
            search={{ conversion: original.conversion.id }}
            title={original.conversion.transactionId}
            className="mono block max-w-36 truncate text-soft hover:underline"
          >
            {original.conversion.transactionId}
          </Link>
        ) : (
          <Faint />
        ),
    },
    {
      id: "httpStatus",
      header: "HTTP",
      meta: { align: "right", from: "xl" },
      cell: ({ row }) => <span className="figures text-soft">{row.original.httpStatus}</span>,
    },
    {
      id: "latency",
      header: "Took",
      meta: { align: "right", isExtra: true },
      cell: ({ row }) => <span className="figures text-soft">{millisText(row.original.latencyMicros)}</span>,
    },
  ];
}
