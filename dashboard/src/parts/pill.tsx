// A status: colour, icon and word together, so that no one of them has to be seen.

import {
  Archive,
  Ban,
  CircleCheck,
  CircleDashed,
  CircleX,
  Clock,
  Copy,
  FlaskConical,
  Hourglass,
  LoaderCircle,
  type LucideIcon,
  Pause,
  RotateCw,
  TriangleAlert,
} from "lucide-react";

import type {
  ConversionStatus,
  DeliveryState,
  DomainState,
  JobState,
  OfferState,
  PartnerState,
  TokenState,
  Verdict,
} from "@/api/gql/graphql";
import type { Tone } from "./states";

const TONES: Record<Tone, string> = {
  plain: "bg-sunken text-soft",
  accent: "bg-accent-soft text-accent-ink",
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
};

export function Pill({ tone = "plain", icon: Icon, children }: { tone?: Tone; icon?: LucideIcon; children: string }) {
  return (
    <span
      className={`inline-flex h-5.5 items-center gap-1 rounded-full px-2 text-xs font-medium whitespace-nowrap ${TONES[tone]}`}
    >
      {Icon && <Icon aria-hidden className="size-3.5" />}
      {children}
    </span>
  );
}

type Row = readonly [Tone, LucideIcon, string];

const CONVERSION: Record<ConversionStatus, Row> = {
  APPROVED: ["good", CircleCheck, "Approved"],
  PENDING: ["warn", Clock, "Pending"],
  REJECTED: ["bad", CircleX, "Rejected"],
};
const OFFER: Record<OfferState, Row> = {
  ACTIVE: ["good", CircleCheck, "Active"],
  PAUSED: ["warn", Pause, "Paused"],
  ARCHIVED: ["plain", Archive, "Archived"],
};
const TOKEN: Record<TokenState, Row> = {
  ACTIVE: ["good", CircleCheck, "Active"],
  RETIRING: ["warn", Hourglass, "Retiring"],
  RETIRED: ["plain", CircleDashed, "Retired"],
  REVOKED: ["bad", Ban, "Revoked"],
};
const DOMAIN: Record<DomainState, Row> = {
  ACTIVE: ["good", CircleCheck, "Active"],
  PENDING: ["warn", Clock, "Waiting for DNS"],
  FAILING: ["bad", TriangleAlert, "Records missing"],
  DISABLED: ["plain", Pause, "Off"],
};
const VERDICT: Record<Verdict, Row> = {
  RECORDED: ["good", CircleCheck, "Recorded"],
  DUPLICATE: ["plain", Copy, "Duplicate"],
  NO_CHANGE: ["plain", CircleDashed, "No change"],
  PARKED: ["warn", Hourglass, "Parked"],
  REFUSED: ["bad", CircleX, "Refused"],
  FAILED: ["bad", TriangleAlert, "Failed"],
};
const JOB: Record<JobState, Row> = {
  QUEUED: ["plain", Clock, "Waiting"],
  RUNNING: ["accent", LoaderCircle, "Under way"],
  SUCCEEDED: ["good", CircleCheck, "Done"],
  PARTIAL: ["warn", TriangleAlert, "Partly done"],
  FAILED: ["bad", CircleX, "Failed"],
  CANCELLED: ["plain", Ban, "Stopped"],
};

const DELIVERY: Record<DeliveryState, Row> = {
  PENDING: ["plain", Clock, "Waiting"],
  RETRYING: ["warn", RotateCw, "Tried again"],
  SUCCEEDED: ["good", CircleCheck, "Delivered"],
  GAVE_UP: ["bad", CircleX, "Given up"],
  CANCELLED: ["plain", Ban, "Cancelled"],
};

function Status({ row: [tone, icon, word] }: { row: Row }) {
  return (
    <Pill tone={tone} icon={icon}>
      {word}
    </Pill>
  );
}

export const ConversionPill = ({ status }: { status: ConversionStatus }) => <Status row={CONVERSION[status]} />;
export const OfferPill = ({ state }: { state: OfferState }) => <Status row={OFFER[state]} />;
export const PartnerPill = ({ state }: { state: PartnerState }) => <Status row={OFFER[state]} />;
export const TokenPill = ({ state }: { state: TokenState }) => <Status row={TOKEN[state]} />;
export const DomainPill = ({ state }: { state: DomainState }) => <Status row={DOMAIN[state]} />;
export const VerdictPill = ({ verdict }: { verdict: Verdict }) => <Status row={VERDICT[verdict]} />;
export const JobPill = ({ state }: { state: JobState }) => <Status row={JOB[state]} />;
export const DeliveryPill = ({ state }: { state: DeliveryState }) => <Status row={DELIVERY[state]} />;
export const TestPill = () => (
  <Pill tone="accent" icon={FlaskConical}>
    Test
  </Pill>
);
