// The first visit of somebody who was invited, and the way back for who lost a password: the link's code sets one, once.
// The code is behind the `#`, so it is in no log of any server.

import { Link, useRouter } from "@tanstack/react-router";
import { useState } from "react";

import { acceptInvitation } from "@/api/session";
import { Field, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { Notice } from "@/parts/states";
import { Frame } from "./frame";
import { attempt } from "./refusal";

export function Invite() {
  const router = useRouter();
  const [code] = useState(() => new URLSearchParams(location.hash.slice(1)).get("code") ?? "");
  const form = useForm(
    { password: "" },
    ({ password }) => attempt(() => acceptInvitation({ code, password })),
    () => void router.navigate({ to: "/", replace: true }),
  );
  return (
    <Frame
      title="Set your password"
      about="You were invited to this server. The link works once."
      below={
        <Link to="/sign-in" className="font-medium text-accent-ink underline">
          Sign in
        </Link>
      }
    >
      {code === "" ? (
        <Notice tone="warn">This link is not whole: open it again exactly as you were given it.</Notice>
      ) : (
        <Form form={form} action="Set it, and sign in" busyText="Signing in…">
          <Field label="Password" hint="12 characters or more." problem={form.problem("password")}>
            {(control) => (
              <TextInput
                {...control}
                type="password"
                autoComplete="new-password"
                autoFocus
                value={form.values.password}
                onChange={(event) => form.set("password", event.target.value)}
              />
            )}
          </Field>
        </Form>
      )}
    </Frame>
  );
}
