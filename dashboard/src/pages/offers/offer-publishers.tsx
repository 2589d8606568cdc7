// Who may promote an offer, and what each is paid on it.

import { Plus, X } from "lucide-react";
import { useState } from "react";

import { useChange } from "@/api/change";
import {
  OfferPublishersDocument,
  type OfferPublishersQuery,
  type PricePartsFragment,
  SetOfferPublishersDocument,
  SetRateDocument,
  UpdateOfferDocument,
} from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { priceText } from "@/parts/amount";
import { Button, IconButton } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Choice, Field } from "@/parts/field";
import { Form, Problems, useForm } from "@/parts/form";
import { Picker } from "@/parts/lookup/picker";
import { Card } from "@/parts/page";
import { PartnerPill } from "@/parts/pill";
import { Empty, Loaded, Notice } from "@/parts/states";
import { toast } from "@/parts/toast";
import { PriceField } from "./offer-form";

type Offer = NonNullable<OfferPublishersQuery["offer"]>;
type Rate = Offer["rates"]["nodes"][number];

/** A longer list of chosen publishers is not changed here: all of it has to be sent. */
const CHOSEN_MAX = 200;

interface Props {
  offerId: string;
  currency: string;
  payout: PricePartsFragment;
}

export function OfferPublishers({ offerId, currency, payout }: Props) {
  const query = useApi(OfferPublishersDocument, { id: offerId, first: CHOSEN_MAX });
  return (
    <Loaded query={query}>
      {({ offer }) =>
        offer && (
          <div className="grid gap-5">
            <Access offer={offer} />
            <Rates offer={offer} currency={currency} payout={payout} />
          </div>
        )
      }
    </Loaded>
  );
}

function Access({ offer }: { offer: Offer }) {
  const mayEdit = useMay("MANAGER");
  const update = useChange(UpdateOfferDocument, (data) => data.offerUpdate);
  const setPublishers = useChange(SetOfferPublishersDocument, (data) => data.offerPublishersSet);
  const [problems, setProblems] = useState<Parameters<typeof Problems>[0]["problems"]>([]);
  const chosen = offer.publishers.nodes;
  const isWhole = !offer.publishers.pageInfo.hasNextPage;
  const isChosen = offer.access === "CHOSEN_PUBLISHERS";

  const send = async (ids: string[]) => {
    const outcome = await setPublishers.run({ id: offer.id, version: offer.version, publisherIds: ids });
    setProblems(outcome.problems);
  };
  const setAccess = async (access: Offer["access"]) => {
    const outcome = await update.run({ id: offer.id, version: offer.version, offer: { access } });
    setProblems(outcome.problems);
  };

  return (
    <Card
      title="Who may promote it"
      actions={
        mayEdit && (
          <Choice
            label="Who may promote it"
            value={offer.access}
            onChange={(access) => void setAccess(access)}
            options={[
              ["ALL_PUBLISHERS", "Every active publisher"],
              ["CHOSEN_PUBLISHERS", "Chosen ones"],
            ]}
          />
        )
      }
    >
      <div className="grid gap-3">
        <Problems problems={problems} />
        {!isChosen && <p className="text-sm text-soft">Every active publisher may send visitors to it.</p>}
        {isChosen && chosen.length === 0 && <Notice tone="warn">Nobody is chosen: every click is refused.</Notice>}
        {isChosen && !isWhole && <Notice>These are the first {CHOSEN_MAX}. So long a list is changed through the API.</Notice>}
        {isChosen && (
          <ul className="flex flex-wrap gap-2">
            {chosen.map(({ id, name, number }) => (
              <li key={id} className="flex items-center gap-1 rounded-full border border-line bg-sunken py-0.5 pr-1 pl-3 text-sm">
                {name} <span className="figures text-faint">{number}</span>
                {mayEdit && isWhole && (
                  <IconButton label={`Take ${name} off the list`} onClick={() => void send(chosen.map((one) => one.id).filter((one) => one !== id))}>
                    <X aria-hidden />
                  </IconButton>
                )}
              </li>
            ))}
          </ul>
        )}
        {isChosen && mayEdit && isWhole && (
          <div className="max-w-sm">
            <Field label="Add a publisher">
              {(control) => (
                <Picker
                  noun="publisher"
                  {...control}
                  value={undefined}
                  onChange={(id) => id && !chosen.some((one) => one.id === id) && void send([...chosen.map((one) => one.id), id])}
                />
              )}
            </Field>
          </div>
        )}
      </div>
    </Card>
  );
}

