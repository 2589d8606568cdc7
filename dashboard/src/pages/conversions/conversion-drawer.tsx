// One conversion: what it is worth, how it came about, what was sent with it, and everything that happened to it.

import { Link } from "@tanstack/react-router";
import { MessageSquarePlus, Pencil, RotateCcw, XCircle } from "lucide-react";
import { lazy, type ReactNode, Suspense, useMemo, useState } from "react";

import { ConversionDeliveriesDocument, ConversionDrawerDocument, type ConversionDrawerQuery } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { Amount } from "@/parts/amount";
import { Button } from "@/parts/button";
import { words } from "@/parts/checks";
import { CopiedId } from "@/parts/copy";
import { Drawer } from "@/parts/drawer";
import { MaybeMoment, Moment } from "@/parts/moment";
import { Facts } from "@/parts/page";
import { ConversionPill, DeliveryPill, TestPill, VerdictPill } from "@/parts/pill";
import { useShortcuts } from "@/parts/shortcuts";
import { Empty, Loaded, Notice, Skeleton } from "@/parts/states";
import { durationText, reasonOf, SOURCE_TEXT } from "./columns";
import type { Chosen } from "./reject-dialog";
import { Timeline } from "./timeline";

const RejectDialog = lazy(() => import("./reject-dialog").then(({ RejectDialog }) => ({ default: RejectDialog })));
const ReinstateDialog = lazy(() => import("./reinstate-dialog").then(({ ReinstateDialog }) => ({ default: ReinstateDialog })));
const AmendDialog = lazy(() => import("./amend-dialog").then(({ AmendDialog }) => ({ default: AmendDialog })));
const NoteDialog = lazy(() => import("./note-dialog").then(({ NoteDialog }) => ({ default: NoteDialog })));

type Conversion = NonNullable<ConversionDrawerQuery["conversion"]>;

export function ConversionDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const personal = useMay("MANAGER");
  const query = useApi(ConversionDrawerDocument, { id, personal });
  return (
    <Drawer title="Conversion" subject={id} onClose={onClose}>
      <Loaded query={query} skeleton={<Skeleton lines={9} />}>
        {({ conversion }) => (conversion ? <Body conversion={conversion} /> : <Empty title="There is no such conversion" />)}
      </Loaded>
    </Drawer>
  );
}

function Body({ conversion }: { conversion: Conversion }) {
  const reason = reasonOf(conversion);
  return (
    <div className="grid gap-6">
      <div className="grid gap-3">
        <div className="flex flex-wrap items-center gap-2">
          <ConversionPill status={conversion.status} />
          {conversion.isTest && <TestPill />}
          <span className="text-sm text-soft">
            since <Moment at={conversion.statusChangedAt} />, by {conversion.statusChangedBy.label}
          </span>
        </div>
        {reason && <Notice tone={conversion.status === "REJECTED" ? "bad" : "warn"}>{reason}</Notice>}
        {conversion.advertiserReason && conversion.advertiserReason !== reason && (
          <Notice>The advertiser’s own reason: {conversion.advertiserReason}</Notice>
        )}
        {conversion.clickPending && <Notice tone="warn">Its click is not there yet: what only the click knows comes later.</Notice>}
        <Actions conversion={conversion} />
      </div>
      <Part title="Money">
        <Facts
          rows={[
            ["Payout", <Amount money={conversion.payout} />],
            ["Revenue", <Amount money={conversion.revenue} />],
            ...given("Basket", conversion.purchaseValue && <Amount money={conversion.purchaseValue} />),
            ...given("Payout as sent", conversion.reportedPayout && <Amount money={conversion.reportedPayout} />),
            ...given("Revenue as sent", conversion.reportedRevenue && <Amount money={conversion.reportedRevenue} />),
          ]}
        />
      </Part>
      <Part title="Attribution">
        <Attribution conversion={conversion} />
      </Part>
      <Part title="Parameters">
        <Parameters conversion={conversion} />
      </Part>
      <Part title="Timeline">
        <Timeline id={conversion.id} />
      </Part>
      <Part title="Receipts">
        <Receipts of={conversion} />
      </Part>
      <Part title="Deliveries to the publisher">
        <Deliveries id={conversion.id} />
      </Part>
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="grid gap-2.5">
      <h3 className="text-sm font-semibold">{title}</h3>
      {children}
    </section>
  );
}

function given(name: string, value: ReactNode): (readonly [string, ReactNode])[] {
  return value === null || value === undefined || value === "" ? [] : [[name, value]];
}

function Actions({ conversion }: { conversion: Conversion }) {
  const mayChange = useMay("MANAGER");
  const [open, setOpen] = useState<"reject" | "reinstate" | "amend" | "note" | null>(null);
  const isRejected = conversion.status === "REJECTED";
  const chosen = useMemo<Chosen>(
    () => ({ selection: { ids: [conversion.id] }, ids: [conversion.id], count: 1, expectedCount: null, countingIds: isRejected ? [] : [conversion.id] }),
    [conversion.id, isRejected],
  );
  const close = () => setOpen(null);
  useShortcuts(mayChange ? [{ key: "r", text: isRejected ? "Reinstate this conversion" : "Reject this conversion", run: () => setOpen(isRejected ? "reinstate" : "reject") }] : []);
  if (!mayChange) return null;
  return (
    <div className="flex flex-wrap gap-2">
      {isRejected ? (
        <Button size="small" onClick={() => setOpen("reinstate")}>
          <RotateCcw aria-hidden />
          Reinstate…
        </Button>
      ) : (
        <Button size="small" onClick={() => setOpen("reject")}>
          <XCircle aria-hidden />
          Reject…
        </Button>
      )}
      <Button size="small" onClick={() => setOpen("amend")}>
        <Pencil aria-hidden />
        Put amounts right…
      </Button>
      <Button size="small" look="quiet" onClick={() => setOpen("note")}>
        <MessageSquarePlus aria-hidden />
        Add a note
      </Button>
      <Suspense>
        {open === "reject" && <RejectDialog chosen={chosen} onClose={close} onDone={close} />}
        {open === "reinstate" && <ReinstateDialog chosen={chosen} onClose={close} onDone={close} />}
        {open === "amend" && <AmendDialog conversion={conversion} onClose={close} />}
        {open === "note" && <NoteDialog id={conversion.id} onClose={close} />}
      </Suspense>
    </div>
  );
}

