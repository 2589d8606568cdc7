// A URL that an advertiser is given: masked to look at, whole to copy. The server builds it; the card only says which
// one, with which parameters, on which domain. The secret is fetched when somebody takes it (which the audit trail
// says), and is never kept anywhere but in the open card.

import { Eye, EyeOff, KeyRound } from "lucide-react";
import { useEffect, useState } from "react";

import { useChange, type Problem } from "@/api/change";
import {
  type CardUrlFragment,
  GlobalUrlDocument,
  type GlobalUrlQuery,
  OfferUrlDocument,
  type OfferUrlQuery,
  type PostbackKind,
  RevealUrlDocument,
  type RevealUrlMutation,
  UrlDomainsDocument,
} from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { Button } from "../button";
import { CodeBlock, CopyButton } from "../copy";
import { useDelayed } from "../delayed";
import { Field, Select } from "../field";
import { Problems } from "../form";
import { Loaded, Notice, Skeleton } from "../states";
import { MaskedUrl } from "./masked-url";
import { type Param, ParameterBuilder } from "./parameter-builder";

export type CardKind = Extract<PostbackKind, "CONVERSION" | "REJECTION" | "CLICKLESS" | "IMAGE_PIXEL">;
type Revealed = NonNullable<NonNullable<RevealUrlMutation["postbackUrlReveal"]>["revealed"]>;

interface Props {
  kind: CardKind;
  /** Of this offer; without it the URL is good for all. */
  offerId?: string;
  /** Told what stands in the way, where a page can help more than a sentence. */
  blocked?: (blocker: string) => React.ReactNode;
  /** Below the warnings: where the page can do something about them. */
  cure?: React.ReactNode;
}

export function UrlCard({ kind, offerId, blocked, cure }: Props) {
  const [domainId, setDomainId] = useState<string>();
  const [params, setParams] = useState<Param[]>([]);
  const wanted = useDelayed(params);
  const query = useUrl(kind, offerId, domainId, wanted);
  return (
    <Loaded query={query} skeleton={<Skeleton lines={5} className="py-2" />}>
      {({ url, blocker }) =>
        url ? (
          <div className="grid gap-4">
            <Text url={url} kind={kind} offerId={offerId} domainId={domainId} params={wanted} isStale={query.isStale} />
            {url.blocker && (blocked?.(url.blocker) ?? <Notice tone="warn">{url.blocker}</Notice>)}
            {url.warnings.length > 0 && (
              <Notice tone="warn" role="status">
                {url.warnings.map((warning) => (
                  <p key={warning}>{warning}</p>
                ))}
                {cure}
              </Notice>
            )}
            <DomainChoice kind={kind} value={domainId} onChange={setDomainId} />
            <ParameterBuilder kind={kind} fixed={url.params} params={params} onChange={setParams} />
          </div>
        ) : (
          (blocked?.(blocker ?? "") ?? <Notice tone="warn">{blocker}</Notice>)
        )
      }
    </Loaded>
  );
}

function useUrl(kind: CardKind, offerId: string | undefined, domainId: string | undefined, params: Param[]) {
  const named = params.filter((param) => param.name.trim() !== "").map(({ name, value }) => ({ name, value }));
  const common = { domainId: domainId ?? null, params: named.length > 0 ? named : null };
  const which = {
    conversion: kind === "CONVERSION",
    rejection: kind === "REJECTION",
    clickless: kind === "CLICKLESS",
  };
  const ofOffer = useApi(
    OfferUrlDocument,
    { offerId: offerId ?? "", ...common, ...which, pixel: kind === "IMAGE_PIXEL" },
    { enabled: offerId !== undefined },
  );
  const global = useApi(GlobalUrlDocument, { ...common, ...which }, { enabled: offerId === undefined });
  const { data, error, isStale, retry } = offerId === undefined ? global : ofOffer;
  return { data: data && found(data), error, isStale, retry };
}

interface Found {
  url: CardUrlFragment | null;
  /** Of the pixel, where there is no URL at all. */
  blocker: string | null;
}

function found(data: OfferUrlQuery | GlobalUrlQuery): Found {
  if ("globalPostback" in data) {
    const { conversion, rejection, clickless } = data.globalPostback;
    return { url: conversion ?? rejection ?? clickless ?? null, blocker: null };
  }
  if (!data.offer) return { url: null, blocker: "There is no such offer." };
  const { conversion, rejection, clickless, imagePixel, imagePixelBlocker } = data.offer.tracking.urls;
  return { url: conversion ?? rejection ?? clickless ?? imagePixel ?? null, blocker: imagePixelBlocker ?? null };
}

