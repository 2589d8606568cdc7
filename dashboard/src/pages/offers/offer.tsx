// One offer: General with its Conversion Tracking (the URLs that its advertiser is given), settings, publishers.

import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Link2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";

import { OfferPageDocument, type OfferPageQuery } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { priceText } from "@/parts/amount";
import { Button, LinkButton } from "@/parts/button";
import { Checks, words } from "@/parts/checks";
import { Moment } from "@/parts/moment";
import { Card, Facts, Page } from "@/parts/page";
import { OfferPill, TestPill, VerdictPill } from "@/parts/pill";
import { CheckUrl } from "@/parts/try-url/check-url";
import { Empty, Loaded, Notice, Skeleton } from "@/parts/states";
import { Tabs } from "@/parts/tabs";
import { type CardKind, UrlCard } from "@/parts/url-card/url-card";

const OfferSettings = lazy(() => import("./offer-form").then(({ OfferSettings }) => ({ default: OfferSettings })));
const OfferEvents = lazy(() => import("./offer-events").then(({ OfferEvents }) => ({ default: OfferEvents })));
const OfferPublishers = lazy(() => import("./offer-publishers").then(({ OfferPublishers }) => ({ default: OfferPublishers })));
const SendTest = lazy(() => import("@/parts/try-url/send-test").then(({ SendTest }) => ({ default: SendTest })));

type Offer = NonNullable<OfferPageQuery["offer"]>;
type Receipt = NonNullable<Offer["tracking"]["lastReceipt"]>;

const LOOK_MILLIS = 5_000;

const TABS = [
  ["general", "General"],
  ["settings", "Settings"],
  ["events", "Events"],
  ["publishers", "Publishers"],
] as const;

export function OfferPage() {
  const { offerId } = useParams({ from: "/shell/offers/$offerId" });
  const query = useApi(OfferPageDocument, { id: offerId }, { refetchInterval: LOOK_MILLIS });
  return (
    <Loaded query={query} skeleton={<Page title="Offer"><Card><Skeleton lines={8} /></Card></Page>}>
      {({ offer }) => (offer?.id === offerId ? <Shown key={offer.id} offer={offer} /> : <Missing />)}
    </Loaded>
  );
}

function Missing() {
  return (
    <Page title="Offer">
      <Card>
        <Empty title="There is no such offer" action={<LinkButton to="/offers">All offers</LinkButton>} />
      </Card>
    </Page>
  );
}

function Shown({ offer }: { offer: Offer }) {
  const { tab = "general" } = useSearch({ from: "/shell/offers/$offerId" });
  const navigate = useNavigate({ from: "/offers/$offerId" });
  const mayEdit = useMay("MANAGER");
  return (
    <Page
      title={offer.name}
      above={
        <>
          <Link to="/offers" className="hover:underline">
            Offers
          </Link>{" "}
          / <span className="figures">{offer.number}</span>
        </>
      }
      mark={<OfferPill state={offer.state} />}
      actions={
        <LinkButton to="/offers/tracking-links" search={{ offer: offer.id }}>
          <Link2 aria-hidden />
          Tracking link
        </LinkButton>
      }
    >
      <Tabs label="Offer" value={tab} tabs={TABS} onChange={(next) => void navigate({ search: next === "general" ? {} : { tab: next } })}>
        {tab === "general" && <General offer={offer} />}
        <Suspense fallback={<Card><Skeleton lines={8} /></Card>}>
          {tab === "settings" && <OfferSettings key={offer.version} offer={offer} mayEdit={mayEdit} />}
          {tab === "events" && <OfferEvents offerId={offer.id} />}
          {tab === "publishers" && <OfferPublishers offerId={offer.id} currency={offer.currency} payout={offer.payout} />}
        </Suspense>
      </Tabs>
    </Page>
  );
}

function General({ offer }: { offer: Offer }) {
  const mayExplain = useMay("MANAGER");
  return (
    <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_22rem]">
      <div className="grid gap-5">
        <ConversionTracking offer={offer} />
        {mayExplain && <CheckUrl />}
      </div>
      <div className="grid gap-5">
        <LastReceipt offerId={offer.id} receipt={offer.tracking.lastReceipt ?? null} />
        <Card title="Details">
          <Facts
            rows={[
              ["Number", <span className="figures">{offer.number}</span>],
              [
                "Advertiser",
                <Link to="/advertisers" search={{ open: offer.advertiser.id }} className="hover:underline">
                  {offer.advertiser.name}
                </Link>,
              ],
              ["Revenue", <span className="figures">{priceText(offer.revenue)}</span>],
              ["Payout", <span className="figures">{priceText(offer.payout)}</span>],
              ["Landing page", <span className="mono break-all">{offer.landingPageUrl}</span>],
              ["Counts for", `${windowText(offer.tracking.attributionWindowHours)} after the click`],
              ["Approval", offer.tracking.manualApproval ? "By a person" : "At once"],
              ["Publishers", offer.access === "ALL_PUBLISHERS" ? "All" : "Chosen ones"],
              ...(offer.description ? ([["Notes", <span className="whitespace-pre-wrap">{offer.description}</span>]] as const) : []),
            ]}
          />
        </Card>
      </div>
    </div>
  );
}

