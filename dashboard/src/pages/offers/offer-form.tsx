// What is typed about an offer: at its creation the few things that it needs, later all of its settings.

import { useState } from "react";

import { useChange, useCreate } from "@/api/change";
import {
  CreateOfferDocument,
  type OfferFormFragment,
  type OfferInput,
  type PriceInput,
  type PricePartsFragment,
  UpdateOfferDocument,
} from "@/api/gql/graphql";
import { Dialog } from "@/parts/dialog";
import { Choice, Field, Select, Switch, TextArea, TextInput } from "@/parts/field";
import { Form, type FormState, useForm } from "@/parts/form";
import { Picker } from "@/parts/lookup/picker";
import { Card } from "@/parts/page";
import { toast } from "@/parts/toast";

/** A price as it is typed. */
export interface PriceText {
  kind: "fixed" | "percent";
  text: string;
}

const EXAMPLE_LANDING = "https://shop.example/landing?click_id={transaction_id}";

export function priceInput({ kind, text }: PriceText): PriceInput {
  const value = text.trim();
  return kind === "fixed" ? { fixed: value } : { percent: value };
}

export function typedPrice(price: PricePartsFragment): PriceText {
  return price.fixed ? { kind: "fixed", text: price.fixed.amount } : { kind: "percent", text: price.percent ?? "" };
}

export function PriceField({
  label,
  currency,
  value,
  onChange,
  problem,
  hint,
}: {
  label: string;
  currency: string;
  value: PriceText;
  onChange: (value: PriceText) => void;
  problem?: string;
  hint?: string;
}) {
  return (
    <Field label={label} problem={problem} hint={hint}>
      {(control) => (
        <div className="flex gap-2">
          <TextInput
            {...control}
            inputMode="decimal"
            className="figures"
            placeholder={value.kind === "fixed" ? "10.00" : "7.5"}
            value={value.text}
            onChange={(event) => onChange({ ...value, text: event.target.value })}
          />
          <Choice
            label={`${label} as`}
            value={value.kind}
            onChange={(kind) => onChange({ ...value, kind })}
            options={[
              ["fixed", currency || "Fixed"],
              ["percent", "%"],
            ]}
          />
        </div>
      )}
    </Field>
  );
}

export function NewOffer({ onClose, onDone }: { onClose: () => void; onDone: (id: string) => void }) {
  const create = useCreate(CreateOfferDocument, (data) => data.offerCreate);
  const form = useForm(
    {
      name: "",
      advertiserId: undefined as string | undefined,
      landingPageUrl: "",
      currency: "",
      revenue: { kind: "fixed", text: "" } as PriceText,
      payout: { kind: "fixed", text: "" } as PriceText,
      number: "",
    },
    ({ name, advertiserId, landingPageUrl, currency, revenue, payout, number }) =>
      create.run({
        offer: {
          name,
          advertiserId: advertiserId ?? null,
          landingPageUrl,
          currency: currency.trim().toUpperCase() || null,
          revenue: revenue.text.trim() ? priceInput(revenue) : null,
          payout: payout.text.trim() ? priceInput(payout) : null,
          number: number.trim() ? Number(number) : null,
        },
      }),
    ({ offer }) => {
      toast(`${offer?.name ?? "The offer"} is made.`);
      if (offer) onDone(offer.id);
    },
  );
  return (
    <Dialog title="New offer" onClose={onClose}>
      <Form form={form} action="Create the offer" busyText="Creating…" onCancel={onClose}>
        <NameField form={form} />
        <Field label="Advertiser" problem={form.problem("advertiserId")} hint="Who pays for its conversions.">
          {(control) => (
            <Picker noun="advertiser" {...control} value={form.values.advertiserId} onChange={(id) => form.set("advertiserId", id)} />
          )}
        </Field>
        <LandingField form={form} />
        <div className="grid gap-4 sm:grid-cols-2">
          <PriceField
            label="Revenue"
            currency={form.values.currency.toUpperCase()}
            value={form.values.revenue}
            onChange={(price) => form.set("revenue", price)}
            problem={form.problem("revenue")}
            hint="Paid to you."
          />
          <PriceField
            label="Payout"
            currency={form.values.currency.toUpperCase()}
            value={form.values.payout}
            onChange={(price) => form.set("payout", price)}
            problem={form.problem("payout")}
            hint="Paid to the publisher."
          />
          <Field label="Currency" hint="Of all its money." problem={form.problem("currency")}>
            {(control) => (
              <TextInput
                {...control}
                className="mono uppercase"
                maxLength={3}
                placeholder="EUR"
                value={form.values.currency}
                onChange={(event) => form.set("currency", event.target.value)}
              />
            )}
          </Field>
          <Field label="Number" optional problem={form.problem("number")} hint="Of offer= in links; else the next free one.">
            {(control) => (
              <TextInput
                {...control}
                inputMode="numeric"
                className="figures"
                value={form.values.number}
                onChange={(event) => form.set("number", event.target.value.replace(/\D/g, ""))}
              />
            )}
          </Field>
        </div>
      </Form>
    </Dialog>
  );
}

