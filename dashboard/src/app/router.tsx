// Every page's address on one screen. A page's file is loaded when it is first gone to; each menu item has a folder of
// its own under `pages`, with the operations that it needs beside it.

import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Link,
  Outlet,
  redirect,
} from "@tanstack/react-router";

import { refresh, sessionState } from "@/api/session";
import { LinkButton } from "@/parts/button";
import { Empty } from "@/parts/states";
import { readSearch as readAuditSearch } from "@/pages/audit/search";
import { readSearch as readConversionSearch } from "@/pages/conversions/search";
import { readSearch as readLogSearch } from "@/pages/postback-log/search";
import { flag, manyOf, oneOf, params, text } from "@/parts/search-params";
import { Brand, Crashed, Shell } from "./shell";
import { SessionGate } from "./session-gate";

const root = createRootRoute({
  component: () => (
    <SessionGate>
      <Outlet />
    </SessionGate>
  ),
  notFoundComponent: NotFound,
  errorComponent: Crashed,
});

/** Inside: whoever is not signed in goes to the sign-in page, and comes back afterwards. */
const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  component: Shell,
  beforeLoad: async ({ location }) => {
    // A server that is away is said by the gate, not by the sign-in page.
    if (sessionState().phase === "unknown") await refresh().catch(() => true);
    if (sessionState().phase === "out") throw redirect({ to: "/sign-in", search: { next: location.href } });
  },
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: params((raw) => {
    const next = text(raw, "next");
    // Only a path of ours: a link must not send anybody elsewhere.
    return { next: next?.startsWith("/") && !/^\/[/\\]/.test(next) ? next : undefined };
  }),
  component: lazyRouteComponent(() => import("@/pages/sign-in/sign-in"), "SignIn"),
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  component: lazyRouteComponent(() => import("@/pages/sign-in/setup"), "Setup"),
});

const invite = createRoute({
  getParentRoute: () => root,
  path: "/invite",
  component: lazyRouteComponent(() => import("@/pages/sign-in/invite"), "Invite"),
});

const home = createRoute({
  getParentRoute: () => shell,
  path: "/",
  component: lazyRouteComponent(() => import("@/pages/overview/overview"), "Overview"),
});

const start = createRoute({
  getParentRoute: () => shell,
  path: "/start",
  component: lazyRouteComponent(() => import("@/pages/start/start"), "Start"),
});

const OFFER_STATES = ["ACTIVE", "PAUSED", "ARCHIVED"] as const;
const offers = createRoute({
  getParentRoute: () => shell,
  path: "/offers",
  validateSearch: params((raw) => ({
    search: text(raw, "search"),
    state: manyOf(raw, "state", OFFER_STATES),
    advertiser: text(raw, "advertiser"),
    sort: oneOf(raw, "sort", ["NAME", "CREATED_AT", "UPDATED_AT"] as const),
    create: flag(raw, "create"),
  })),
  component: lazyRouteComponent(() => import("@/pages/offers/offers"), "Offers"),
});

const URL_TABS = ["conversion", "rejection", "clickless", "pixel"] as const;
const offer = createRoute({
  getParentRoute: () => shell,
  path: "/offers/$offerId",
  validateSearch: params((raw) => ({
    tab: oneOf(raw, "tab", ["general", "settings", "events", "publishers"] as const),
    url: oneOf(raw, "url", URL_TABS),
  })),
  component: lazyRouteComponent(() => import("@/pages/offers/offer"), "OfferPage"),
});

const trackingLinks = createRoute({
  getParentRoute: () => shell,
  path: "/offers/tracking-links",
  validateSearch: params((raw) => ({
    offer: text(raw, "offer"),
    publisher: text(raw, "publisher"),
    url: oneOf(raw, "url", ["conversion", "rejection", "clickless"] as const),
  })),
  component: lazyRouteComponent(() => import("@/pages/tracking-links/tracking-links"), "TrackingLinks"),
});

