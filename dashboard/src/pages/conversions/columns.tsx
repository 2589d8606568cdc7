// The columns of the list, and the words of closed lists.

import { Link } from "@tanstack/react-router";

import type { ConversionRowFragment, ConversionSource, PendingReason } from "@/api/gql/graphql";
import { Amount } from "@/parts/amount";
import { Moment } from "@/parts/moment";
import { ConversionPill, TestPill } from "@/parts/pill";
import type { Column } from "@/parts/table";

export const SOURCE_TEXT: Record<ConversionSource, string> = {
  POSTBACK: "Postback",
  IMAGE_PIXEL: "Image pixel",
  CLICKLESS: "Clickless",
};

const PENDING_TEXT: Record<PendingReason, string> = {
  AMOUNT_MISSING: "No amount to take a percentage of",
  AMOUNT_UNREADABLE: "The amount cannot be read",
  CURRENCY_UNRESOLVED: "The currency is not the offer's",
  MANUAL_APPROVAL: "Waits for approval",
  PAYOUT_OVER_CEILING: "Payout above the ceiling",
  PIXEL_UNCONFIRMED: "No postback has confirmed it",
  PUBLISHER_INACTIVE: "The publisher is not active",
};

/** A reason as its history keeps it: a rule's own word, or what somebody wrote. */
export function reasonText(reason: string): string {
  return PENDING_TEXT[reason.toUpperCase() as PendingReason] ?? `“${reason}”`;
}

/** Why it is where it is, in a few words. */
export function reasonOf(row: Pick<ConversionRowFragment, "status" | "pendingReason" | "rejectionReason">): string | null {
  if (row.status === "REJECTED") return row.rejectionReason ?? null;
  return row.status === "PENDING" && row.pendingReason ? PENDING_TEXT[row.pendingReason] : null;
}

/** `3 min`, `2 h`: how long from click to conversion. */
export function durationText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

const Faint = () => <span className="text-faint">–</span>;

export function columnsOf(open: (id: string) => void): Column<ConversionRowFragment>[] {
  return [
    {
      id: "status",
      header: "Status",
      isFixed: true,
      cell: (row) => (
        <span className="flex items-center gap-1.5">
          <ConversionPill status={row.status} />
          {row.isTest && <TestPill />}
        </span>
      ),
    },
    {
      id: "reason",
      header: "Reason",
      from: "md",
      cell: (row) => {
        const reason = reasonOf(row);
        return reason ? (
          <p className="max-w-44 truncate text-soft" title={reason}>
            {reason}
          </p>
        ) : (
          <Faint />
        );
      },
    },
    { id: "convertedAt", header: "Converted", cell: (row) => <Moment at={row.convertedAt} /> },
    {
      id: "offer",
      header: "Offer",
      from: "sm",
      cell: (row) => (
        <Link to="/offers/$offerId" params={{ offerId: row.offer.id }} className="line-clamp-1 max-w-56 min-w-24 break-all hover:underline" title={row.offer.name}>
          {row.offer.name}
        </Link>
      ),
    },
    {
      id: "publisher",
      header: "Publisher",
      from: "lg",
      cell: (row) => (
        <Link to="/publishers" search={{ open: row.publisher.id }} className="line-clamp-1 max-w-44 break-all text-soft hover:underline" title={row.publisher.name}>
          {row.publisher.name}
        </Link>
      ),
    },
    {
      id: "transactionId",
      header: "Transaction",
      from: "md",
      cell: (row) => (
        <button
          type="button"
          onClick={() => open(row.id)}
          title={row.transactionId}
          aria-label={`Open the conversion of ${row.transactionId}`}
          className="mono block max-w-36 truncate text-soft hover:underline"
        >
          {row.transactionId}
        </button>
      ),
    },
    {
      id: "orderId",
      header: "Order",
      from: "xl",
      cell: (row) => (row.orderId ? <p className="mono max-w-32 truncate">{row.orderId}</p> : <Faint />),
    },
    { id: "revenue", header: "Revenue", align: "right", from: "sm", cell: (row) => <Amount isRounded money={row.revenue} /> },
    { id: "payout", header: "Payout", align: "right", cell: (row) => <Amount isRounded money={row.payout} /> },
    {
      id: "advertiser",
      header: "Advertiser",
      isExtra: true,
      cell: (row) => (
        <Link to="/advertisers" search={{ open: row.advertiser.id }} className="line-clamp-1 max-w-44 text-soft hover:underline">
          {row.advertiser.name}
        </Link>
      ),
    },
    { id: "source", header: "Source", isExtra: true, cell: (row) => SOURCE_TEXT[row.source] },
    {
      id: "subId",
      header: "Sub id",
      isExtra: true,
      cell: (row) => (row.subId ? <p className="mono max-w-32 truncate">{row.subId}</p> : <Faint />),
    },
    {
      id: "externalTransactionId",
      header: "External id",
      isExtra: true,
      cell: (row) =>
        row.externalTransactionId ? <p className="mono max-w-36 truncate">{row.externalTransactionId}</p> : <Faint />,
    },
    {
      id: "purchaseValue",
      header: "Basket",
      align: "right",
      isExtra: true,
      cell: (row) => <Amount isRounded money={row.purchaseValue} />,
    },
    {
      id: "sessionTime",
      header: "Since the click",
      align: "right",
      isExtra: true,
      cell: (row) =>
        row.sessionTime === null || row.sessionTime === undefined ? <Faint /> : <span className="figures">{durationText(row.sessionTime)}</span>,
    },
    { id: "recordedAt", header: "Recorded", isExtra: true, cell: (row) => <Moment at={row.recordedAt} /> },
  ];
}

