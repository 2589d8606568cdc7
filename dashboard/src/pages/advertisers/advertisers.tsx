// Advertisers: who pays for results. The drawer shows what each promotes, and leads to the sheet that it is given.

import { Link } from "@tanstack/react-router";
import { FileText } from "lucide-react";

import { AdvertiserDrawerDocument, type AdvertiserDrawerQuery, AdvertisersPageDocument, CreateAdvertiserDocument, UpdateAdvertiserDocument } from "@/api/gql/graphql";
import { LinkButton } from "@/parts/button";
import { OfferPill } from "@/parts/pill";
import { Belongings, type Kind, Partners } from "../partners/partners";

const ADVERTISERS: Kind<NonNullable<AdvertiserDrawerQuery["partner"]>> = {
  noun: "advertiser",
  path: "/advertisers",
  title: "Advertisers",
  about: "Who pays for results, and whose servers fire the postbacks.",
  list: AdvertisersPageDocument,
  one: AdvertiserDrawerDocument,
  create: CreateAdvertiserDocument,
  update: UpdateAdvertiserDocument,
  link: ({ id }) => (
    <LinkButton to="/advertisers/$advertiserId/handover" params={{ advertiserId: id }} size="small">
      <FileText aria-hidden />
      Hand-over sheet
    </LinkButton>
  ),
  more: ({ offers }) => (
    <Belongings title="Offers" none="None yet." hasMore={offers.pageInfo.hasNextPage}>
      {offers.nodes.map((offer) => (
        <li key={offer.id}>
          <Link to="/offers/$offerId" params={{ offerId: offer.id }} className="hover:underline">
            {offer.name} <span className="figures text-faint">{offer.number}</span>
          </Link>
          <OfferPill state={offer.state} />
        </li>
      ))}
    </Belongings>
  ),
};

export const Advertisers = () => <Partners kind={ADVERTISERS} />;
