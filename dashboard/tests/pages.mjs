// Every page that people see, for the tests that look at all of them. `heading` is there once it is loaded.

export const PAGES = [
  { path: "/dashboard/", heading: "What needs attention" },
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
  { path: "/dashboard/publishers/outbound-postbacks", heading: "Outbound Postbacks" },
  { path: "/dashboard/publishers/outbound-postbacks?create=true", heading: "New outbound postback" },
  { path: "/dashboard/conversions", heading: "Conversions" },
  { path: "/dashboard/conversions?by=OFFER&by2=STATUS&compare=true", heading: "By offer and status" },
  { path: "/dashboard/conversions?conversion=$conversion", heading: "Timeline" },
  { path: "/dashboard/conversions?search=nothing-has-this-id", heading: "No conversion matches" },
  { path: "/dashboard/postback-log", heading: "Why requests were refused" },
  { path: "/dashboard/postback-log?receipt=$receipt", heading: "What was answered" },
  { path: "/dashboard/postback-log?check=true", heading: "Paste a URL to check" },
  { path: "/dashboard/postback-log?test=true", heading: "What is reported" },
  { path: "/dashboard/audit", heading: "Audit" },
  { path: "/dashboard/settings", heading: "The network" },
  { path: "/dashboard/settings?tab=you", heading: "Sessions" },
  { path: "/dashboard/settings?tab=operators", heading: "Invite somebody" },
  { path: "/dashboard/settings?tab=keys", heading: "No keys yet" },
  { path: "/dashboard/settings?tab=explorer", heading: "Schema" },
  { path: "/dashboard/advertisers", heading: "Advertisers" },
  { path: "/dashboard/advertisers/$advertiser/handover", heading: "What goes into a rejection" },
  { path: "/dashboard/nowhere", heading: "There is no such page" },
];

/** The paths with ids of what the demo holds. */
export async function pagesOf(api) {
  const found = await api(
    `{ offers(first: 1) { nodes { id } } publishers(first: 1) { nodes { id } } advertisers(first: 1) { nodes { id } }
       conversions(first: 1) { nodes { id } } receipts(first: 1, filter: { verdict: [REFUSED] }) { nodes { id } } }`,
  );
  const ids = Object.fromEntries(Object.entries(found).map(([name, { nodes }]) => [`$${name.slice(0, -1)}`, nodes[0].id]));
  return PAGES.map(({ path, heading }) => ({
    heading,
    path: path.replace(/\$\w+/, (name) => ids[name]),
  }));
}
