// Audit: who changed what, when, and from what to what. Entries are written with the change itself and never altered.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { Bot, KeyRound, Server, User } from "lucide-react";
import { useCallback, useMemo } from "react";

import { type ActorKind, AuditPageDocument, type AuditPageQuery } from "@/api/gql/graphql";
import { useList } from "@/api/query";
import { useMay } from "@/app/session";
import { Button } from "@/parts/button";
import { CopiedId } from "@/parts/copy";
import { Drawer } from "@/parts/drawer";
import { FilterPopup, SearchBox } from "@/parts/filters";
import { localText, Moment } from "@/parts/moment";
import { Card, Facts, Page } from "@/parts/page";
import type { Range } from "@/parts/period/period";
import { PeriodPicker } from "@/parts/period/period-picker";
import { usePeriod } from "@/parts/period/use-period";
import { Empty, Failed, Forbidden } from "@/parts/states";
import { type Column, DataTable } from "@/parts/table";
import { type AuditSearch, USUAL_PERIOD } from "./search";

type Entry = NonNullable<AuditPageQuery["auditLog"]>["nodes"][number];

const PAGE = 50;
const NONE = { nodes: [], pageInfo: { hasNextPage: false, endCursor: null } };
const ACTORS = { OPERATOR: User, API_KEY: Bot, ADVERTISER_POSTBACK: KeyRound, SYSTEM: Server } satisfies Record<ActorKind, typeof User>;

export function Audit() {
  const search = useSearch({ from: "/shell/audit" });
  const navigate = useNavigate({ from: "/audit" });
  const set = useCallback(
    (change: AuditSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: !change.entry, resetScroll: false }),
    [navigate],
  );
  const mayRead = useMay("ADMIN");
  const { zone, range, error, retry } = usePeriod(search, USUAL_PERIOD);
  return (
    <Page
      title="Audit"
      about="Who changed what, and when. Entries are never altered."
      actions={mayRead && <PeriodPicker period={search} usual={USUAL_PERIOD} zone={zone} onChange={set} />}
    >
      {!mayRead && <Forbidden />}
      {mayRead && error && !range && <Failed error={error} onRetry={retry} />}
      {mayRead && range && <Entries search={search} range={range} set={set} />}
    </Page>
  );
}

function Entries({ search, range, set }: { search: AuditSearch; range: Range; set: (change: AuditSearch) => void }) {
  const list = useList(
    AuditPageDocument,
    {
      first: PAGE,
      filter: {
        at: range,
        actions: search.action ? [search.action] : null,
        actorIds: search.actor ? [search.actor] : null,
        subjectIds: search.subject ? [search.subject] : null,
      },
    },
    (data) => data.auditLog ?? NONE,
  );
  const columns = useMemo(() => columnsOf(set), [set]);
  const isFiltered = Boolean(search.action ?? search.actor ?? search.subject);
  const open = list.rows?.find(({ id }) => id === search.entry);
  const actor = list.rows?.find((row) => idOf(row) === search.actor)?.actor.label;
  return (
    <Card isFlush>
      <DataTable
        name="audit"
        label="Audit trail"
        list={list}
        columns={columns}
        rowId={(row) => row.id}
        openId={search.entry}
        onOpen={(row) => set({ entry: row.id })}
        empty={
          isFiltered ? (
            <Empty
              title="Nothing matches in this period"
              action={<Button onClick={() => set({ action: undefined, actor: undefined, subject: undefined })}>Clear the filters</Button>}
            />
          ) : (
            <Empty title="Nothing was changed in this period" />
          )
        }
        toolbar={
          <>
            <SearchBox label="Id of what was changed" value={search.subject ?? ""} onChange={(text) => set({ subject: text.trim() || undefined })} />
            <Chosen label="Action" value={search.action} onClear={() => set({ action: undefined })} />
            <Chosen label="By" value={search.actor && (actor ?? search.actor)} onClear={() => set({ actor: undefined })} />
          </>
        }
      />
      {open && <EntryDrawer entry={open} set={set} />}
    </Card>
  );
}

/** A filter that is set from an entry. */
function Chosen({ label, value, onClear }: { label: string; value: string | undefined; onClear: () => void }) {
  if (!value) return null;
  return (
    <FilterPopup label={label} shown={value} onClear={onClear}>
      <p className="p-2 text-sm">Open an entry to filter by another one.</p>
    </FilterPopup>
  );
}