function NameField<T extends { name: string }>({ form }: { form: FormState<T> }) {
  return (
    <Field label="Name" problem={form.problem("name")}>
      {(control) => <TextInput {...control} value={form.values.name} onChange={(event) => form.set("name", event.target.value as T["name"])} />}
    </Field>
  );
}

function LandingField<T extends { landingPageUrl: string }>({ form }: { form: FormState<T> }) {
  return (
    <Field
      label="Landing page"
      problem={form.problem("landingPageUrl")}
      hint={
        <>
          Where a click goes. It must hold <span className="mono">{"{transaction_id}"}</span>, which comes back with the postback.
        </>
      }
    >
      {(control) => (
        <TextInput
          {...control}
          className="mono"
          placeholder={EXAMPLE_LANDING}
          value={form.values.landingPageUrl}
          onChange={(event) => form.set("landingPageUrl", event.target.value as T["landingPageUrl"])}
        />
      )}
    </Field>
  );
}

/** All settings of an offer; only what was changed is sent, so two people can change different things. */
export function OfferSettings({ offer, mayEdit }: { offer: OfferFormFragment; mayEdit: boolean }) {
  const update = useChange(UpdateOfferDocument, (data) => data.offerUpdate);
  const [saved, setSaved] = useState(() => typed(offer));
  const form = useForm(
    saved,
    async (values) => update.run({ id: offer.id, version: offer.version, offer: changes(saved, values) }),
    () => {
      setSaved(form.values);
      toast(`${form.values.name} is saved.`);
    },
  );
  const { values, set, problem } = form;
  return (
    <fieldset disabled={!mayEdit} className="contents">
      <Form form={form} action="Save">
        <Card title="Details">
          <div className="grid gap-4 lg:grid-cols-2">
            <NameField form={form} />
            <Field label="Advertiser" problem={problem("advertiserId")}>
              {(control) => <Picker noun="advertiser" {...control} value={values.advertiserId} onChange={(id) => id && set("advertiserId", id)} />}
            </Field>
            <LandingField form={form} />
            <Field label="Fallback URL" optional problem={problem("fallbackUrl")} hint="Where a refused click goes.">
              {(control) => (
                <TextInput {...control} className="mono" value={values.fallbackUrl} onChange={(event) => set("fallbackUrl", event.target.value)} />
              )}
            </Field>
            <Field label="Status" problem={problem("state")}>
              {(control) => (
                <Select {...control} value={values.state} onChange={(event) => set("state", event.target.value as typeof values.state)}>
                  <option value="ACTIVE">Active: takes clicks and conversions</option>
                  <option value="PAUSED">Paused: refuses clicks, goes on converting those it has</option>
                  <option value="ARCHIVED">Archived: takes neither</option>
                </Select>
              )}
            </Field>
            <Field label="Notes" optional hint="For people in the network only." problem={problem("description")}>
              {(control) => <TextArea {...control} rows={2} value={values.description} onChange={(event) => set("description", event.target.value)} />}
            </Field>
          </div>
        </Card>
        <Card title="Money" about={`In ${offer.currency}. A publisher may have a payout of its own.`}>
          <div className="grid gap-4 lg:grid-cols-3">
            <PriceField label="Revenue" currency={offer.currency} value={values.revenue} onChange={(price) => set("revenue", price)} problem={problem("revenue")} hint="Paid to you." />
            <PriceField label="Payout" currency={offer.currency} value={values.payout} onChange={(price) => set("payout", price)} problem={problem("payout")} hint="Paid to the publisher." />
            <Field label="Payout ceiling" optional problem={problem("payoutCeiling")} hint="A payout above it waits for a person.">
              {(control) => (
                <TextInput {...control} inputMode="decimal" className="figures" value={values.payoutCeiling} onChange={(event) => set("payoutCeiling", event.target.value)} />
              )}
            </Field>
            <Switch label="Count the revenue that is sent" hint="The advertiser's amount instead of yours." checked={values.trustWireRevenue} onChange={(on) => set("trustWireRevenue", on)} />
            <Switch label="Count the payout that is sent" hint="Up to the payout ceiling." checked={values.trustWirePayout} onChange={(on) => set("trustWirePayout", on)} />
            <Switch label="Refuse amounts that cannot be read" hint="Otherwise such a conversion waits for a person." checked={values.strictAmounts} onChange={(on) => set("strictAmounts", on)} />
          </div>
        </Card>
        <Card title="Conversions">
          <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-4">
            <Switch label="A person approves each" hint="Every conversion waits as Pending." checked={values.manualApproval} onChange={(on) => set("manualApproval", on)} />
            <Switch label="Clickless conversions" hint="Reported without a click, by publisher." checked={values.clicklessEnabled} onChange={(on) => set("clicklessEnabled", on)} />
            <Switch label="Image pixels" hint="Reported by the visitor's browser." checked={values.pixelEnabled} onChange={(on) => set("pixelEnabled", on)} />
            <Switch label="Trust the pixel" hint="Its conversions need no postback to confirm them." checked={values.trustPixel} onChange={(on) => set("trustPixel", on)} />
            <Field label="Counts for" hint="Hours between click and conversion." problem={problem("attributionWindowHours")}>
              {(control) => <NumberInput {...control} value={values.attributionWindowHours} onChange={(text) => set("attributionWindowHours", text)} />}
            </Field>
            <Field label="One transaction may have" problem={problem("duplicatePolicy")}>
              {(control) => (
                <Select {...control} value={values.duplicatePolicy} onChange={(event) => set("duplicatePolicy", event.target.value as typeof values.duplicatePolicy)}>
                  <option value="ONE_PER_TRANSACTION">One conversion</option>
                  <option value="ONE_PER_ORDER">One for each order number</option>
                </Select>
              )}
            </Field>
            <Field label="Repeats within" hint="Seconds in which an identical postback is a repeat." problem={problem("repeatWindowSeconds")}>
              {(control) => <NumberInput {...control} value={values.repeatWindowSeconds} onChange={(text) => set("repeatWindowSeconds", text)} />}
            </Field>
            <Field label="Clickless repeats within" hint="Seconds." problem={problem("clicklessRepeatWindowSeconds")}>
              {(control) => <NumberInput {...control} value={values.clicklessRepeatWindowSeconds} onChange={(text) => set("clicklessRepeatWindowSeconds", text)} />}
            </Field>
          </div>
        </Card>
        <Card title="Rejections without a token" about="For advertisers whose system cannot send one: by the transaction id alone, from their own addresses.">
          <div className="grid gap-4 lg:grid-cols-2">
            <Switch label="Allow them" checked={values.rejectWithoutSecure} onChange={(on) => set("rejectWithoutSecure", on)} />
            <Field label="Addresses or networks" optional hint="One a line, such as 192.0.2.0/24." problem={problem("rejectSourceIps")}>
              {(control) => (
                <TextArea {...control} className="mono" value={values.rejectSourceIps} onChange={(event) => set("rejectSourceIps", event.target.value)} />
              )}
            </Field>
          </div>
        </Card>
      </Form>
    </fieldset>
  );
}

