// Offers › Tracking Links & Postbacks: the link that a publisher is given, and the Conversion Global Postback, whose URLs
// are good for every offer.

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { MakeTrackingLinkDocument, UrlDomainsDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { CopyButton } from "@/parts/copy";
import { useDelayed } from "@/parts/delayed";
import { Choice, Field, Select, TextInput } from "@/parts/field";
import { Picker } from "@/parts/lookup/picker";
import { localText } from "@/parts/moment";
import { Card, Page } from "@/parts/page";
import { Loaded, Notice, Skeleton } from "@/parts/states";
import { Tabs } from "@/parts/tabs";
import { MaskedUrl } from "@/parts/url-card/masked-url";
import { type CardKind, UrlCard } from "@/parts/url-card/url-card";

export function TrackingLinks() {
  return (
    <Page title="Tracking Links & Postbacks" about="What a publisher is given, and what an advertiser is given.">
      <div className="grid items-start gap-5 xl:grid-cols-2">
        <TrackingLink />
        <GlobalPostback />
      </div>
    </Page>
  );
}

const SUB_IDS = ["sub_id2", "sub_id3", "sub_id4", "sub_id5", "sub_id6"] as const;

interface Wishes {
  subId: string;
  externalTransactionId: string;
  domainId: string;
  kind: "standard" | "test";
  more: Partial<Record<(typeof SUB_IDS)[number], string>>;
}

function TrackingLink() {
  const { offer, publisher } = useSearch({ from: "/shell/offers/tracking-links" });
  const navigate = useNavigate({ from: "/offers/tracking-links" });
  const mayTest = useMay("MANAGER");
  const [wishes, setWishes] = useState<Wishes>({ subId: "", externalTransactionId: "", domainId: "", kind: "standard", more: {} });
  const set = (change: Partial<Wishes>) => setWishes((old) => ({ ...old, ...change }));
  const choose = (change: { offer?: string; publisher?: string }) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true, resetScroll: false });
  return (
    <Card title="Tracking link" about="For a publisher: every visitor who follows it gets a transaction id.">
      <div className="grid gap-4">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Offer">{(control) => <Picker noun="offer" {...control} value={offer} onChange={(id) => choose({ offer: id })} />}</Field>
          <Field label="Publisher">
            {(control) => <Picker noun="publisher" {...control} value={publisher} onChange={(id) => choose({ publisher: id })} />}
          </Field>
          <Field label="Sub id" optional hint="Of the publisher: comes back with the conversion.">
            {(control) => <TextInput {...control} className="mono" value={wishes.subId} onChange={(event) => set({ subId: event.target.value })} />}
          </Field>
          <Field label="Their own click id" optional hint="A literal, or their placeholder.">
            {(control) => (
              <TextInput
                {...control}
                className="mono"
                placeholder="{click_id}"
                value={wishes.externalTransactionId}
                onChange={(event) => set({ externalTransactionId: event.target.value })}
              />
            )}
          </Field>
        </div>
        <details className="rounded-md border border-line">
          <summary className="cursor-pointer px-3 py-2 text-sm font-medium select-none">More sub ids</summary>
          <div className="grid gap-4 border-t border-line p-3 sm:grid-cols-2">
            {SUB_IDS.map((name) => (
              <Field key={name} label={<span className="mono">{name}</span>}>
                {(control) => (
                  <TextInput
                    {...control}
                    className="mono"
                    value={wishes.more[name] ?? ""}
                    onChange={(event) => set({ more: { ...wishes.more, [name]: event.target.value } })}
                  />
                )}
              </Field>
            ))}
          </div>
        </details>
        <div className="flex flex-wrap items-end gap-4">
          <DomainSelect value={wishes.domainId} onChange={(domainId) => set({ domainId })} />
          {mayTest && (
            <Choice
              label="Kind of link"
              value={wishes.kind}
              onChange={(kind) => set({ kind })}
              options={[
                ["standard", "Standard"],
                ["test", "Test"],
              ]}
            />
          )}
        </div>
        {offer && publisher ? (
          <Made offer={offer} publisher={publisher} wishes={wishes} />
        ) : (
          <Notice>Choose an offer and a publisher: the link appears here.</Notice>
        )}
      </div>
    </Card>
  );
}

