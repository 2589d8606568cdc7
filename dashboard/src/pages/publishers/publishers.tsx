// Publishers: who sends visitors. The drawer shows what each is paid, and leads to its links.

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Link2, Pencil } from "lucide-react";
import { useState } from "react";

import { useChange, useCreate } from "@/api/change";
import { CreatePublisherDocument, PublisherDrawerDocument, PublishersPageDocument, UpdatePublisherDocument } from "@/api/gql/graphql";
import { useApi, useList } from "@/api/query";
import { useMay } from "@/app/session";
import { priceText } from "@/parts/amount";
import { Button, LinkButton } from "@/parts/button";
import { Drawer } from "@/parts/drawer";
import { Moment } from "@/parts/moment";
import { Facts } from "@/parts/page";
import { PartnerPill } from "@/parts/pill";
import { Empty, Loaded } from "@/parts/states";
import { toast } from "@/parts/toast";
import { PartnerForm, PartnerList, type PartnerSearch } from "../partners/partner-list";

const PAGE = 50;

export function Publishers() {
  const search = useSearch({ from: "/shell/publishers" });
  const navigate = useNavigate({ from: "/publishers" });
  const create = useCreate(CreatePublisherDocument, (data) => data.publisherCreate);
  const set = (change: PartnerSearch) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: !change.open, resetScroll: false });
  const list = useList(
    PublishersPageDocument,
    { first: PAGE, filter: { search: search.search ?? null, state: search.state ?? ["ACTIVE", "PAUSED"] } },
    (data) => data.publishers,
  );
  return (
    <PartnerList
      noun="publisher"
      title="Publishers"
      about="Who sends visitors through tracking links, and is paid for what becomes of them."
      search={search}
      set={set}
      list={list}
      drawer={(id) => <PublisherDrawer id={id} onClose={() => set({ open: undefined })} />}
      form={
        <PartnerForm
          title="New publisher"
          action="Create the publisher"
          send={(publisher) => create.run({ publisher })}
          onDone={({ publisher }) => {
            toast(`${publisher?.name ?? "The publisher"} is made.`);
            set({ create: undefined, open: publisher?.id });
          }}
          onClose={() => set({ create: undefined })}
        />
      }
    />
  );
}

function PublisherDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const mayEdit = useMay("MANAGER");
  const query = useApi(PublisherDrawerDocument, { id });
  const update = useChange(UpdatePublisherDocument, (data) => data.publisherUpdate);
  const [isEditing, setEditing] = useState(false);
  const publisher = query.data?.publisher;
  return (
    <Drawer title={publisher?.name ?? "Publisher"} subject={id} onClose={onClose}>
      <Loaded query={query}>
        {({ publisher }) =>
          publisher ? (
            <div className="grid gap-5">
              <div className="flex flex-wrap gap-2">
                <LinkButton to="/offers/tracking-links" search={{ publisher: publisher.id }} size="small">
                  <Link2 aria-hidden />
                  Tracking link
                </LinkButton>
                {mayEdit && (
                  <Button size="small" onClick={() => setEditing(true)}>
                    <Pencil aria-hidden />
                    Edit
                  </Button>
                )}
              </div>
              <Facts
                rows={[
                  ["Number", <span className="figures">{publisher.number}</span>],
                  ["Status", <PartnerPill state={publisher.state} />],
                  ["Created", <Moment at={publisher.createdAt} />],
                  ["Changed", <Moment at={publisher.updatedAt} />],
                  ["Notes", <span className="whitespace-pre-wrap">{publisher.notes ?? "–"}</span>],
                ]}
              />
              <section className="grid gap-2">
                <h3 className="text-sm font-semibold">Payouts of its own</h3>
                {publisher.rates.nodes.length === 0 ? (
                  <p className="text-sm text-faint">None: it is paid what each offer says.</p>
                ) : (
                  <ul className="grid gap-1 text-sm">
                    {publisher.rates.nodes.map(({ offer, payout }) => (
                      <li key={offer.id} className="flex justify-between gap-3 border-b border-line py-1.5 last:border-0">
                        <Link to="/offers/$offerId" params={{ offerId: offer.id }} search={{ tab: "publishers" }} className="hover:underline">
                          {offer.name}
                        </Link>
                        <span className="figures">{priceText(payout)}</span>
                      </li>
                    ))}
                  </ul>
                )}
                {publisher.rates.pageInfo.hasNextPage && <p className="text-sm text-faint">These are the first 50.</p>}
              </section>
            </div>
          ) : (
            <Empty title="There is no such publisher" />
          )
        }
      </Loaded>
      {isEditing && publisher && (
        <PartnerForm
          title={`Edit ${publisher.name}`}
          action="Save"
          partner={publisher}
          send={(input) => update.run({ id: publisher.id, version: publisher.version, publisher: input })}
          onDone={() => {
            toast("Saved.");
            setEditing(false);
          }}
          onClose={() => setEditing(false)}
        />
      )}
    </Drawer>
  );
}
