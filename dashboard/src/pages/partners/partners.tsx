// The page of publishers, and that of advertisers: people with a name, a number and a state, in a list that opens a
// drawer. What is special about each of the two is its `Kind`.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { Pencil, Plus } from "lucide-react";
import { type ReactNode, useMemo, useRef, useState } from "react";

import { type Outcome, type Problem, useChange, useCreate } from "@/api/change";
import type { AdvertiserPartsFragment, PartnerFilter, PartnerInput, PartnerState, PublisherPartsFragment, TypedDocumentString } from "@/api/gql/graphql";
import { type Page as ListPage, useApi, useList } from "@/api/query";
import { useMay } from "@/app/session";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Drawer } from "@/parts/drawer";
import { Field, Select, TextArea, TextInput } from "@/parts/field";
import { FilterMany, SearchBox } from "@/parts/filters";
import { Form, useForm } from "@/parts/form";
import { Moment } from "@/parts/moment";
import { Card, Facts, Page } from "@/parts/page";
import { PartnerPill } from "@/parts/pill";
import { some } from "@/parts/search-params";
import { Empty, Loaded } from "@/parts/states";
import { type Column, DataTable } from "@/parts/table";
import { toast } from "@/parts/toast";

type Partner = Omit<AdvertiserPartsFragment, "__typename"> & Omit<PublisherPartsFragment, "__typename">;

interface PartnerSearch {
  search?: string;
  state?: PartnerState[];
  open?: string;
  create?: true;
}

interface Saved {
  saved?: { partner?: { id: string; name: string } | null; userErrors: Problem[] } | null;
}

/** What is special about publishers, or about advertisers. `D` is one of them with what its drawer shows. */
export interface Kind<D extends Partner> {
  noun: "publisher" | "advertiser";
  path: "/publishers" | "/advertisers";
  title: string;
  about: string;
  list: TypedDocumentString<{ partners: ListPage<Partner> }, { filter?: PartnerFilter | null; first: number; after?: string | null }>;
  one: TypedDocumentString<{ partner?: D | null }, { id: string }>;
  create: TypedDocumentString<Saved, { partner: PartnerInput; idempotencyKey?: string | null }>;
  update: TypedDocumentString<Saved, { id: string; version: number; partner: PartnerInput }>;
  /** Where its drawer leads. */
  link: (partner: D) => ReactNode;
  /** What its drawer shows below what both have. */
  more: (partner: D) => ReactNode;
}

const PAGE = 50;
const STATES = [
  ["ACTIVE", "Active"],
  ["PAUSED", "Paused"],
  ["ARCHIVED", "Archived"],
] as const;

export function Partners<D extends Partner>({ kind }: { kind: Kind<D> }) {
  const { noun, path, title, about } = kind;
  const search: PartnerSearch = useSearch({ from: `/shell${path}` });
  const navigate = useNavigate({ from: path });
  const create = useCreate(kind.create, (data) => data.saved);
  const mayEdit = useMay("MANAGER");
  /** Changes the URL; an opened drawer is a step that "back" takes back. */
  const set = (change: PartnerSearch) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: !change.open, resetScroll: false });
  const list = useList(kind.list, { first: PAGE, filter: { search: search.search ?? null, state: search.state ?? ["ACTIVE", "PAUSED"] } }, (data) => data.partners);
  const isFiltered = Boolean(search.search ?? search.state);
  const newest = useRef(set);
  newest.current = set;
  const columns = useMemo(() => columnsOf((id) => newest.current({ open: id })), []);
  const add = mayEdit && (
    <Button look="primary" onClick={() => set({ create: true })}>
      <Plus aria-hidden />
      New {noun}
    </Button>
  );
  return (
    <Page title={title} about={about} actions={add}>
      <Card isFlush>
        <DataTable
          name={`${noun}s`}
          label={title}
          list={list}
          columns={columns}
          rowId={(row) => row.id}
          openId={search.open}
          onOpen={(row) => set({ open: row.id })}
          empty={
            isFiltered ? (
              <Empty title={`No ${noun} matches`} action={<Button onClick={() => set({ search: undefined, state: undefined })}>Clear the filters</Button>} />
            ) : (
              <Empty title={`No ${noun}s yet`} action={add || undefined}>
                {about}
              </Empty>
            )
          }
          toolbar={
            <>
              <SearchBox label="Name or number" value={search.search ?? ""} onChange={(text) => set({ search: text || undefined })} />
              <FilterMany label="Status" options={STATES} chosen={search.state ?? []} onChange={(chosen) => set({ state: some(chosen) })} />
            </>
          }
        />
      </Card>
      {search.open && <PartnerDrawer kind={kind} id={search.open} onClose={() => set({ open: undefined })} />}
      {search.create && mayEdit && (
        <PartnerForm
          title={`New ${noun}`}
          action={`Create the ${noun}`}
          send={(partner) => create.run({ partner })}
          onDone={({ partner }) => {
            toast(`${partner?.name ?? `The ${noun}`} is made.`);
            set({ create: undefined, open: partner?.id });
          }}
          onClose={() => set({ create: undefined })}
        />
      )}
    </Page>
  );
}

