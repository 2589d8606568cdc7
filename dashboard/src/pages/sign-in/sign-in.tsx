// E-mail and password. On a new server it leads to the first run instead.

import { useQuery } from "@tanstack/react-query";
import { Link, useRouter, useSearch } from "@tanstack/react-router";
import { useEffect } from "react";

import { isFirstRun, signIn } from "@/api/session";
import { useSession } from "@/app/session";
import { Field, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { Notice } from "@/parts/states";
import { Frame } from "./frame";
import { attempt } from "./refusal";

export function SignIn() {
  const { next = "/" } = useSearch({ from: "/sign-in" });
  const router = useRouter();
  const session = useSession();
  const firstRun = useQuery({ queryKey: ["first run"], queryFn: isFirstRun, retry: false });
  const form = useForm(
    { email: "", password: "" },
    ({ email, password }) => attempt(() => signIn(email, password)),
    () => undefined,
  );

  useEffect(() => {
    if (session.phase === "in") router.history.replace(router.basepath + next);
  }, [session.phase, router, next]);

  if (firstRun.data) {
    return (
      <Frame title="A new server" about="Nobody can sign in yet. Make the first administrator with the code that the server printed when it started.">
        <Link to="/setup" className="font-medium text-accent-ink underline">
          Set it up
        </Link>
      </Frame>
    );
  }
  return (
    <Frame title="Sign in">
      {session.phase === "out" && session.ended && <Notice role="status">Your session is over. Sign in again to go on where you were.</Notice>}
      <Form form={form} action="Sign in" busyText="Signing in…">
        <Field label="E-mail" problem={form.problem("email")}>
          {(control) => (
            <TextInput
              {...control}
              type="email"
              name="email"
              autoComplete="username"
              autoFocus
              required
              value={form.values.email}
              onChange={(event) => form.set("email", event.target.value)}
            />
          )}
        </Field>
        <Field label="Password" problem={form.problem("password")}>
          {(control) => (
            <TextInput
              {...control}
              type="password"
              name="password"
              autoComplete="current-password"
              required
              value={form.values.password}
              onChange={(event) => form.set("password", event.target.value)}
            />
          )}
        </Field>
      </Form>
    </Frame>
  );
}