const TOKEN_STATES = ["ACTIVE", "RETIRING", "RETIRED", "REVOKED"] as const;
const secureTokens = createRoute({
  getParentRoute: () => shell,
  path: "/offers/secure-tokens",
  validateSearch: params((raw) => ({
    state: manyOf(raw, "state", TOKEN_STATES),
    scope: oneOf(raw, "scope", ["GLOBAL", "OFFER"] as const),
    offer: text(raw, "offer"),
    create: flag(raw, "create"),
  })),
  component: lazyRouteComponent(() => import("@/pages/secure-tokens/secure-tokens"), "SecureTokens"),
});

const domains = createRoute({
  getParentRoute: () => shell,
  path: "/offers/domains",
  validateSearch: params((raw) => ({ create: flag(raw, "create") })),
  component: lazyRouteComponent(() => import("@/pages/domains/domains"), "Domains"),
});

const PARTNER_STATES = ["ACTIVE", "PAUSED", "ARCHIVED"] as const;
const partnerSearch = params((raw) => ({
  search: text(raw, "search"),
  state: manyOf(raw, "state", PARTNER_STATES),
  open: text(raw, "open"),
  create: flag(raw, "create"),
}));

const publishers = createRoute({
  getParentRoute: () => shell,
  path: "/publishers",
  validateSearch: partnerSearch,
  component: lazyRouteComponent(() => import("@/pages/publishers/publishers"), "Publishers"),
});

const outboundPostbacks = createRoute({
  getParentRoute: () => shell,
  path: "/publishers/outbound-postbacks",
  validateSearch: params((raw) => ({
    publisher: text(raw, "publisher"),
    offer: text(raw, "offer"),
    enabled: oneOf(raw, "enabled", ["yes", "no"] as const),
    open: text(raw, "open"),
    create: flag(raw, "create"),
  })),
  component: lazyRouteComponent(() => import("@/pages/outbound-postbacks/outbound-postbacks"), "OutboundPostbacks"),
});

const conversions = createRoute({
  getParentRoute: () => shell,
  path: "/conversions",
  validateSearch: params(readConversionSearch),
  component: lazyRouteComponent(() => import("@/pages/conversions/conversions"), "Conversions"),
});

const postbackLog = createRoute({
  getParentRoute: () => shell,
  path: "/postback-log",
  validateSearch: params(readLogSearch),
  component: lazyRouteComponent(() => import("@/pages/postback-log/postback-log"), "PostbackLog"),
});

const audit = createRoute({
  getParentRoute: () => shell,
  path: "/audit",
  validateSearch: params(readAuditSearch),
  component: lazyRouteComponent(() => import("@/pages/audit/audit"), "Audit"),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  validateSearch: params((raw) => ({
    tab: oneOf(raw, "tab", ["general", "you", "operators", "keys", "explorer"] as const),
    invite: flag(raw, "invite"),
    create: flag(raw, "create"),
  })),
  component: lazyRouteComponent(() => import("@/pages/settings/settings"), "SettingsPage"),
});

const advertisers = createRoute({
  getParentRoute: () => shell,
  path: "/advertisers",
  validateSearch: partnerSearch,
  component: lazyRouteComponent(() => import("@/pages/advertisers/advertisers"), "Advertisers"),
});

const handover = createRoute({
  getParentRoute: () => shell,
  path: "/advertisers/$advertiserId/handover",
  component: lazyRouteComponent(() => import("@/pages/advertisers/handover"), "Handover"),
});

const tree = root.addChildren([
  signIn,
  setup,
  invite,
  shell.addChildren([
    home,
    start,
    offers,
    trackingLinks,
    secureTokens,
    domains,
    offer,
    conversions,
    postbackLog,
    publishers,
    outboundPostbacks,
    advertisers,
    handover,
    audit,
    settings,
  ]),
]);

export const router = createRouter({
  routeTree: tree,
  basepath: "/dashboard",
  // A click that takes longer than this shows the page's own skeleton.
  defaultPendingMs: 200,
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

function NotFound() {
  return (
    <main className="grid justify-items-center py-10">
      <Link to="/">
        <Brand />
      </Link>
      <Empty title="There is no such page" action={<LinkButton to="/">To the beginning</LinkButton>}>
        The link may be old, or mistyped.
      </Empty>
    </main>
  );
}