function DomainSelect({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  const { data } = useApi(UrlDomainsDocument, {});
  const usable = data?.trackingDomains.filter(({ state }) => state === "ACTIVE" || state === "FAILING") ?? [];
  if (usable.length === 0) return null;
  return (
    <div className="min-w-52">
      <Field label="Domain">
        {(control) => (
          <Select {...control} value={value} onChange={(event) => onChange(event.target.value)}>
            <option value="">Default</option>
            {usable.map(({ id, hostname }) => (
              <option key={id} value={id}>
                {hostname}
              </option>
            ))}
          </Select>
        )}
      </Field>
    </div>
  );
}

function Made({ offer, publisher, wishes }: { offer: string; publisher: string; wishes: Wishes }) {
  const { subId, externalTransactionId, domainId, kind, more } = useDelayed(wishes);
  const params = Object.entries(more).flatMap(([name, value]) => (value ? [{ name, value }] : []));
  const query = useApi(MakeTrackingLinkDocument, {
    input: {
      offerId: offer,
      publisherId: publisher,
      subId: subId || null,
      externalTransactionId: externalTransactionId || null,
      domainId: domainId || null,
      test: kind === "test",
      params: params.length > 0 ? params : null,
    },
  });
  return (
    <Loaded query={query} skeleton={<Skeleton lines={2} />}>
      {({ trackingLink: { url, testUntil, warnings } }) => (
        <div className="grid gap-3">
          <div className={`rounded-md border border-line bg-sunken ${query.isStale ? "opacity-60" : ""}`}>
            <MaskedUrl text={url} />
            <div className="flex flex-wrap items-center gap-2 border-t border-line p-2">
              <CopyButton look="primary" size="small" label="Copy link" text={url} disabled={query.isStale} />
              <a href={url} target="_blank" rel="noreferrer" className="px-2 text-sm font-medium text-accent-ink hover:underline">
                Follow it
              </a>
            </div>
          </div>
          {testUntil && <Notice>A test link: counts in no figure, works before the offer is active, and ends {localText(testUntil)}.</Notice>}
          {warnings.map((warning) => (
            <Notice key={warning} tone="warn">
              {warning}
            </Notice>
          ))}
        </div>
      )}
    </Loaded>
  );
}

const KINDS = {
  conversion: { kind: "CONVERSION", text: "Conversion", about: "Reports a conversion of any offer: the transaction id says which." },
  rejection: { kind: "REJECTION", text: "Rejection", about: "Takes a conversion of any offer back, with a reason." },
  clickless: { kind: "CLICKLESS", text: "Clickless", about: "Reports a conversion that no click led to: the URL says which offer and publisher." },
} as const satisfies Record<string, { kind: CardKind; text: string; about: string }>;
type UrlTab = keyof typeof KINDS;
const URL_TABS = (Object.keys(KINDS) as UrlTab[]).map((tab) => [tab, KINDS[tab].text] as const);

function GlobalPostback() {
  const { url: tab = "conversion" } = useSearch({ from: "/shell/offers/tracking-links" });
  const navigate = useNavigate({ from: "/offers/tracking-links" });
  const { kind, about } = KINDS[tab];
  return (
    <Card title="Conversion Global Postback" about="For an advertiser with several offers: one URL for all of them.">
      <Tabs
        label="Conversion Global Postback"
        value={tab}
        tabs={URL_TABS}
        onChange={(next) => void navigate({ search: (old) => ({ ...old, url: next }), replace: true, resetScroll: false })}
      >
        <div className="grid gap-4">
          <p className="text-sm text-soft">{about}</p>
          <UrlCard
            key={tab}
            kind={kind}
            blocked={(blocker) => (
              <Notice tone="warn">
                {blocker}{" "}
                <Link to="/offers/secure-tokens" search={{ create: true, scope: "GLOBAL" }} className="font-medium underline">
                  Create a global token
                </Link>
              </Notice>
            )}
          />
        </div>
      </Tabs>
    </Card>
  );
}
