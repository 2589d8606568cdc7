// What somebody should look at, the most urgent first: each as a sentence with the way to it.

import { Link, type LinkProps } from "@tanstack/react-router";
import { CircleCheck, Clock, Globe, Hourglass, type LucideIcon, Send, TriangleAlert, VolumeX } from "lucide-react";
import type { ReactNode } from "react";

import type { OverviewAttentionQuery, OverviewOffersQuery, OverviewRefusalsQuery } from "@/api/gql/graphql";
import type { ApiError } from "@/api/errors";
import { boundedText, countText } from "@/parts/amount";
import { words } from "@/parts/checks";
import { Moment } from "@/parts/moment";
import { Loaded, Skeleton } from "@/parts/states";

interface Query<T> {
  data: T | undefined;
  error: ApiError | null;
  retry: () => void;
}

interface Props {
  things: Query<OverviewAttentionQuery>;
  offers: Query<OverviewOffersQuery>;
  refusals: Query<OverviewRefusalsQuery>;
}

interface Thing {
  key: string;
  Icon: LucideIcon;
  tone: string;
  text: ReactNode;
  link: LinkProps;
  action: string;
}

/** With fewer clicks nothing can be said. */
const SILENT_CLICKS_MIN = 20;
const SHOWN_MAX = 7;

export function Attention({ things, offers, refusals }: Props) {
  return (
    <Loaded query={things} skeleton={<Skeleton lines={5} className="p-5" />}>
      {(data) => {
        const all = [...broken(data), ...untold(data), ...refused(refusals.data), ...silent(offers.data), ...ending(data), ...waiting(data)];
        if (all.length === 0) return <Calm />;
        return (
          <ul>
            {all.slice(0, SHOWN_MAX).map(({ key, Icon, tone, text, link, action }) => (
              <li key={key} className="flex items-start gap-3 border-b border-line px-4 py-2.5 text-sm last:border-0 sm:px-5">
                <Icon aria-hidden className={`mt-0.5 size-4 shrink-0 ${tone}`} />
                <span className="min-w-0 grow break-words">{text}</span>
                <Link {...link} className="shrink-0 text-accent-ink hover:underline">
                  {action}
                </Link>
              </li>
            ))}
            {all.length > SHOWN_MAX && <li className="px-4 py-2.5 text-sm text-faint sm:px-5">and {all.length - SHOWN_MAX} more</li>}
          </ul>
        );
      }}
    </Loaded>
  );
}

function Calm() {
  return (
    <div className="grid justify-items-center gap-2 px-5 py-16 text-center text-sm text-soft">
      <CircleCheck aria-hidden className="size-6 text-good" />
      Nothing: all is well.
    </div>
  );
}

function broken({ trackingDomains }: OverviewAttentionQuery): Thing[] {
  return trackingDomains
    .filter(({ state }) => state === "FAILING")
    .map(({ id, hostname }) => ({
      key: id,
      Icon: Globe,
      tone: "text-bad",
      text: `The DNS records of ${hostname} are gone. It still accepts.`,
      link: { to: "/offers/domains" },
      action: "Domains",
    }));
}

/** Publishers that are not told: a rule that fails, or that was switched off for it. */
function untold({ outboundPostbacks }: OverviewAttentionQuery): Thing[] {
  return outboundPostbacks.nodes.map(({ id, name, enabled, disabledReason, failingSince }) => ({
    key: id,
    Icon: Send,
    tone: enabled ? "text-warn" : "text-bad",
    text: enabled ? (
      <>
        <span className="font-medium">{name}</span> does not reach its publisher{failingSince && <>: every try since <Moment at={failingSince} /> failed</>}.
      </>
    ) : (
      <>
        <span className="font-medium">{name} is switched off.</span> <span className="text-soft">{disabledReason}</span>
      </>
    ),
    link: { to: "/publishers/outbound-postbacks", search: { open: id } },
    action: "Rule",
  }));
}

function refused(data: OverviewRefusalsQuery | undefined): Thing[] {
  return (data?.receiptStats.topCodes ?? []).slice(0, 3).map(({ code, count, suggestedFix }) => ({
    key: code,
    Icon: TriangleAlert,
    tone: "text-bad",
    text: (
      <>
        <span className="font-medium">{countText(count)} refused today: {words(code).toLowerCase()}.</span> <span className="text-soft">{suggestedFix}</span>
      </>
    ),
    link: { to: "/postback-log", search: { code } },
    action: "See them",
  }));
}

function silent(data: OverviewOffersQuery | undefined): Thing[] {
  return (data?.stats.rows ?? []).flatMap(({ keys: [key], metrics }) => {
    const clicks = metrics.clicks ?? 0;
    if (!key?.value || clicks < SILENT_CLICKS_MIN || metrics.conversions > 0) return [];
    return [
      {
        key: key.value,
        Icon: VolumeX,
        tone: "text-warn",
        text: `${key.label} is silent: ${countText(clicks)} clicks since yesterday, not one conversion.`,
        link: { to: "/offers/$offerId", params: { offerId: key.value } },
        action: "Offer",
      } satisfies Thing,
    ];
  });
}

function ending({ secureTokens }: OverviewAttentionQuery): Thing[] {
  return secureTokens.nodes.map((token) => ({
    key: token.id,
    Icon: Hourglass,
    tone: "text-warn",
    text: (
      <>
        {token.label ?? token.hint} {token.offer && `of ${token.offer.name} `}ends {token.retiringUntil && <Moment at={token.retiringUntil} />}
        {token.lastUsedAt && (
          <>
            , and was last used <Moment at={token.lastUsedAt} />
          </>
        )}
        .
      </>
    ),
    link: { to: "/offers/secure-tokens", search: { state: ["RETIRING"] } },
    action: "Token",
  }));
}

function waiting({ conversions: { totalCount } }: OverviewAttentionQuery): Thing[] {
  if (totalCount.value === 0) return [];
  const text = `${boundedText(totalCount)} ${totalCount.value === 1 ? "conversion waits" : "conversions wait"} for a decision.`;
  return [{ key: "waiting", Icon: Clock, tone: "text-warn", text, link: { to: "/conversions", search: { status: ["PENDING"], range: "30d" } }, action: "Decide" }];
}