function PartnerDrawer<D extends Partner>({ kind, id, onClose }: { kind: Kind<D>; id: string; onClose: () => void }) {
  const mayEdit = useMay("MANAGER");
  const query = useApi(kind.one, { id });
  const update = useChange(kind.update, (data) => data.saved);
  const [isEditing, setEditing] = useState(false);
  const partner = query.data?.partner;
  const noun = kind.noun.charAt(0).toUpperCase() + kind.noun.slice(1);
  return (
    <Drawer title={partner?.name ?? noun} subject={id} onClose={onClose}>
      <Loaded query={query}>
        {({ partner }) =>
          partner ? (
            <div className="grid gap-5">
              <div className="flex flex-wrap gap-2">
                {kind.link(partner)}
                {mayEdit && (
                  <Button size="small" onClick={() => setEditing(true)}>
                    <Pencil aria-hidden />
                    Edit
                  </Button>
                )}
              </div>
              <Facts
                rows={[
                  ["Number", <span className="figures">{partner.number}</span>],
                  ["Status", <PartnerPill state={partner.state} />],
                  ["Created", <Moment at={partner.createdAt} />],
                  ["Changed", <Moment at={partner.updatedAt} />],
                  ["Notes", <span className="whitespace-pre-wrap">{partner.notes ?? "–"}</span>],
                ]}
              />
              {kind.more(partner)}
            </div>
          ) : (
            <Empty title={`There is no such ${kind.noun}`} />
          )
        }
      </Loaded>
      {isEditing && partner && (
        <PartnerForm
          title={`Edit ${partner.name}`}
          action="Save"
          partner={partner}
          send={(input) => update.run({ id: partner.id, version: partner.version, partner: input })}
          onDone={() => {
            toast("Saved.");
            setEditing(false);
          }}
          onClose={() => setEditing(false)}
        />
      )}
    </Drawer>
  );
}

/** A part of the drawer that lists what belongs to the partner. */
export function Belongings({ title, none, hasMore, children }: { title: string; none: string; hasMore: boolean; children: ReactNode[] }) {
  return (
    <section className="grid gap-2">
      <h3 className="text-sm font-semibold">{title}</h3>
      {children.length === 0 ? <p className="text-sm text-faint">{none}</p> : <ul className="text-sm *:flex *:items-center *:justify-between *:gap-3 *:border-b *:border-line *:py-2 *:last:border-0">{children}</ul>}
      {hasMore && <p className="text-sm text-faint">These are the first 50.</p>}
    </section>
  );
}

function columnsOf(open: (id: string) => void): Column<Partner>[] {
  return [
    {
      id: "name",
      header: "Name",
      isFixed: true,
      cell: (row) => (
        <button type="button" onClick={() => open(row.id)} className="text-left font-medium break-words hover:underline">
          {row.name}
        </button>
      ),
    },
    {
      id: "number",
      header: "Number",
      align: "right",
      cell: (row) => <span className="figures text-soft">{row.number}</span>,
    },
    { id: "state", header: "Status", cell: (row) => <PartnerPill state={row.state} /> },
    {
      id: "notes",
      header: "Notes",
      from: "md",
      cell: (row) => <p className="max-w-80 truncate text-soft">{row.notes}</p>,
    },
    { id: "createdAt", header: "Created", from: "sm", cell: (row) => <Moment at={row.createdAt} /> },
    { id: "updatedAt", header: "Changed", isExtra: true, cell: (row) => <Moment at={row.updatedAt} /> },
  ];
}

interface FormProps<P> {
  title: string;
  action: string;
  partner?: Partner;
  send: (input: PartnerInput) => Promise<Outcome<P>>;
  onDone: (payload: P) => void;
  onClose: () => void;
}

function PartnerForm<P>({ title, action, partner, send, onDone, onClose }: FormProps<P>) {
  const form = useForm(
    {
      name: partner?.name ?? "",
      state: partner?.state ?? ("ACTIVE" as PartnerState),
      notes: partner?.notes ?? "",
      number: "",
    },
    ({ name, state, notes, number }) =>
      send({ name, state, notes: notes.trim() || null, ...(number.trim() ? { number: Number(number) } : {}) }),
    onDone,
  );
  const { values, set, problem } = form;
  return (
    <Dialog title={title} size="small" onClose={onClose}>
      <Form form={form} action={action} onCancel={onClose}>
        <Field label="Name" problem={problem("name")}>
          {(control) => <TextInput {...control} value={values.name} onChange={(event) => set("name", event.target.value)} />}
        </Field>
        <Field label="Status" problem={problem("state")}>
          {(control) => (
            <Select {...control} value={values.state} onChange={(event) => set("state", event.target.value as PartnerState)}>
              {STATES.map(([state, text]) => (
                <option key={state} value={state}>
                  {text}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Notes" optional hint="For people in the network only." problem={problem("notes")}>
          {(control) => <TextArea {...control} value={values.notes} onChange={(event) => set("notes", event.target.value)} />}
        </Field>
        {!partner && (
          <Field label="Number" optional hint="That links know it by; the next free one where nothing is said." problem={problem("number")}>
            {(control) => (
              <TextInput
                {...control}
                inputMode="numeric"
                className="figures max-w-40"
                value={values.number}
                onChange={(event) => set("number", event.target.value.replace(/\D/g, ""))}
              />
            )}
          </Field>
        )}
      </Form>
    </Dialog>
  );
}
