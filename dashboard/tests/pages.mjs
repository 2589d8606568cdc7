// Every page that people see, for the tests that look at all of them. `heading` is there once it is loaded.

export const PAGES = [
  { path: "/dashboard/start", heading: "Getting started" },
  { path: "/dashboard/offers", heading: "Offers" },
  { path: "/dashboard/offers?create=true", heading: "New offer" },
  { path: "/dashboard/offers?search=nothing-has-this-name", heading: "Offers" },
  { path: "/dashboard/offers/$offer", heading: "Conversion Tracking" },
  { path: "/dashboard/offers/$offer?url=pixel", heading: "Conversion Tracking" },
  { path: "/dashboard/offers/$offer?tab=settings", heading: "Money" },
  { path: "/dashboard/offers/$offer?tab=events", heading: "No events yet" },
  { path: "/dashboard/offers/$offer?tab=publishers", heading: "Who may promote it" },
  { path: "/dashboard/offers/tracking-links", heading: "Conversion Global Postback" },
  { path: "/dashboard/offers/secure-tokens", heading: "Secure Tokens" },
  { path: "/dashboard/offers/secure-tokens?create=true", heading: "New token" },
  { path: "/dashboard/offers/domains", heading: "Domains" },
  { path: "/dashboard/publishers", heading: "Publishers" },
  { path: "/dashboard/publishers?open=$publisher", heading: "Payouts of its own" },
  { path: "/dashboard/advertisers", heading: "Advertisers" },
  { path: "/dashboard/advertisers/$advertiser/handover", heading: "What goes into a rejection" },
  { path: "/dashboard/nowhere", heading: "There is no such page" },
];

/** The paths with ids of what the demo holds. */
export async function pagesOf(api) {
  const { offers, publishers, advertisers } = await api(
    "{ offers(first: 1) { nodes { id } } publishers(first: 1) { nodes { id } } advertisers(first: 1) { nodes { id } } }",
  );
  const ids = { $offer: offers.nodes[0].id, $publisher: publishers.nodes[0].id, $advertiser: advertisers.nodes[0].id };
  return PAGES.map(({ path, heading }) => ({
    heading,
    path: path.replace(/\$(?:offer|publisher|advertiser)/, (name) => ids[name]),
  }));
}