function Attribution({ conversion }: { conversion: Conversion }) {
  const { click } = conversion;
  return (
    <Facts
      rows={[
        ["Transaction", <CopiedId text={conversion.transactionId} what="the transaction id" />],
        ["Conversion", <CopiedId text={conversion.id} what="the id" />],
        [
          "Offer",
          <Link to="/offers/$offerId" params={{ offerId: conversion.offer.id }} className="text-accent-ink hover:underline">
            {conversion.offer.name}
          </Link>,
        ],
        [
          "Publisher",
          <Link to="/publishers" search={{ open: conversion.publisher.id }} className="text-accent-ink hover:underline">
            {conversion.publisher.name}
          </Link>,
        ],
        [
          "Advertiser",
          <Link to="/advertisers" search={{ open: conversion.advertiser.id }} className="text-accent-ink hover:underline">
            {conversion.advertiser.name}
          </Link>,
        ],
        ["Came in", SOURCE_TEXT[conversion.source]],
        ...given("Secure token", conversion.secureToken && `${conversion.secureToken.label ?? "Token"} (${conversion.secureToken.hint})`),
        ["Clicked", <MaybeMoment at={conversion.clickedAt} none={conversion.source === "CLICKLESS" ? "without a click" : "not known yet"} />],
        ["Converted", <Moment at={conversion.convertedAt} />],
        ...given("Time between", typeof conversion.sessionTime === "number" && <span className="figures">{durationText(conversion.sessionTime)}</span>),
        ["Recorded", <Moment at={conversion.recordedAt} />],
        ...given("Referrer", click?.referrer),
        ...given("Visitor’s network", click?.ip && <span className="mono">{click.ip}</span>),
        ...given("Visitor’s browser", click?.userAgent),
      ]}
    />
  );
}

function Parameters({ conversion }: { conversion: Conversion }) {
  const mono = (value: string | null | undefined) => value && <span className="mono break-all whitespace-pre-wrap">{value}</span>;
  const rows = [
    ...given("order_id", mono(conversion.orderId)),
    ...given("external_transaction_id", mono(conversion.externalTransactionId)),
    ...given("sub_id", mono(conversion.subId)),
    ...([2, 3, 4, 5, 6] as const).flatMap((number) => given(`sub_id_${number}`, mono(conversion[`subId${number}`]))),
    ...given("adv_sub_id", mono(conversion.advSubId)),
    ...([2, 3, 4, 5, 6] as const).flatMap((number) => given(`adv_sub_id_${number}`, mono(conversion[`advSubId${number}`]))),
    ...given("conversion_ip", mono(conversion.conversionIp)),
    ...given("user_agent", mono(conversion.userAgent)),
    ...given("device_id", mono(conversion.deviceId)),
    ...given("user_email", mono(conversion.userEmailMasked)),
    ...conversion.extraParams.flatMap(({ key, value }) => given(key, mono(value))),
  ];
  return rows.length > 0 ? <Facts rows={rows} /> : <p className="text-sm text-faint">Nothing beside the ids.</p>;
}

function Receipts({ of: { receipts } }: { of: Conversion }) {
  if (receipts.nodes.length === 0) return <p className="text-sm text-faint">None is kept any more.</p>;
  return (
    <>
      <ul className="grid text-sm">
        {receipts.nodes.map((receipt) => (
          <li key={receipt.id} className="flex items-center justify-between gap-3 border-b border-line py-1.5 last:border-0">
            <Link to="/postback-log" search={{ receipt: receipt.id }} className="hover:underline">
              {words(receipt.kind)} <span className="text-faint">{words(receipt.code)}</span>
            </Link>
            <span className="flex items-center gap-2 text-faint">
              <Moment at={receipt.receivedAt} />
              <VerdictPill verdict={receipt.verdict} />
            </span>
          </li>
        ))}
      </ul>
      {receipts.pageInfo.hasNextPage && <p className="text-sm text-faint">These are the newest 20.</p>}
    </>
  );
}

function Deliveries({ id }: { id: string }) {
  const query = useApi(ConversionDeliveriesDocument, { id });
  return (
    <Loaded query={query} skeleton={<Skeleton lines={2} />}>
      {({ conversion }) =>
        !conversion || conversion.deliveries.nodes.length === 0 ? (
          <p className="text-sm text-faint">No outbound postback fired for it.</p>
        ) : (
          <ul className="grid text-sm">
            {conversion.deliveries.nodes.map((delivery) => (
              <li key={delivery.id} className="flex items-center justify-between gap-3 border-b border-line py-1.5 last:border-0">
                <Link to="/publishers/outbound-postbacks" search={{ open: delivery.postback.id }} className="hover:underline">
                  {delivery.postback.name} <span className="text-faint">{words(delivery.moment)}</span>
                </Link>
                <span className="flex items-center gap-2 text-faint">
                  <Moment at={delivery.createdAt} />
                  <DeliveryPill state={delivery.state} />
                </span>
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  );
}