function idOf({ actor }: Entry): string {
  return actor.operator?.id ?? actor.apiKey?.id ?? "system";
}

/** `offer.update` → `Offer update`. */
function actionText(action: string): string {
  const text = action.replace(/[._]/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function Who({ entry: { actor } }: { entry: Entry }) {
  const Icon = ACTORS[actor.kind];
  return (
    <span className="flex items-center gap-1.5">
      <Icon aria-hidden className="size-4 shrink-0 text-faint" />
      <span className="min-w-0 truncate">{actor.label}</span>
    </span>
  );
}

function columnsOf(set: (change: AuditSearch) => void): Column<Entry>[] {
  return [
    { id: "at", header: "When", isFixed: true, cell: (row) => <Moment at={row.at} /> },
    { id: "actor", header: "Who", from: "sm", cell: (row) => <div className="max-w-48"><Who entry={row} /></div> },
    {
      id: "action",
      header: "What",
      cell: (row) => (
        <button type="button" className="text-left font-medium hover:underline" onClick={() => set({ entry: row.id })}>
          {actionText(row.action)}
        </button>
      ),
    },
    {
      id: "subject",
      header: "Of what",
      cell: (row) => <p className="line-clamp-1 max-w-56 break-all" title={row.subjectLabel}>{row.subjectLabel}</p>,
    },
    {
      id: "changes",
      header: "Fields",
      from: "md",
      cell: (row) => (
        <p className="mono max-w-72 truncate text-soft">{row.changes.map(({ field }) => field).join(", ") || <span className="text-faint">–</span>}</p>
      ),
    },
    {
      id: "ip",
      header: "From",
      from: "xl",
      cell: (row) => <span className="mono text-soft">{row.actor.ip ?? "–"}</span>,
    },
    { id: "requestId", header: "Request", isExtra: true, cell: (row) => <span className="mono text-soft">{row.requestId}</span> },
  ];
}

function EntryDrawer({ entry, set }: { entry: Entry; set: (change: AuditSearch) => void }) {
  return (
    <Drawer title={actionText(entry.action)} subject={entry.id} onClose={() => set({ entry: undefined })}>
      <div className="grid gap-5">
        <div className="flex flex-wrap gap-2">
          <Button size="small" onClick={() => set({ action: entry.action, entry: undefined })}>
            Only this action
          </Button>
          <Button size="small" onClick={() => set({ actor: idOf(entry), entry: undefined })}>
            Only by {entry.actor.label}
          </Button>
          <Button size="small" onClick={() => set({ subject: entry.subjectId, entry: undefined })}>
            Only of this
          </Button>
        </div>
        <Facts
          rows={[
            [
              "When",
              <>
                <Moment at={entry.at} /> <span className="text-faint">({localText(entry.at)})</span>
              </>,
            ],
            ["Who", <Who entry={entry} />],
            ["From", <span className="mono">{entry.actor.ip ?? "–"}</span>],
            ["Of what", entry.subjectLabel],
            ["Id", <CopiedId text={entry.subjectId} what="the id" />],
            ["Request", <CopiedId text={entry.requestId} what="the request id" />],
          ]}
        />
        <section className="grid gap-2">
          <h3 className="text-sm font-semibold">What changed</h3>
          {entry.changes.length === 0 ? (
            <p className="text-sm text-faint">The action says it all.</p>
          ) : (
            <table className="w-full text-sm">
              <thead className="text-left text-xs text-faint">
                <tr>
                  <th scope="col" className="pb-1 font-medium">
                    Field
                  </th>
                  <th scope="col" className="pb-1 font-medium">
                    Before
                  </th>
                  <th scope="col" className="pb-1 font-medium">
                    After
                  </th>
                </tr>
              </thead>
              <tbody>
                {entry.changes.map(({ field, before, after }) => (
                  <tr key={field} className="border-t border-line align-top">
                    <th scope="row" className="mono py-1.5 pr-3 text-left font-normal break-all">
                      {field}
                    </th>
                    <td className="mono py-1.5 pr-3 break-all whitespace-pre-wrap text-soft">{before ?? "–"}</td>
                    <td className="mono py-1.5 break-all whitespace-pre-wrap">{after ?? "–"}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </section>
      </div>
    </Drawer>
  );
}