function NumberInput({ value, onChange, ...rest }: { value: string; onChange: (text: string) => void } & Omit<React.ComponentProps<"input">, "value" | "onChange">) {
  return <TextInput {...rest} inputMode="numeric" className="figures" value={value} onChange={(event) => onChange(event.target.value.replace(/\D/g, ""))} />;
}

/** Numbers and lists as they stand in their fields. */
function typed(offer: OfferFormFragment) {
  const { tracking } = offer;
  return {
    name: offer.name,
    advertiserId: offer.advertiser.id,
    landingPageUrl: offer.landingPageUrl,
    fallbackUrl: offer.fallbackUrl ?? "",
    state: offer.state,
    description: offer.description ?? "",
    revenue: typedPrice(offer.revenue),
    payout: typedPrice(offer.payout),
    payoutCeiling: offer.payoutCeiling?.amount ?? "",
    trustWireRevenue: tracking.trustWireRevenue,
    trustWirePayout: tracking.trustWirePayout,
    strictAmounts: tracking.strictAmounts,
    manualApproval: tracking.manualApproval,
    clicklessEnabled: tracking.clicklessEnabled,
    pixelEnabled: tracking.pixelEnabled,
    trustPixel: tracking.trustPixel,
    attributionWindowHours: String(tracking.attributionWindowHours),
    duplicatePolicy: tracking.duplicatePolicy,
    repeatWindowSeconds: String(tracking.repeatWindowSeconds),
    clicklessRepeatWindowSeconds: String(tracking.clicklessRepeatWindowSeconds),
    rejectWithoutSecure: tracking.rejectWithoutSecure,
    rejectSourceIps: tracking.rejectSourceIps.join("\n"),
  };
}

type Typed = ReturnType<typeof typed>;

function changes(before: Typed, after: Typed): OfferInput {
  const whole: { [K in keyof Typed]: OfferInput[K] } = {
    ...after,
    fallbackUrl: after.fallbackUrl.trim() || null,
    description: after.description.trim() || null,
    revenue: priceInput(after.revenue),
    payout: priceInput(after.payout),
    payoutCeiling: after.payoutCeiling.trim() || null,
    attributionWindowHours: Number(after.attributionWindowHours),
    repeatWindowSeconds: Number(after.repeatWindowSeconds),
    clicklessRepeatWindowSeconds: Number(after.clicklessRepeatWindowSeconds),
    rejectSourceIps: after.rejectSourceIps.split(/\s+/).filter(Boolean),
  };
  const isChanged = (key: string) => JSON.stringify(before[key as keyof Typed]) !== JSON.stringify(after[key as keyof Typed]);
  return Object.fromEntries(Object.entries(whole).filter(([key]) => isChanged(key)));
}
