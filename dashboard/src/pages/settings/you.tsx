// Whoever is signed in: name, time zone, password, and the browsers that they are signed in with.

import { Laptop } from "lucide-react";

import { useChange } from "@/api/change";
import { RevokeSessionDocument, UpdateYouDocument, YouDocument, type YouQuery } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { refresh, renamed } from "@/api/session";
import { Button } from "@/parts/button";
import { Field, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { Moment } from "@/parts/moment";
import { Card } from "@/parts/page";
import { Pill } from "@/parts/pill";
import { Loaded, Skeleton } from "@/parts/states";
import { toast } from "@/parts/toast";
import { ZoneField } from "./zone-field";

export function You() {
  const query = useApi(YouDocument, {});
  return (
    <Loaded query={query} skeleton={<Skeleton lines={8} />}>
      {({ viewer, sessions }) => (
        <div className="grid gap-5 lg:grid-cols-2 lg:items-start">
          <Card title="Profile" about={viewer.email ?? undefined}>
            <Profile viewer={viewer} />
          </Card>
          <Card title="Password" about="A new one ends all your other sessions.">
            <Password />
          </Card>
          <div className="lg:col-span-2">
            <Card title="Sessions" about="Browsers that you are signed in with." isFlush>
              <Sessions sessions={sessions} />
            </Card>
          </div>
        </div>
      )}
    </Loaded>
  );
}

function Profile({ viewer }: { viewer: YouQuery["viewer"] }) {
  const update = useChange(UpdateYouDocument, (data) => data.viewerUpdate);
  const form = useForm(
    { name: viewer.name, timezone: viewer.timezone ?? "" },
    ({ name, timezone }) => update.run({ name, timezone: timezone.trim() || null }),
    (payload) => {
      if (payload.viewer) renamed(payload.viewer.name);
      toast("Saved.");
    },
  );
  return (
    <Form form={form} action="Save">
      <Field label="Name" problem={form.problem("name")}>
        {(control) => <TextInput {...control} autoComplete="name" value={form.values.name} onChange={(event) => form.set("name", event.target.value)} />}
      </Field>
      <ZoneField
        label="Time zone"
        optional
        hint="Else that of the network. Reports always count the network’s days."
        problem={form.problem("timezone")}
        value={form.values.timezone}
        onChange={(zone) => form.set("timezone", zone)}
      />
    </Form>
  );
}

function Password() {
  const update = useChange(UpdateYouDocument, (data) => data.viewerUpdate);
  const form = useForm(
    { currentPassword: "", newPassword: "" },
    (values) => update.run(values),
    () => {
      form.set("currentPassword", "");
      form.set("newPassword", "");
      // The access token of before is not good any more.
      void refresh();
      toast("Your password is changed; your other sessions have ended.");
    },
  );
  return (
    <Form form={form} action="Change the password">
      <Field label="Password now" problem={form.problem("currentPassword")}>
        {(control) => (
          <TextInput {...control} type="password" autoComplete="current-password" value={form.values.currentPassword} onChange={(event) => form.set("currentPassword", event.target.value)} />
        )}
      </Field>
      <Field label="New password" hint="12 characters or more." problem={form.problem("newPassword")}>
        {(control) => (
          <TextInput {...control} type="password" autoComplete="new-password" value={form.values.newPassword} onChange={(event) => form.set("newPassword", event.target.value)} />
        )}
      </Field>
    </Form>
  );
}

function Sessions({ sessions }: { sessions: YouQuery["sessions"] }) {
  const revoke = useChange(RevokeSessionDocument, (data) => data.sessionRevoke);
  const end = async (id: string) => {
    const { problems } = await revoke.run({ id });
    if (problems.length === 0) toast("The session has ended.");
    for (const { message } of problems) toast(message, { tone: "bad" });
  };
  return (
    <ul>
      {sessions.map((session) => (
        <li key={session.id} className="flex items-center gap-x-4 border-b border-line px-4 py-3 text-sm last:border-0 sm:px-5">
          <Laptop aria-hidden className="size-4 shrink-0 text-faint" />
          <span className="min-w-0 grow">
            Last seen <Moment at={session.lastSeenAt} />
            <span className="block text-faint">
              Signed in <Moment at={session.createdAt} />, ends <Moment at={session.expiresAt} /> unless it is used
            </span>
          </span>
          {session.current ? (
            <Pill tone="accent">This one</Pill>
          ) : (
            <Button size="small" disabled={revoke.isRunning} onClick={() => void end(session.id)}>
              Sign out
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}
