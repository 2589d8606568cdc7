// Secure Tokens: the secrets in Postback URLs, what each may do, until when, and when it was last used. Rotation gives
// senders time to change; revocation does not.

import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Ban, Ellipsis, Plus, RotateCw, Timer } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";

import { SecureTokensPageDocument, type TokenRowFragment } from "@/api/gql/graphql";
import { useList } from "@/api/query";
import { useMay } from "@/app/session";
import { Button, IconButton } from "@/parts/button";
import { words } from "@/parts/checks";
import { FilterMany } from "@/parts/filters";
import { NamedFilter } from "@/parts/lookup/named-filter";
import { Menu } from "@/parts/popup/menu";
import { MaybeMoment, Moment } from "@/parts/moment";
import { Card, Page } from "@/parts/page";
import { TokenPill } from "@/parts/pill";
import { some } from "@/parts/search-params";
import { Empty, Notice } from "@/parts/states";
import { type Column, DataTable } from "@/parts/table";

const CreateToken = lazy(() => import("./create-token").then(({ CreateToken }) => ({ default: CreateToken })));
const RotateToken = lazy(() => import("./rotate-token").then(({ RotateToken }) => ({ default: RotateToken })));
const RevokeToken = lazy(() => import("./revoke-token").then(({ RevokeToken }) => ({ default: RevokeToken })));
const SetTokenEnd = lazy(() => import("./set-token-end").then(({ SetTokenEnd }) => ({ default: SetTokenEnd })));

const PAGE = 50;
const LIVE = ["ACTIVE", "RETIRING"] as const;
const STATES = [
  ["ACTIVE", "Active"],
  ["RETIRING", "Retiring"],
  ["RETIRED", "Retired"],
  ["REVOKED", "Revoked"],
] as const;
const SCOPES = [
  ["GLOBAL", "All offers"],
  ["OFFER", "One offer"],
] as const;

type Asked = { what: "rotate" | "end" | "revoke"; token: TokenRowFragment };

export function SecureTokens() {
  const search = useSearch({ from: "/shell/offers/secure-tokens" });
  const navigate = useNavigate({ from: "/offers/secure-tokens" });
  const mayEdit = useMay("ADMIN");
  const [asked, setAsked] = useState<Asked | null>(null);
  const set = (change: Partial<typeof search>) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const list = useList(
    SecureTokensPageDocument,
    { first: PAGE, scope: search.scope ?? null, states: search.state ?? [...LIVE], offerId: search.offer ?? null },
    (data) => data.secureTokens,
  );
  const isFiltered = Boolean(search.state ?? search.scope ?? search.offer);
  const create = mayEdit && (
    <Button look="primary" onClick={() => set({ create: true })}>
      <Plus aria-hidden />
      New token
    </Button>
  );
  const close = () => setAsked(null);
  const columns = useMemo(() => (mayEdit ? [...COLUMNS, menuColumn(setAsked)] : COLUMNS), [mayEdit]);

  return (
    <Page title="Secure Tokens" about="The secrets in Postback URLs: without one, nothing that a sender says is believed." actions={create}>
      {!mayEdit && <Notice>Creating, rotating and revoking tokens needs the role ADMIN.</Notice>}
      <Card isFlush>
        <DataTable
          name="tokens"
          label="Secure tokens"
          list={list}
          columns={columns}
          rowId={(row) => row.id}
          empty={
            isFiltered ? (
              <Empty title="No token matches" action={<Button onClick={() => void navigate({ search: {} })}>Clear the filters</Button>} />
            ) : (
              <Empty title="No tokens yet" action={create || undefined}>
                A token goes into the Postback URLs of an advertiser. One for all offers is enough to begin.
              </Empty>
            )
          }
          toolbar={
            <>
              <FilterMany label="Status" options={STATES} chosen={search.state ?? []} onChange={(chosen) => set({ state: some(chosen) })} />
              <FilterMany
                label="Scope"
                options={SCOPES}
                chosen={search.scope ? [search.scope] : []}
                onChange={(chosen) => set({ scope: chosen.at(-1) })}
              />
              <NamedFilter noun="offer" value={search.offer} onChange={(offer) => set({ offer })} />
            </>
          }
        />
      </Card>
      <Suspense>
      {search.create && mayEdit && <CreateToken offerId={search.offer} scope={search.scope} onClose={() => set({ create: undefined })} />}
      {asked?.what === "rotate" && <RotateToken token={asked.token} onClose={close} />}
      {asked?.what === "end" && <SetTokenEnd token={asked.token} onClose={close} />}
      {asked?.what === "revoke" && <RevokeToken token={asked.token} onClose={close} />}
      </Suspense>
    </Page>
  );
}

