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
      isFixed: true,
      cell: (row) => (
        <span className="flex items-center gap-1.5">
          <VerdictPill verdict={row.verdict} />
          {row.isTest && <TestPill />}
        </span>
      ),
    },
    { id: "receivedAt", header: "Received", cell: (row) => <Moment at={row.receivedAt} /> },
    { id: "kind", header: "Kind", from: "sm", cell: (row) => KIND_TEXT[row.kind] },
    {
      id: "code",
      header: "Answer",
      cell: (row) => (
        <button
          type="button"
          onClick={() => open(row.id)}
          title={row.explanation}
          className="line-clamp-1 max-w-72 min-w-20 text-left break-words hover:underline"
        >
          {words(row.code)}
        </button>
      ),
    },
    {
      id: "offer",
      header: "Offer",
      from: "md",
      cell: (row) =>
        row.offer ? (
          <Link to="/offers/$offerId" params={{ offerId: row.offer.id }} className="line-clamp-1 max-w-52 break-all hover:underline" title={row.offer.name}>
            {row.offer.name}
          </Link>
        ) : (
          <Faint />
        ),
    },
    {
      id: "publisher",
      header: "Publisher",
      from: "lg",
      cell: (row) =>
        row.publisher ? (
          <Link to="/publishers" search={{ open: row.publisher.id }} className="line-clamp-1 max-w-44 break-all text-soft hover:underline" title={row.publisher.name}>
            {row.publisher.name}
          </Link>
        ) : (
          <Faint />
        ),
    },
    {
      id: "transaction",
      header: "Transaction",
      from: "lg",
      cell: (row) =>
        row.conversion ? (
          <Link
            to="/conversions"
            search={{ conversion: row.conversion.id }}
            title={row.conversion.transactionId}
            className="mono block max-w-36 truncate text-soft hover:underline"
          >
            {row.conversion.transactionId}
          </Link>
        ) : (
          <Faint />
        ),
    },
    {
      id: "httpStatus",
      header: "HTTP",
      align: "right",
      from: "xl",
      cell: (row) => <span className="figures text-soft">{row.httpStatus}</span>,
    },
    {
      id: "latency",
      header: "Took",
      align: "right",
      isExtra: true,
      cell: (row) => <span className="figures text-soft">{millisText(row.latencyMicros)}</span>,
    },
  ];
}
