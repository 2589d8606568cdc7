// Publishers: who sends visitors. The drawer shows what each is paid, and leads to its links.

import { Link } from "@tanstack/react-router";
import { Link2 } from "lucide-react";

import { CreatePublisherDocument, PublisherDrawerDocument, type PublisherDrawerQuery, PublishersPageDocument, UpdatePublisherDocument } from "@/api/gql/graphql";
import { priceText } from "@/parts/amount";
import { LinkButton } from "@/parts/button";
import { Belongings, type Kind, Partners } from "../partners/partners";

const PUBLISHERS: Kind<NonNullable<PublisherDrawerQuery["partner"]>> = {
  noun: "publisher",
  path: "/publishers",
  title: "Publishers",
  about: "Who sends visitors through tracking links, and is paid for what becomes of them.",
  list: PublishersPageDocument,
  one: PublisherDrawerDocument,
  create: CreatePublisherDocument,
  update: UpdatePublisherDocument,
  link: ({ id }) => (
    <LinkButton to="/offers/tracking-links" search={{ publisher: id }} size="small">
      <Link2 aria-hidden />
      Tracking link
    </LinkButton>
  ),
  more: ({ rates }) => (
    <Belongings title="Payouts of its own" none="None: it is paid what each offer says." hasMore={rates.pageInfo.hasNextPage}>
      {rates.nodes.map(({ offer, payout }) => (
        <li key={offer.id}>
          <Link to="/offers/$offerId" params={{ offerId: offer.id }} search={{ tab: "publishers" }} className="hover:underline">
            {offer.name}
          </Link>
          <span className="figures">{priceText(payout)}</span>
        </li>
      ))}
    </Belongings>
  ),
};

export const Publishers = () => <Partners kind={PUBLISHERS} />;
