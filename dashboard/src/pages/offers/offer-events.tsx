// The events of an offer: results after the conversion (a registration, a deposit), each with its number, its exact name
// and its money. The list is saved as a whole; what is taken off it keeps its number.

import { Plus, X } from "lucide-react";
import { useState } from "react";

import { type Problem, useChange } from "@/api/change";
import { OfferEventsDocument, type OfferEventsQuery, SetOfferEventsDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { priceText } from "@/parts/amount";
import { Button, IconButton } from "@/parts/button";
import { Field, TextInput } from "@/parts/field";
import { Problems } from "@/parts/form";
import { Moment } from "@/parts/moment";
import { Card } from "@/parts/page";
import { Empty, Loaded } from "@/parts/states";
import { toast } from "@/parts/toast";
import { PriceField, priceInput, type PriceText, typedPrice } from "./offer-form";

type Offer = NonNullable<OfferEventsQuery["offer"]>;

/** An event as it is typed. */
interface Row {
  key: number;
  number: string;
  name: string;
  revenue: PriceText;
  payout: PriceText;
}

const EVENTS_MAX = 50;

export function OfferEvents({ offerId }: { offerId: string }) {
  const query = useApi(OfferEventsDocument, { id: offerId });
  const mayEdit = useMay("MANAGER");
  return (
    <Loaded query={query}>
      {({ offer }) =>
        offer && (
          <div className="grid gap-5">
            {mayEdit ? <Editor key={offer.version} offer={offer} /> : <Shown offer={offer} />}
            <Removed offer={offer} />
          </div>
        )
      }
    </Loaded>
  );
}

const ABOUT = "What else an advertiser reports for the same click: a postback with event_id or event_name. The conversion itself comes first.";

function Editor({ offer }: { offer: Offer }) {
  const set = useChange(SetOfferEventsDocument, (data) => data.offerEventsSet);
  const [saved] = useState(() => live(offer).map(typed));
  const [rows, setRows] = useState(saved);
  const [problems, setProblems] = useState<Problem[]>([]);
  const change = (key: number, next: Partial<Row>) => setRows(rows.map((row) => (row.key === key ? { ...row, ...next } : row)));
  const isEvent = (problem: Problem) => problem.field?.[0] === "events" && problem.field.length === 3;
  const problem = (index: number, field: string) =>
    problems.find((one) => isEvent(one) && one.field?.[1] === String(index) && one.field[2] === field)?.message;

  const isUnchanged = JSON.stringify(rows) === JSON.stringify(saved);

  const add = () => {
    const numbers = [...offer.events.map((event) => event.number), ...rows.flatMap((row) => [Number(row.number), row.key])];
    const next = Math.max(0, ...numbers) + 1;
    const price: PriceText = { kind: "fixed", text: "" };
    setRows([...rows, { key: next, number: String(next), name: "", revenue: price, payout: price }]);
  };
  const save = async () => {
    const outcome = await set.run({
      id: offer.id,
      version: offer.version,
      events: rows.map((row) => ({
        number: Number(row.number),
        name: row.name,
        revenue: priceInput(row.revenue),
        payout: priceInput(row.payout),
      })),
    });
    setProblems(outcome.problems);
    if (outcome.payload) toast("The events are saved.");
  };

  return (
    <Card title="Events" about={ABOUT}>
      <div className="grid gap-4">
        <Problems problems={problems.filter((one) => !isEvent(one))} />
        {rows.length === 0 && (
          <Empty title="No events yet">
            Add one where an advertiser pays for more than the first result, such as a deposit after a registration.
          </Empty>
        )}
        {rows.map((row, index) => (
          <div key={row.key} className="grid items-start gap-3 border-b border-line pb-4 lg:grid-cols-[6rem_1fr_1fr_1fr_auto]">
            <Field label="Number" problem={problem(index, "number")}>
              {(control) => (
                <TextInput
                  {...control}
                  inputMode="numeric"
                  className="figures"
                  value={row.number}
                  onChange={(event) => change(row.key, { number: event.target.value.replace(/\D/g, "") })}
                />
              )}
            </Field>
            <Field label="Name" problem={problem(index, "name")}>
              {(control) => <TextInput {...control} value={row.name} onChange={(event) => change(row.key, { name: event.target.value })} />}
            </Field>
            <PriceField
              label="Revenue"
              currency={offer.currency}
              value={row.revenue}
              onChange={(revenue) => change(row.key, { revenue })}
              problem={problem(index, "revenue")}
            />
            <PriceField
              label="Payout"
              currency={offer.currency}
              value={row.payout}
              onChange={(payout) => change(row.key, { payout })}
              problem={problem(index, "payout")}
            />
            <IconButton label={`Remove ${row.name || "this event"}`} className="lg:mt-7" onClick={() => setRows(rows.filter((one) => one.key !== row.key))}>
              <X aria-hidden />
            </IconButton>
          </div>
        ))}
        <div className="flex flex-wrap justify-between gap-2">
          <Button disabled={rows.length >= EVENTS_MAX} onClick={add}>
            <Plus aria-hidden />
            Add an event
          </Button>
          {(rows.length > 0 || !isUnchanged) && (
            <Button look="primary" disabled={set.isRunning || isUnchanged} onClick={() => void save()}>
              {set.isRunning ? "Saving…" : "Save the events"}
            </Button>
          )}
        </div>
      </div>
    </Card>
  );
}

function Shown({ offer }: { offer: Offer }) {
  const events = live(offer);
  return (
    <Card title="Events" about={ABOUT}>
      {events.length === 0 ? (
        <Empty title="No events" />
      ) : (
        <ul className="grid gap-2 text-sm">
          {events.map((event) => (
            <li key={event.number} className="flex flex-wrap gap-x-4">
              <span className="figures w-8 text-faint">{event.number}</span>
              <span className="grow font-medium">{event.name}</span>
              <span className="figures">
                {priceText(event.revenue)} in, {priceText(event.payout)} out
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Removed({ offer }: { offer: Offer }) {
  const removed = offer.events.filter((event) => event.removedAt);
  if (removed.length === 0) return null;
  return (
    <Card title="Removed" about="What was recorded for them stays. Adding the number again brings one back.">
      <ul className="grid gap-1.5 text-sm">
        {removed.map((event) => (
          <li key={event.number} className="flex flex-wrap gap-x-4 text-soft">
            <span className="figures w-8 text-faint">{event.number}</span>
            <span className="grow">{event.name}</span>
            {event.removedAt && <Moment at={event.removedAt} />}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function live(offer: Offer) {
  return offer.events.filter((event) => !event.removedAt && event.number > 0);
}

function typed(event: Offer["events"][number]): Row {
  return {
    key: event.number,
    number: String(event.number),
    name: event.name,
    revenue: typedPrice(event.revenue),
    payout: typedPrice(event.payout),
  };
}