interface TextProps {
  url: CardUrlFragment;
  kind: CardKind;
  offerId?: string;
  domainId?: string;
  params: Param[];
  isStale: boolean;
}

/** The URL itself, with Copy, Reveal and the line for a shell. */
function Text({ url, kind, offerId, domainId, params, isStale }: TextProps) {
  const mayReveal = useMay("MANAGER");
  const { run } = useChange(RevealUrlDocument, (data) => data.postbackUrlReveal);
  const [problems, setProblems] = useState<Problem[]>([]);
  const [revealed, setRevealed] = useState<Revealed | null>(null);
  useEffect(() => {
    setRevealed(null);
    setProblems([]);
  }, [url.masked]);

  async function reveal(): Promise<Revealed | null> {
    const outcome = await run({
      input: {
        kind,
        scope: offerId === undefined ? "GLOBAL" : "OFFER",
        offerId: offerId ?? null,
        domainId: domainId ?? null,
        params: params.filter((param) => param.name.trim() !== "").map(({ name, value }) => ({ name, value })),
      },
    });
    setProblems(outcome.problems);
    return outcome.payload?.revealed ?? null;
  }

  const isPixel = kind === "IMAGE_PIXEL";
  const cannot = !mayReveal || Boolean(url.blocker) || isStale;
  return (
    <div className="grid gap-3">
      <div className={`rounded-md border border-line bg-sunken ${isStale ? "opacity-60" : ""}`}>
        <MaskedUrl text={revealed?.url ?? url.masked} />
        <div className="flex flex-wrap items-center gap-2 border-t border-line p-2">
          <CopyButton
            look="primary"
            size="small"
            label={isPixel ? "Copy tag" : "Copy"}
            disabled={cannot}
            text={async () => {
              const found = await reveal();
              return (isPixel ? found?.html : found?.url) ?? null;
            }}
          />
          <Button
            size="small"
            disabled={cannot}
            onClick={() => void (revealed ? setRevealed(null) : reveal().then(setRevealed))}
          >
            {revealed ? <EyeOff aria-hidden /> : <Eye aria-hidden />}
            {revealed ? "Hide" : "Reveal"}
          </Button>
          <CopyButton
            look="quiet"
            size="small"
            label="Copy as curl"
            disabled={cannot}
            text={async () => (await reveal())?.curl ?? null}
          />
          {url.token && (
            <span className="ml-auto flex min-w-0 items-center gap-1.5 px-1 text-xs text-faint">
              <KeyRound aria-hidden className="size-3.5 shrink-0" />
              <span className="truncate">{url.token.label ?? "Token"}</span>
              <span className="mono">{url.token.hint}</span>
            </span>
          )}
        </div>
      </div>
      {!mayReveal && <p className="text-sm text-faint">Copying needs the role MANAGER, because the URL holds a secret.</p>}
      <Problems problems={problems} />
      {revealed && (
        <div className="grid gap-2">
          {revealed.html && <CodeBlock text={revealed.html} what="The tag for the page" />}
          <CodeBlock text={revealed.curl} what="The line for a shell" />
          <p className="text-sm text-faint">That you took it is in the audit trail.</p>
        </div>
      )}
    </div>
  );
}

/** Only where there is something to choose. */
function DomainChoice({
  kind,
  value,
  onChange,
}: {
  kind: CardKind;
  value: string | undefined;
  onChange: (id: string | undefined) => void;
}) {
  const { data } = useApi(UrlDomainsDocument, {});
  const usable = data?.trackingDomains.filter(({ state }) => state === "ACTIVE" || state === "FAILING") ?? [];
  if (usable.length === 0) return null;
  const usual = usable.find((domain) => domain.isDefault)?.hostname;
  return (
    <div className="max-w-sm">
      <Field label="Domain">
        {(control) => (
          <Select {...control} value={value ?? ""} onChange={(event) => onChange(event.target.value || undefined)}>
            <option value="">{usual ? `Default (${usual})` : kind === "IMAGE_PIXEL" ? "First verified domain" : "This server's own"}</option>
            {usable.map((domain) => (
              <option key={domain.id} value={domain.id}>
                {domain.hostname}
              </option>
            ))}
          </Select>
        )}
      </Field>
    </div>
  );
}
