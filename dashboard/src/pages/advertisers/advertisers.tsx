// Advertisers: who pays for results. The drawer shows what each promotes, and leads to the sheet that it is given.

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { FileText, Pencil } from "lucide-react";
import { useState } from "react";

import { useChange, useCreate } from "@/api/change";
import {
  AdvertiserDrawerDocument,
  AdvertisersPageDocument,
  CreateAdvertiserDocument,
  UpdateAdvertiserDocument,
} from "@/api/gql/graphql";
import { useApi, useList } from "@/api/query";
import { useMay } from "@/app/session";
import { Button, LinkButton } from "@/parts/button";
import { Drawer } from "@/parts/drawer";
import { Moment } from "@/parts/moment";
import { Facts } from "@/parts/page";
import { OfferPill, PartnerPill } from "@/parts/pill";
import { Empty, Loaded } from "@/parts/states";
import { toast } from "@/parts/toast";
import { PartnerForm, PartnerList, type PartnerSearch } from "../partners/partner-list";

const PAGE = 50;

export function Advertisers() {
  const search = useSearch({ from: "/shell/advertisers" });
  const navigate = useNavigate({ from: "/advertisers" });
  const create = useCreate(CreateAdvertiserDocument, (data) => data.advertiserCreate);
  const set = (change: PartnerSearch) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: !change.open, resetScroll: false });
  const list = useList(
    AdvertisersPageDocument,
    { first: PAGE, filter: { search: search.search ?? null, state: search.state ?? ["ACTIVE", "PAUSED"] } },
    (data) => data.advertisers,
  );
  return (
    <PartnerList
      noun="advertiser"
      title="Advertisers"
      about="Who pays for results, and whose servers fire the postbacks."
      search={search}
      set={set}
      list={list}
      drawer={(id) => <AdvertiserDrawer id={id} onClose={() => set({ open: undefined })} />}
      form={
        <PartnerForm
          title="New advertiser"
          action="Create the advertiser"
          send={(advertiser) => create.run({ advertiser })}
          onDone={({ advertiser }) => {
            toast(`${advertiser?.name ?? "The advertiser"} is made.`);
            set({ create: undefined, open: advertiser?.id });
          }}
          onClose={() => set({ create: undefined })}
        />
      }
    />
  );
}

function AdvertiserDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const mayEdit = useMay("MANAGER");
  const query = useApi(AdvertiserDrawerDocument, { id });
  const update = useChange(UpdateAdvertiserDocument, (data) => data.advertiserUpdate);
  const [isEditing, setEditing] = useState(false);
  const advertiser = query.data?.advertiser;
  return (
    <Drawer title={advertiser?.name ?? "Advertiser"} subject={id} onClose={onClose}>
      <Loaded query={query}>
        {({ advertiser }) =>
          advertiser ? (
            <div className="grid gap-5">
              <div className="flex flex-wrap gap-2">
                <LinkButton to="/advertisers/$advertiserId/handover" params={{ advertiserId: advertiser.id }} size="small">
                  <FileText aria-hidden />
                  Hand-over sheet
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
                  ["Number", <span className="figures">{advertiser.number}</span>],
                  ["Status", <PartnerPill state={advertiser.state} />],
                  ["Created", <Moment at={advertiser.createdAt} />],
                  ["Changed", <Moment at={advertiser.updatedAt} />],
                  ["Notes", <span className="whitespace-pre-wrap">{advertiser.notes ?? "–"}</span>],
                ]}
              />
              <section className="grid gap-2">
                <h3 className="text-sm font-semibold">Offers</h3>
                {advertiser.offers.nodes.length === 0 ? (
                  <p className="text-sm text-faint">None yet.</p>
                ) : (
                  <ul className="grid gap-1 text-sm">
                    {advertiser.offers.nodes.map((offer) => (
                      <li key={offer.id} className="flex items-center justify-between gap-3 border-b border-line py-1.5 last:border-0">
                        <Link to="/offers/$offerId" params={{ offerId: offer.id }} className="hover:underline">
                          {offer.name} <span className="figures text-faint">{offer.number}</span>
                        </Link>
                        <OfferPill state={offer.state} />
                      </li>
                    ))}
                  </ul>
                )}
                {advertiser.offers.pageInfo.hasNextPage && <p className="text-sm text-faint">These are the first 50.</p>}
              </section>
            </div>
          ) : (
            <Empty title="There is no such advertiser" />
          )
        }
      </Loaded>
      {isEditing && advertiser && (
        <PartnerForm
          title={`Edit ${advertiser.name}`}
          action="Save"
          partner={advertiser}
          send={(input) => update.run({ id: advertiser.id, version: advertiser.version, advertiser: input })}
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
