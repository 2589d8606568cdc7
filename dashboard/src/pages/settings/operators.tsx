// Who may sign in, and what they may do.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { CircleCheck, Ellipsis, Hourglass, KeyRound, Power, UserCog, UserPlus } from "lucide-react";
import { useState } from "react";

import { useChange, useCreate } from "@/api/change";
import { InviteOperatorAgainDocument, InviteOperatorDocument, type OperatorRowFragment, OperatorsPageDocument, type Role, UpdateOperatorDocument } from "@/api/gql/graphql";
import { useApi, wholeList } from "@/api/query";
import { useMay, useOperator } from "@/app/session";
import { Button, IconButton } from "@/parts/button";
import { Confirm } from "@/parts/confirm";
import { Dialog } from "@/parts/dialog";
import { Field, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { MaybeMoment, Moment } from "@/parts/moment";
import { Card } from "@/parts/page";
import { Pill } from "@/parts/pill";
import { Menu } from "@/parts/popup/menu";
import { ShownOnce } from "@/parts/shown-once";
import { Empty, Forbidden } from "@/parts/states";
import { type Column, DataTable } from "@/parts/table";
import { toast } from "@/parts/toast";
import { ROLE_TEXT, RoleField } from "./role-field";

type Row = OperatorRowFragment;

export function Operators() {
  const mayManage = useMay("ADMIN");
  return mayManage ? <List /> : <Forbidden />;
}

function List() {
  const search = useSearch({ from: "/shell/settings" });
  const navigate = useNavigate({ from: "/settings" });
  const query = useApi(OperatorsPageDocument, {});
  const [link, setLink] = useState<{ name: string; url: string } | null>(null);
  const [editing, setEditing] = useState<Row | null>(null);
  const [switching, setSwitching] = useState<Row | null>(null);
  const again = useChange(InviteOperatorAgainDocument, (data) => data.operatorInviteAgain);
  const setInvite = (invite?: true) => void navigate({ search: (old) => ({ ...old, invite }), replace: true });
  const inviteAgain = async (row: Row) => {
    const { payload, problems } = await again.run({ id: row.id });
    if (payload?.inviteUrl) setLink({ name: row.name, url: payload.inviteUrl });
    for (const { message, hint } of problems) toast([message, hint].filter(Boolean).join(" "), { tone: "bad" });
  };
  return (
    <Card isFlush>
      <DataTable
        name="operators"
        label="Operators"
        list={wholeList(query, query.data?.operators ?? undefined)}
        columns={[
          ...COLUMNS,
          {
            id: "menu",
            header: "",
            isFixed: true,
            align: "right",
            cell: (row) => <RowMenu row={row} onEdit={setEditing} onSwitch={setSwitching} onInvite={(one) => void inviteAgain(one)} />,
          },
        ]}
        rowId={(row) => row.id}
        empty={<Empty title="Nobody yet" />}
        toolbar={
          <Button size="small" look="primary" className="h-8" onClick={() => setInvite(true)}>
            <UserPlus aria-hidden />
            Invite somebody
          </Button>
        }
      />
      {search.invite && <InviteDialog onClose={() => setInvite()} onDone={setLink} />}
      {editing && <EditDialog operator={editing} onClose={() => setEditing(null)} />}
      {switching && <SwitchDialog operator={switching} onClose={() => setSwitching(null)} />}
      {link && (
        <ShownOnce
          title={`The link for ${link.name}`}
          about="Send it to them on a way that you trust: with it they set a password, once. Nobody is written to."
          text={link.url}
          onClose={() => setLink(null)}
        />
      )}
    </Card>
  );
}

const COLUMNS: Column<Row>[] = [
  {
    id: "name",
    header: "Name",
    isFixed: true,
    cell: (row) => (
      <div className="min-w-32">
        <p className="font-medium break-words">{row.name}</p>
        <p className="max-w-40 truncate text-faint sm:max-w-none" title={row.email}>{row.email}</p>
      </div>
    ),
  },
  { id: "role", header: "Role", from: "sm", cell: (row) => ROLE_TEXT[row.role] },
  {
    id: "state",
    header: "Status",
    cell: (row) =>
      !row.isActive ? <Pill icon={Power}>Off</Pill> : row.isInvited ? <Pill tone="warn" icon={Hourglass}>Invited</Pill> : <Pill tone="good" icon={CircleCheck}>Active</Pill>,
  },
  { id: "lastSeenAt", header: "Last seen", from: "sm", cell: (row) => <MaybeMoment at={row.lastSeenAt} /> },
  {
    id: "invitedUntil",
    header: "Link ends",
    from: "lg",
    cell: (row) => <MaybeMoment at={row.invitedUntil} none="–" />,
  },
  { id: "createdAt", header: "Since", from: "md", cell: (row) => <Moment at={row.createdAt} /> },
];

function RowMenu({ row, onEdit, onSwitch, onInvite }: { row: Row; onEdit: (row: Row) => void; onSwitch: (row: Row) => void; onInvite: (row: Row) => void }) {
  const isSelf = useOperator()?.id === row.id;
  return (
    <Menu
      trigger={
        <IconButton label={`Actions of ${row.name}`}>
          <Ellipsis aria-hidden />
        </IconButton>
      }
      items={[
        { text: "Change", icon: <UserCog aria-hidden />, onSelect: () => onEdit(row) },
        row.isActive && { text: row.isInvited ? "New invitation link" : "Link to set a new password", icon: <KeyRound aria-hidden />, onSelect: () => onInvite(row) },
        !isSelf && { text: row.isActive ? "Switch off" : "Switch on", icon: <Power aria-hidden />, isDanger: row.isActive, onSelect: () => onSwitch(row) },
      ]}
    />
  );
}

function InviteDialog({ onClose, onDone }: { onClose: () => void; onDone: (link: { name: string; url: string } | null) => void }) {
  const invite = useCreate(InviteOperatorDocument, (data) => data.operatorInvite);
  const form = useForm(
    { name: "", email: "", role: "MANAGER" as Role },
    (operator) => invite.run({ operator }),
    ({ inviteUrl, operator }) => {
      onClose();
      if (inviteUrl) onDone({ name: operator?.name ?? "them", url: inviteUrl });
    },
  );
  const { values, set, problem } = form;
  return (
    <Dialog title="Invite somebody" size="small" onClose={onClose}>
      <Form form={form} action="Make the link" busyText="Making it…" onCancel={onClose}>
        <Field label="Name" problem={problem("name")}>
          {(control) => <TextInput {...control} autoFocus value={values.name} onChange={(event) => set("name", event.target.value)} />}
        </Field>
        <Field label="E-mail" hint="They sign in with it. Nobody is written to." problem={problem("email")}>
          {(control) => <TextInput {...control} type="email" value={values.email} onChange={(event) => set("email", event.target.value)} />}
        </Field>
        <RoleField value={values.role} problem={problem("role")} onChange={(role) => set("role", role)} />
      </Form>
    </Dialog>
  );
}

function EditDialog({ operator, onClose }: { operator: Row; onClose: () => void }) {
  const update = useChange(UpdateOperatorDocument, (data) => data.operatorUpdate);
  const form = useForm(
    { name: operator.name, role: operator.role },
    (values) => update.run({ id: operator.id, operator: values }),
    () => {
      toast("Saved.");
      onClose();
    },
  );
  return (
    <Dialog title={`Change ${operator.name}`} size="small" onClose={onClose}>
      <Form form={form} action="Save" onCancel={onClose}>
        <Field label="Name" problem={form.problem("name")}>
          {(control) => <TextInput {...control} value={form.values.name} onChange={(event) => form.set("name", event.target.value)} />}
        </Field>
        <RoleField value={form.values.role} problem={form.problem("role")} onChange={(role) => form.set("role", role)} />
      </Form>
    </Dialog>
  );
}

function SwitchDialog({ operator, onClose }: { operator: Row; onClose: () => void }) {
  const update = useChange(UpdateOperatorDocument, (data) => data.operatorUpdate);
  const isOn = operator.isActive;
  return (
    <Confirm
      title={`${isOn ? "Switch off" : "Switch on"} ${operator.name}?`}
      action={isOn ? "Switch off" : "Switch on"}
      look={isOn ? "danger" : "primary"}
      run={() => update.run({ id: operator.id, operator: { isActive: !isOn } })}
      onDone={() => {
        toast(`${operator.name} is switched ${isOn ? "off" : "on"}.`);
        onClose();
      }}
      onClose={onClose}
    >
      {isOn ? <p>They are signed out everywhere at once, and cannot sign in any more. What they did stays in the audit trail.</p> : <p>They can sign in again, as {ROLE_TEXT[operator.role]}.</p>}
    </Confirm>
  );
}
