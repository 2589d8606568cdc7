// Programs that use the admin API.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { Ban, CircleCheck, CircleDashed, Plus } from "lucide-react";
import { useState } from "react";

import { useChange, useCreate } from "@/api/change";
import { ApiKeysPageDocument, CreateApiKeyDocument, type KeyRowFragment, RevokeApiKeyDocument, type Role } from "@/api/gql/graphql";
import { useApi, wholeList } from "@/api/query";
import { useMay } from "@/app/session";
import { Button } from "@/parts/button";
import { Confirm } from "@/parts/confirm";
import { Dialog } from "@/parts/dialog";
import { Field, Select, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { MaybeMoment, Moment, useNow } from "@/parts/moment";
import { Card } from "@/parts/page";
import { Pill } from "@/parts/pill";
import { ShownOnce } from "@/parts/shown-once";
import { Empty, Forbidden } from "@/parts/states";
import { type Column, DataTable } from "@/parts/table";
import { toast } from "@/parts/toast";
import { ROLE_TEXT, RoleField } from "./role-field";

type Row = KeyRowFragment;

const DAY_MILLIS = 86_400_000;
const LIVES = [
  ["", "Never"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
] as const;

const EXAMPLE = [
  `curl ${location.origin}/graphql`,
  '-H "Authorization: Bearer …"',
  '-H "Content-Type: application/json"',
  `-d '{"query":"{ server { version } }"}'`,
].join(" \\\n  ");

export function ApiKeys() {
  return useMay("ADMIN") ? <List /> : <Forbidden />;
}

function List() {
  const search = useSearch({ from: "/shell/settings" });
  const navigate = useNavigate({ from: "/settings" });
  const query = useApi(ApiKeysPageDocument, {});
  const [secret, setSecret] = useState<string | null>(null);
  const [ending, setEnding] = useState<Row | null>(null);
  const revoke = useChange(RevokeApiKeyDocument, (data) => data.apiKeyRevoke);
  const setCreate = (create?: true) => void navigate({ search: (old) => ({ ...old, create }), replace: true });
  const create = (
    <Button size="small" look="primary" className="h-8" onClick={() => setCreate(true)}>
      <Plus aria-hidden />
      New key
    </Button>
  );
  return (
    <Card isFlush>
      <DataTable
        name="api-keys"
        label="API keys"
        list={wholeList(query, query.data?.apiKeys ?? undefined)}
        columns={[
          ...COLUMNS,
          {
            id: "end",
            header: "",
            isFixed: true,
            align: "right",
            cell: (row) => (row.revokedAt ? null : <Button size="small" onClick={() => setEnding(row)}>Revoke…</Button>),
          },
        ]}
        rowId={(row) => row.id}
        empty={
          <Empty title="No keys yet" action={create}>
            A key lets a program use the admin API as the dashboard does.
            <code tabIndex={0} className="mono mt-3 block overflow-x-auto rounded-md border border-line bg-sunken p-3 text-left text-sm whitespace-pre">
              {EXAMPLE}
            </code>
          </Empty>
        }
        toolbar={query.data?.apiKeys?.length === 0 ? undefined : create}
      />
      {search.create && <CreateDialog onClose={() => setCreate()} onDone={setSecret} />}
      {ending && (
        <Confirm
          title={`Revoke ${ending.name}?`}
          action="Revoke"
          run={() => revoke.run({ id: ending.id })}
          onDone={() => {
            toast(`${ending.name} is revoked.`);
            setEnding(null);
          }}
          onClose={() => setEnding(null)}
        >
          <p>
            It is refused at once, and for good. It was last used <MaybeMoment at={ending.lastUsedAt} />
            {ending.lastUsedIp && ` from ${ending.lastUsedIp}`}.
          </p>
        </Confirm>
      )}
      {secret && <ShownOnce title="The new key" about="Put it where the program keeps its secrets." text={secret} onClose={() => setSecret(null)} />}
    </Card>
  );
}

function State({ row }: { row: Row }) {
  const now = useNow();
  if (row.revokedAt) return <Pill tone="bad" icon={Ban}>Revoked</Pill>;
  if (row.expiresAt && Date.parse(row.expiresAt) <= now) return <Pill icon={CircleDashed}>Over</Pill>;
  return <Pill tone="good" icon={CircleCheck}>Works</Pill>;
}

const COLUMNS: Column<Row>[] = [
  {
    id: "name",
    header: "Name",
    isFixed: true,
    cell: (row) => (
      <div className="min-w-28">
        <p className="font-medium break-words">{row.name}</p>
        <p className="mono text-faint">{row.hint}</p>
      </div>
    ),
  },
  { id: "role", header: "Role", cell: (row) => ROLE_TEXT[row.role] },
  { id: "state", header: "Status", from: "sm", cell: (row) => <State row={row} /> },
  { id: "lastUsedAt", header: "Last used", from: "sm", cell: (row) => <MaybeMoment at={row.lastUsedAt} /> },
  { id: "lastUsedIp", header: "From", from: "xl", cell: (row) => <span className="mono text-soft">{row.lastUsedIp ?? "–"}</span> },
  { id: "expiresAt", header: "Ends", from: "md", cell: (row) => <MaybeMoment at={row.expiresAt} none="never" /> },
  { id: "createdAt", header: "Made", from: "lg", cell: (row) => <span className="text-soft"><Moment at={row.createdAt} /> by {row.createdBy.label}</span> },
];

function CreateDialog({ onClose, onDone }: { onClose: () => void; onDone: (secret: string | null) => void }) {
  const create = useCreate(CreateApiKeyDocument, (data) => data.apiKeyCreate);
  const form = useForm(
    { name: "", role: "VIEWER" as Role, expiresAt: "365" },
    ({ name, role, expiresAt }) =>
      create.run({ input: { name, role, expiresAt: expiresAt ? new Date(Date.now() + Number(expiresAt) * DAY_MILLIS).toISOString() : null } }),
    ({ secret }) => {
      onClose();
      onDone(secret ?? null);
    },
  );
  const { values, set, problem } = form;
  return (
    <Dialog title="New key" size="small" onClose={onClose}>
      <Form form={form} action="Make the key" busyText="Making it…" onCancel={onClose}>
        <Field label="Name" hint="Which program it is for." problem={problem("name")}>
          {(control) => <TextInput {...control} autoFocus value={values.name} onChange={(event) => set("name", event.target.value)} />}
        </Field>
        <RoleField value={values.role} problem={problem("role")} onChange={(role) => set("role", role)} />
        <Field label="It ends" problem={problem("expiresAt")}>
          {(control) => (
            <Select {...control} value={values.expiresAt} onChange={(event) => set("expiresAt", event.target.value)}>
              {LIVES.map(([days, text]) => (
                <option key={days} value={days}>
                  {text}
                </option>
              ))}
            </Select>
          )}
        </Field>
      </Form>
    </Dialog>
  );
}
