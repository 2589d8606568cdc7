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
      enableHiding: false,
      cell: ({ row: { original } }) => (
        <span className="flex items-center gap-1.5">
          <ConversionPill status={original.status} />
          {original.isTest && <TestPill />}
        </span>
      ),
    },
    {
      id: "reason",
      header: "Reason",
      meta: { from: "md" },
      cell: ({ row: { original } }) => {
        const reason = reasonOf(original);
        return reason ? (
          <p className="max-w-44 truncate text-soft" title={reason}>
            {reason}
          </p>
        ) : (
          <Faint />
        );
      },
    },
    { id: "convertedAt", header: "Converted", cell: ({ row }) => <Moment at={row.original.convertedAt} /> },
    {
      id: "offer",
      header: "Offer",
      meta: { from: "sm" },
      cell: ({ row: { original } }) => (
        <Link to="/offers/$offerId" params={{ offerId: original.offer.id }} className="line-clamp-1 max-w-56 min-w-24 break-all hover:underline" title={original.offer.name}>
          {original.offer.name}
        </Link>
      ),
    },
    {
      id: "publisher",
      header: "Publisher",
      meta: { from: "lg" },
      cell: ({ row: { original } }) => (
        <Link to="/publishers" search={{ open: original.publisher.id }} className="line-clamp-1 max-w-44 break-all text-soft hover:underline" title={original.publisher.name}>
          {original.publisher.name}
        </Link>
      ),
    },
    {
      id: "transactionId",
      header: "Transaction",
      meta: { from: "md" },
      cell: ({ row: { original } }) => (
        <button
          type="button"
          onClick={() => open(original.id)}
          title={original.transactionId}
          aria-label={`Open the conversion of ${original.transactionId}`}
          className="mono block max-w-36 truncate text-soft hover:underline"
        >
          {original.transactionId}
        </button>
      ),
    },
    {
      id: "orderId",
      header: "Order",
      meta: { from: "xl" },
      cell: ({ row: { original } }) => (original.orderId ? <p className="mono max-w-32 truncate">{original.orderId}</p> : <Faint />),
    },
    { id: "revenue", header: "Revenue", meta: { align: "right", from: "sm" }, cell: ({ row }) => <Amount money={row.original.revenue} /> },
    { id: "payout", header: "Payout", meta: { align: "right" }, cell: ({ row }) => <Amount money={row.original.payout} /> },
    {
      id: "advertiser",
      header: "Advertiser",
      meta: { isExtra: true },
      cell: ({ row: { original } }) => (
        <Link to="/advertisers" search={{ open: original.advertiser.id }} className="line-clamp-1 max-w-44 text-soft hover:underline">
          {original.advertiser.name}
        </Link>
      ),
    },
    { id: "source", header: "Source", meta: { isExtra: true }, cell: ({ row }) => SOURCE_TEXT[row.original.source] },
    {
      id: "subId",
      header: "Sub id",
      meta: { isExtra: true },
      cell: ({ row: { original } }) => (original.subId ? <p className="mono max-w-32 truncate">{original.subId}</p> : <Faint />),
    },
    {
      id: "externalTransactionId",
      header: "External id",
      meta: { isExtra: true },
      cell: ({ row: { original } }) =>
        original.externalTransactionId ? <p className="mono max-w-36 truncate">{original.externalTransactionId}</p> : <Faint />,
    },
    {
      id: "purchaseValue",
      header: "Basket",
      meta: { align: "right", isExtra: true },
      cell: ({ row }) => <Amount money={row.original.purchaseValue} />,
    },
    {
      id: "sessionTime",
      header: "Since the click",
      meta: { align: "right", isExtra: true },
      cell: ({ row: { original } }) =>
        original.sessionTime === null || original.sessionTime === undefined ? <Faint /> : <span className="figures">{durationText(original.sessionTime)}</span>,
    },
    { id: "recordedAt", header: "Recorded", meta: { isExtra: true }, cell: ({ row }) => <Moment at={row.original.recordedAt} /> },
  ];
}

