// Signing in, and everything that can happen to a session while its page is open.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openBrowser, openWindow, signIn, staffed } from "./support.mjs";

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([staffed(["admin", "manager"]), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function inWindow(work) {
  const { page, context, faults, close } = await openWindow(browser, server);
  try {
    await work(page, context, faults);
  } finally {
    await close();
  }
}

test("who follows a link without a session signs in, and lands where the link leads", () =>
  inWindow(async (page, _, faults) => {
    await page.goto("/dashboard/offers/secure-tokens?scope=GLOBAL");
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.getByLabel("E-mail").fill(server.admin.email);
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("do not match").waitFor();
    await page.getByLabel("Password").fill(server.admin.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Secure Tokens" }).waitFor();
    assert.match(page.url(), /\/dashboard\/offers\/secure-tokens\?scope=GLOBAL$/);
    assert.deepEqual(faults(), []);
  }));

test("a link that leads elsewhere is not followed after signing in", () =>
  inWindow(async (page) => {
    for (const next of ["//evil.example", "https://evil.example", "/\\evil.example"]) {
      await page.goto(`/dashboard/sign-in?next=${encodeURIComponent(next)}`);
      assert.equal(new URL(page.url()).origin, server.url);
    }
    await signIn(page, server.admin, "/dashboard/sign-in?next=%2F%2Fevil.example");
    assert.equal(page.url(), `${server.url}/dashboard/`);
  }));

test("a reload keeps the session, and signing out ends it in every tab", () =>
  inWindow(async (page, context) => {
    await signIn(page, server.admin, "/dashboard/publishers");
    await page.reload();
    await page.getByRole("heading", { name: "Publishers" }).waitFor();
    const other = await context.newPage();
    await other.goto("/dashboard/advertisers");
    await other.getByRole("heading", { name: "Advertisers" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await other.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.goto("/dashboard/publishers");
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  }));

test("a session that was ended elsewhere says so, and leads back after signing in", () =>
  inWindow(async (page, context) => {
    await signIn(page, server.manager, "/dashboard/publishers");
    await context.clearCookies();
    // The server no longer believes the token, and there is no cookie to get another one.
    await page.route("**/graphql", (route) =>
      route.fulfill({ status: 401, json: { errors: [{ message: "x", extensions: { code: "UNAUTHENTICATED" } }] } }),
    );
    await page.getByRole("link", { name: "Advertisers" }).click();
    await page.getByText("Your session is over").waitFor();
    await page.unroute("**/graphql");
    await page.getByLabel("E-mail").fill(server.manager.email);
    await page.getByLabel("Password").fill(server.manager.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Advertisers" }).waitFor();
  }));

test("a failed request says its sentence and its id, and is tried again", () =>
  inWindow(async (page) => {
    await signIn(page, server.manager);
    await page.route("**/graphql", (route) =>
      route.fulfill({
        status: 200,
        json: { data: null, errors: [{ message: "Something went wrong on our side", extensions: { code: "INTERNAL", requestId: "req_42" } }] },
      }),
    );
    await page.getByRole("link", { name: "Domains" }).click();
    // What the Overview had asked for fails too, as long as it is there.
    await page.getByRole("heading", { name: "Overview" }).waitFor({ state: "detached" });
    await page.getByRole("alert").getByText("Something went wrong on our side (request req_42).").waitFor();
    await page.unroute("**/graphql");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("No domain yet").waitFor();
  }));

test("a list paints its skeleton before anything is answered", () =>
  inWindow(async (page) => {
    await signIn(page, server.manager);
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    let answer;
    const answered = new Promise((resolve) => (answer = resolve));
    await page.route("**/graphql", async (route) => {
      await answered;
      await route.continue();
    });
    await page.getByRole("link", { name: "Advertisers" }).click();
    await page.getByRole("heading", { name: "Advertisers" }).waitFor();
    await page.locator(".skeleton").first().waitFor();
    answer();
    await page.locator(".skeleton").first().waitFor({ state: "detached" });
  }));

test("a server that is away is said, and old data stays on the page", () =>
  inWindow(async (page) => {
    await signIn(page, server.manager, "/dashboard/offers/domains");
    await page.getByText("No domain yet").waitFor();
    await page.route("**/graphql", (route) => route.abort());
    await page.clock.install();
    await page.clock.fastForward(60_000);
    await page.evaluate(() => {
      Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
      dispatchEvent(new Event("visibilitychange"));
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.clock.runFor(30_000);
    await page.getByText("What you see may be out of date").waitFor();
    await page.getByText("No domain yet").waitFor();
  }));