/** `720` → `30 days`. */
function windowText(hours: number): string {
  if (hours % 24 !== 0) return hours === 1 ? "1 hour" : `${hours} hours`;
  return hours === 24 ? "1 day" : `${hours / 24} days`;
}

const KINDS = {
  conversion: { kind: "CONVERSION", text: "Postback URL", about: "The advertiser's server fires it when a visitor converts." },
  rejection: { kind: "REJECTION", text: "Rejection", about: "Takes a conversion back, with a reason that the publisher may see." },
  clickless: { kind: "CLICKLESS", text: "Clickless", about: "Reports a conversion that no click led to, for a publisher by number." },
  pixel: { kind: "IMAGE_PIXEL", text: "Image Pixel", about: "For advertisers without a server: an image on their thank-you page." },
} as const satisfies Record<string, { kind: CardKind; text: string; about: string }>;
type UrlTab = keyof typeof KINDS;
const URL_TABS = (Object.keys(KINDS) as UrlTab[]).map((tab) => [tab, KINDS[tab].text] as const);

function ConversionTracking({ offer }: { offer: Offer }) {
  const { url: tab = "conversion" } = useSearch({ from: "/shell/offers/$offerId" });
  const navigate = useNavigate({ from: "/offers/$offerId" });
  const { kind, about } = KINDS[tab];
  return (
    <Card title="Conversion Tracking" about="The URLs of this offer, for its advertiser.">
      <Tabs
        label="Conversion Tracking"
        value={tab}
        tabs={URL_TABS}
        onChange={(next) => void navigate({ search: (old) => ({ ...old, url: next }), replace: true, resetScroll: false })}
      >
        <div className="grid gap-4">
          <p className="text-sm text-soft">{about}</p>
          <UrlCard key={tab} kind={kind} offerId={offer.id} cure={<SwitchOn tab={tab} offer={offer} />} blocked={(blocker) => <Blocked tab={tab} blocker={blocker} offerId={offer.id} />} />
        </div>
      </Tabs>
    </Card>
  );
}

/** The URL can be had, but the offer would refuse what it sends: its warning says so. */
function SwitchOn({ tab, offer }: { tab: UrlTab; offer: Offer }) {
  const { clicklessEnabled, pixelEnabled } = offer.tracking;
  const isOff = (tab === "clickless" && !clicklessEnabled) || (tab === "pixel" && !pixelEnabled);
  if (!isOff) return null;
  return (
    <Link to="/offers/$offerId" params={{ offerId: offer.id }} search={{ tab: "settings" }} className="font-medium underline">
      To the settings
    </Link>
  );
}

/** What stands in the way, and the way on. */
function Blocked({ tab, blocker, offerId }: { tab: UrlTab; blocker: string; offerId: string }) {
  return (
    <Notice tone="warn">
      {blocker}{" "}
      {tab === "pixel" ? (
        <Link to="/offers/domains" className="font-medium underline">
          To the domains
        </Link>
      ) : (
        <Link to="/offers/secure-tokens" search={{ create: true, offer: offerId }} className="font-medium underline">
          Create a token
        </Link>
      )}
    </Notice>
  );
}

function LastReceipt({ offerId, receipt }: { offerId: string; receipt: Receipt | null }) {
  const mayTest = useMay("MANAGER");
  const [isTesting, setTesting] = useState(false);
  const test = mayTest && (
    <Button size="small" onClick={() => setTesting(true)}>
      Send test
    </Button>
  );
  return (
    <Card title="Last receipt" about="The newest request about this offer." actions={test}>
      {isTesting && (
        <Suspense>
          <SendTest offerId={offerId} onClose={() => setTesting(false)} />
        </Suspense>
      )}
      {receipt ? (
        <div className="grid gap-3">
          <div className="flex flex-wrap items-center gap-2 text-sm text-soft">
            <VerdictPill verdict={receipt.verdict} />
            {receipt.isTest && <TestPill />}
            <Moment at={receipt.receivedAt} />
          </div>
          <p className="text-sm break-words">
            <span className="font-medium">
              {words(receipt.kind)}: {words(receipt.code).toLowerCase()}.
            </span>{" "}
            {receipt.explanation}
          </p>
          {receipt.suggestedFix && <Notice tone="warn">{receipt.suggestedFix}</Notice>}
          <details>
            <summary className="cursor-pointer text-sm font-medium text-accent-ink">Every check</summary>
            <div className="pt-3">
              <Checks checks={receipt.checks} />
            </div>
          </details>
        </div>
      ) : (
        <p className="text-sm text-faint">
          Nothing has come in yet. Fire the Postback URL with the transaction id of a test click: it appears here within seconds.
        </p>
      )}
    </Card>
  );
}
