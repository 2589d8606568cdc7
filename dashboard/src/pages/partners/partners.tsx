// What publishers and advertisers have in common: people with a name, a number and a state, in a list that opens a
// drawer. Their pages say what is special about each.

import { Plus } from "lucide-react";
import { type ReactNode, useMemo, useRef } from "react";

import type { Outcome } from "@/api/change";
import type { PartnerInput, PartnerState } from "@/api/gql/graphql";
import type { List } from "@/api/query";
import { useMay } from "@/app/session";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Field, Select, TextArea, TextInput } from "@/parts/field";
import { FilterMany, SearchBox } from "@/parts/filters";
import { Form, useForm } from "@/parts/form";
import { Moment } from "@/parts/moment";
import { Card, Page } from "@/parts/page";
import { PartnerPill } from "@/parts/pill";
import { some } from "@/parts/search-params";
import { Empty } from "@/parts/states";
import { type Column, DataTable } from "@/parts/table";

export interface Partner {
  id: string;
  number: number;
  name: string;
  state: PartnerState;
  notes?: string | null;
  version: number;
  createdAt: string;
  updatedAt: string;
}

export interface PartnerSearch {
  search?: string;
  state?: PartnerState[];
  open?: string;
  create?: true;
}

const STATES = [
  ["ACTIVE", "Active"],
  ["PAUSED", "Paused"],
  ["ARCHIVED", "Archived"],
] as const;

interface Props {
  noun: "publisher" | "advertiser";
  title: string;
  about: string;
  search: PartnerSearch;
  /** Changes the URL; an opened drawer is a step that "back" takes back. */
  set: (change: PartnerSearch) => void;
  list: List<Partner>;
  drawer: (id: string) => ReactNode;
  form: ReactNode;
}

export function PartnerList({ noun, title, about, search, set, list, drawer, form }: Props) {
  const mayEdit = useMay("MANAGER");
  const isFiltered = Boolean(search.search ?? search.state);
  const open = useRef(set);
  open.current = set;
  const columns = useMemo(() => columnsOf((id) => open.current({ open: id })), []);
  const create = mayEdit && (
    <Button look="primary" onClick={() => set({ create: true })}>
      <Plus aria-hidden />
      New {noun}
    </Button>
  );
  return (
    <Page title={title} about={about} actions={create}>
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
              <Empty title={`No ${noun}s yet`} action={create || undefined}>
                {about}
              </Empty>
            )
          }
          toolbar={
            <>
              <SearchBox label="Name or number" value={search.search ?? ""} onChange={(text) => set({ search: text || undefined })} />
              <FilterMany label="State" options={STATES} chosen={search.state ?? []} onChange={(chosen) => set({ state: some(chosen) })} />
            </>
          }
        />
      </Card>
      {search.open && drawer(search.open)}
      {search.create && mayEdit && form}
    </Page>
  );
}

function columnsOf(open: (id: string) => void): Column<Partner>[] {
  return [
    {
      id: "name",
      header: "Name",
      enableHiding: false,
      cell: ({ row: { original } }) => (
        <button type="button" onClick={() => open(original.id)} className="text-left font-medium break-words hover:underline">
          {original.name}
        </button>
      ),
    },
    {
      id: "number",
      header: "Number",
      meta: { align: "right" },
      cell: ({ row }) => <span className="figures text-soft">{row.original.number}</span>,
    },
    { id: "state", header: "Status", cell: ({ row }) => <PartnerPill state={row.original.state} /> },
    {
      id: "notes",
      header: "Notes",
      meta: { from: "md" },
      cell: ({ row }) => <p className="max-w-80 truncate text-soft">{row.original.notes}</p>,
    },
    { id: "createdAt", header: "Created", meta: { from: "sm" }, cell: ({ row }) => <Moment at={row.original.createdAt} /> },
    { id: "updatedAt", header: "Changed", meta: { isExtra: true }, cell: ({ row }) => <Moment at={row.original.updatedAt} /> },
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

export function PartnerForm<P>({ title, action, partner, send, onDone, onClose }: FormProps<P>) {
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
