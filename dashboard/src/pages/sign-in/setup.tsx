// The first run: the printed code makes the first administrator, once.

import { Link, useLocation, useRouter } from "@tanstack/react-router";

import { setUp } from "@/api/session";
import { Field, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { Frame } from "./frame";
import { attempt } from "./refusal";

export function Setup() {
  // In the fragment of the printed link, which never leaves the browser.
  const code = useLocation({ select: ({ hash }) => hash });
  const router = useRouter();
  const form = useForm(
    { code, name: "", email: "", password: "" },
    (values) => attempt(() => setUp(values)),
    () => void router.navigate({ to: "/start" }),
  );
  return (
    <Frame
      title="Set up this server"
      about="The code is in the server's log, printed at its last start."
      below={
        <>
          Somebody has done this already?{" "}
          <Link to="/sign-in" className="font-medium text-accent-ink underline">
            Sign in
          </Link>
        </>
      }
    >
      <Form form={form} action="Make the first administrator" busyText="Setting up…">
        <Field label="Setup code" problem={form.problem("code")}>
          {(control) => (
            <TextInput
              {...control}
              className="mono"
              spellCheck={false}
              autoFocus={code === ""}
              value={form.values.code}
              onChange={(event) => form.set("code", event.target.value)}
            />
          )}
        </Field>
        <Field label="Your name" problem={form.problem("name")}>
          {(control) => (
            <TextInput
              {...control}
              autoComplete="name"
              autoFocus={code !== ""}
              value={form.values.name}
              onChange={(event) => form.set("name", event.target.value)}
            />
          )}
        </Field>
        <Field label="E-mail" problem={form.problem("email")}>
          {(control) => (
            <TextInput
              {...control}
              type="email"
              autoComplete="username"
              value={form.values.email}
              onChange={(event) => form.set("email", event.target.value)}
            />
          )}
        </Field>
        <Field label="Password" hint="12 characters or more." problem={form.problem("password")}>
          {(control) => (
            <TextInput
              {...control}
              type="password"
              autoComplete="new-password"
              value={form.values.password}
              onChange={(event) => form.set("password", event.target.value)}
            />
          )}
        </Field>
      </Form>
    </Frame>
  );
}