function Rates({ offer, currency, payout }: { offer: Offer; currency: string; payout: PricePartsFragment }) {
  const mayEdit = useMay("MANAGER");
  const [edited, setEdited] = useState<Rate | "new" | null>(null);
  const end = useChange(SetRateDocument, (data) => data.publisherRateSet);
  const rates = offer.rates.nodes;
  const remove = async (rate: Rate) => {
    const variables = { offerId: offer.id, publisherId: rate.publisher.id };
    const { payload, problems } = await end.run({ ...variables, payout: null });
    if (!payload) {
      toast(problems.map(({ message }) => message).join(" "), { tone: "bad" });
      return;
    }
    const before = rate.payout.fixed ? { fixed: rate.payout.fixed.amount } : { percent: rate.payout.percent ?? "0" };
    toast(`${rate.publisher.name} is paid the offer's payout again.`, { undo: () => void end.run({ ...variables, payout: before }) });
  };
  return (
    <Card
      title="Payouts of their own"
      about={`Everybody else is paid ${priceText(payout)}.`}
      isFlush
      actions={
        mayEdit && (
          <Button size="small" onClick={() => setEdited("new")}>
            <Plus aria-hidden />
            Add
          </Button>
        )
      }
    >
      {rates.length === 0 ? (
        <Empty title="No publisher has a payout of its own" />
      ) : (
        <div className="overflow-x-auto">
          <table className="w-full text-sm" aria-label="Payouts of their own">
            <thead className="border-b border-line bg-sunken/60 text-left text-xs text-faint">
              <tr>
                <th scope="col" className="px-5 py-2 font-medium">
                  Publisher
                </th>
                <th scope="col" className="px-3 py-2 font-medium max-sm:hidden">
                  Status
                </th>
                <th scope="col" className="px-3 py-2 text-right font-medium">
                  Payout
                </th>
                <th scope="col" className="px-5 py-2">
                  <span className="sr-only">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {rates.map((rate) => (
                <tr key={rate.publisher.id} className="border-b border-line last:border-0">
                  <td className="px-5 py-2">
                    {rate.publisher.name} <span className="figures text-faint">{rate.publisher.number}</span>
                  </td>
                  <td className="px-3 py-2 max-sm:hidden">
                    <PartnerPill state={rate.publisher.state} />
                  </td>
                  <td className="figures px-3 py-2 text-right">{priceText(rate.payout)}</td>
                  <td className="px-5 py-1 text-right">
                    {mayEdit && (
                      <>
                        <Button size="small" look="quiet" onClick={() => setEdited(rate)}>
                          Change
                        </Button>
                        <Button size="small" look="quiet" onClick={() => void remove(rate)}>
                          End
                        </Button>
                      </>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {offer.rates.pageInfo.hasNextPage && <p className="px-5 py-3 text-sm text-faint">These are the first 200.</p>}
        </div>
      )}
      {edited && <RateDialog offerId={offer.id} currency={currency} rate={edited === "new" ? null : edited} onClose={() => setEdited(null)} />}
    </Card>
  );
}

function RateDialog({ offerId, currency, rate, onClose }: { offerId: string; currency: string; rate: Rate | null; onClose: () => void }) {
  const set = useChange(SetRateDocument, (data) => data.publisherRateSet);
  const kind: "fixed" | "percent" = rate?.payout.percent ? "percent" : "fixed";
  const form = useForm(
    { publisherId: rate?.publisher.id, payout: { kind, text: rate?.payout.fixed?.amount ?? rate?.payout.percent ?? "" } },
    ({ publisherId, payout }) =>
      set.run({
        offerId,
        publisherId: publisherId ?? "",
        payout: payout.kind === "fixed" ? { fixed: payout.text.trim() } : { percent: payout.text.trim() },
      }),
    () => {
      toast("The payout is set.");
      onClose();
    },
  );
  return (
    <Dialog title={rate ? `Payout of ${rate.publisher.name}` : "A payout of its own"} size="small" onClose={onClose}>
      <Form form={form} action="Set the payout" onCancel={onClose}>
        {!rate && (
          <Field label="Publisher" problem={form.problem("publisherId")}>
            {(control) => <Picker noun="publisher" {...control} value={form.values.publisherId} onChange={(id) => form.set("publisherId", id)} />}
          </Field>
        )}
        <PriceField label="Payout" currency={currency} value={form.values.payout} onChange={(price) => form.set("payout", price)} problem={form.problem("payout")} />
      </Form>
    </Dialog>
  );
}