const COLUMNS: Column<TokenRowFragment>[] = [
  {
    id: "label",
    header: "Token",
    isFixed: true,
    cell: (token) => (
      <div className="min-w-32">
        <p className="font-medium break-words">{token.label ?? "Without a name"}</p>
        <p className="mono text-xs text-faint">{token.hint}</p>
      </div>
    ),
  },
  {
    id: "scope",
    header: "Scope",
    from: "sm",
    cell: (token) =>
      token.offer ? (
        <Link to="/offers/$offerId" params={{ offerId: token.offer.id }} className="hover:underline">
          {token.offer.name}
        </Link>
      ) : (
        "All offers"
      ),
  },
  {
    id: "capabilities",
    header: "May",
    from: "md",
    cell: (row) => <span className="text-soft">{row.capabilities.map(words).join(", ")}</span>,
  },
  {
    id: "state",
    header: "Status",
    cell: (token) => (
      <div className="flex flex-wrap items-center gap-x-2 gap-y-0.5">
        <TokenPill state={token.state} />
        {token.state === "RETIRING" && token.retiringUntil && (
          <span className="text-xs text-soft">
            ends <Moment at={token.retiringUntil} />
          </span>
        )}
        {token.state === "REVOKED" && token.revokeReason && <span className="text-xs text-faint">{token.revokeReason}</span>}
      </div>
    ),
  },
  {
    id: "lastUsedAt",
    header: "Last used",
    from: "sm",
    cell: (row) => <MaybeMoment at={row.lastUsedAt} />,
  },
  {
    id: "createdAt",
    header: "Created",
    from: "lg",
    cell: (token) => (
      <span className="whitespace-nowrap text-soft">
        <Moment at={token.createdAt} /> by {token.createdBy.label}
      </span>
    ),
  },
  {
    id: "addresses",
    header: "Addresses",
    isExtra: true,
    cell: (row) => <span className="mono">{row.allowedSourceIps.join(", ") || "any"}</span>,
  },
  {
    id: "lastDryRunAt",
    header: "Last tried",
    isExtra: true,
    cell: (row) => <MaybeMoment at={row.lastDryRunAt} />,
  },
];

function menuColumn(ask: (asked: Asked) => void): Column<TokenRowFragment> {
  return {
    id: "menu",
    header: "",
    isFixed: true,
    align: "right",
    cell: (token) => {
      if (token.state !== "ACTIVE" && token.state !== "RETIRING") return null;
      return (
        <div className="flex items-center justify-end gap-1">
          {token.state === "ACTIVE" && (
            <Button size="small" className="max-md:hidden" onClick={() => ask({ what: "rotate", token })}>
              <RotateCw aria-hidden />
              Rotate…
            </Button>
          )}
          <Menu
            trigger={
              <IconButton label={`Actions of ${token.label ?? token.hint}`}>
                <Ellipsis aria-hidden />
              </IconButton>
            }
            items={[
              token.state === "ACTIVE" && {
                text: "Rotate…",
                icon: <RotateCw aria-hidden />,
                onSelect: () => ask({ what: "rotate", token }),
              },
              { text: "Change its end…", icon: <Timer aria-hidden />, onSelect: () => ask({ what: "end", token }) },
              { text: "Revoke…", icon: <Ban aria-hidden />, isDanger: true, onSelect: () => ask({ what: "revoke", token }) },
            ]}
          />
        </div>
      );
    },
  };
}
