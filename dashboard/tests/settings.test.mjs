// Settings, Audit and Outbound Postbacks as people use them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { apiOf, copied, demo, openBrowser, openWindow, pick, signIn, stir, until } from "./support.mjs";

let server;
let browser;
let api;
before(async () => {
  [server, browser] = await Promise.all([demo(), openBrowser()]);
  api = await apiOf(server, server.admin);
  await stir(server, api);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function inWindow(work, person = server.admin) {
  const { page, faults, close } = await openWindow(browser, server);
  try {
    await signIn(page, person);
    await work(page);
    assert.deepEqual(faults(), []);
  } finally {
    await close();
  }
}

/** Somebody with a role, by an invitation that was accepted. */
async function invited(role) {
  const email = `${role.toLowerCase()}-${Date.now()}@example.com`;
  const made = await api(
    `mutation ($email: String!, $role: Role!) { operatorInvite(operator: { email: $email, name: "Somebody", role: $role }) { inviteUrl userErrors { message } } }`,
    { email, role },
  );
  const code = new URL(made.operatorInvite.inviteUrl).hash.replace("#code=", "");
  const password = "a long enough password";
  const response = await fetch(`${server.url}/api/invite`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code, password }),
  });
  assert.equal(response.status, 200);
  return { email, password };
}

test("an operator is invited, sets a password by the link, and is in with the role that was given", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/settings?tab=operators");
    await page.getByRole("button", { name: "Invite somebody" }).click();
    const dialog = page.getByRole("dialog", { name: "Invite somebody" });
    await dialog.getByLabel("Name").fill("Ada");
    await dialog.getByLabel("E-mail").fill("ada@example.com");
    await dialog.getByLabel("Role").selectOption("VIEWER");
    await dialog.getByRole("button", { name: "Make the link" }).click();
    const link = await copied(page, page.getByRole("dialog", { name: "The link for Ada" }).getByRole("button", { name: "Copy it" }));
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("row", { name: /Ada.*Invited/ }).waitFor();
    const { page: other, faults, close } = await openWindow(browser, server);
    try {
      await other.goto(link);
      await other.getByLabel("Password").fill("the password of Ada");
      await other.getByRole("button", { name: "Set it, and sign in" }).click();
      await other.getByText("Viewer", { exact: true }).waitFor();
      await other.goto(link);
      await other.getByLabel("Password").fill("another password of Ada");
      await other.getByRole("button", { name: "Set it, and sign in" }).click();
      await other.getByRole("alert").waitFor();
      assert.deepEqual(faults(), []);
    } finally {
      await close();
    }
    await page.getByRole("button", { name: "Actions of Ada" }).click();
    await page.getByRole("menuitem", { name: "Switch off" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Switch off" }).click();
    await page.getByRole("row", { name: /Ada.*Off/ }).waitFor();
  }));

test("an API key is shown once, works, and is refused once it is revoked", () =>
  inWindow(async (page) => {
    const ask = (key) =>
      fetch(`${server.url}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify({ query: "{ viewer { role } }" }),
      });
    await page.goto("/dashboard/settings?tab=keys");
    await page.getByRole("button", { name: "New key" }).first().click();
    const dialog = page.getByRole("dialog", { name: "New key" });
    await dialog.getByLabel("Name").fill("Nightly report");
    await dialog.getByRole("button", { name: "Make the key" }).click();
    const key = await copied(page, page.getByRole("dialog", { name: "The new key" }).getByRole("button", { name: "Copy it" }));
    await page.getByRole("button", { name: "Done" }).click();
    assert.equal((await (await ask(key)).json()).data.viewer.role, "VIEWER");
    assert.ok(!(await page.content()).includes(key));
    await page.getByRole("row", { name: /Nightly report/ }).getByRole("button", { name: "Revoke…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("row", { name: /Nightly report.*Revoked/ }).waitFor();
    const refused = await (await ask(key)).json();
    assert.equal(refused.errors[0].extensions.code, "UNAUTHENTICATED");
  }));

test("the settings of the network are changed, and the periods of the lists follow the zone", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/settings");
    await page.getByLabel("Time zone").fill("Mars/Olympus");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText(/time zone|zone/i).first().waitFor();
    await page.getByLabel("Time zone").fill("Asia/Tokyo");
    await page.getByLabel("Receipts are kept, in days").fill("45");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    const { settings } = await api("{ settings { timezone receiptRetentionDays } }");
    assert.deepEqual(settings, { timezone: "Asia/Tokyo", receiptRetentionDays: 45 });
    await page.goto("/dashboard/conversions");
    await page.getByRole("button", { name: /^Period/ }).click();
    await page.getByText("Days of Asia/Tokyo.").waitFor();
  }));

test("a changed password ends the other sessions and keeps this one", async () => {
  const person = await invited("MANAGER");
  await inWindow(async (page) => {
    await page.goto("/dashboard/settings?tab=you");
    await page.getByLabel("Password now").fill("not the password");
    await page.getByLabel("New password").fill("the next long password");
    await page.getByRole("button", { name: "Change the password" }).click();
    await page.locator('[aria-invalid="true"]').or(page.getByRole("alert")).first().waitFor();
    await page.getByLabel("Password now").fill(person.password);
    await page.getByRole("button", { name: "Change the password" }).click();
    await page.getByText("Your password is changed").waitFor();
    await page.goto("/dashboard/conversions");
    await page.getByRole("heading", { name: "Conversions" }).waitFor();
  }, person);
});

test("the audit trail shows who changed what from what to what, and filters by it", () =>
  inWindow(async (page) => {
    const [offer] = (await api('{ offers(filter: { search: "winter" }) { nodes { id version } } }')).offers.nodes;
    await api('mutation ($id: ID!, $v: Int!) { offerUpdate(id: $id, version: $v, offer: { name: "Polar: spring sale" }) { userErrors { message } } }', {
      id: offer.id,
      v: offer.version,
    });
    await page.goto("/dashboard/audit");
    await page.getByRole("row", { name: /Offer update/ }).first().getByRole("button", { name: "Offer update" }).click();
    const drawer = page.getByRole("complementary", { name: "Offer update" });
    await drawer.getByRole("row", { name: /name Polar: winter sale Polar: spring sale/ }).waitFor();
    await drawer.getByRole("button", { name: "Only of this" }).click();
    await page.waitForFunction(() => document.querySelectorAll("tr[data-row]").length < 10);
    assert.match(page.url(), /subject=/);
  }));

test("a viewer is told which role a page needs, and sees the rest without what is personal", async () => {
  const viewer = await invited("VIEWER");
  const { page, faults, close } = await openWindow(browser, server);
  try {
    const told = [];
    page.on("response", async (response) => {
      if (response.url().endsWith("/graphql")) told.push(await response.text().catch(() => ""));
    });
    await signIn(page, viewer);
    await page.goto("/dashboard/audit");
    await page.getByText("This needs the role ADMIN").waitFor();
    await page.goto("/dashboard/settings?tab=operators");
    await page.getByText("This needs the role ADMIN").waitFor();
    const { conversions, receipts } = await api("{ conversions(first: 1) { nodes { id } } receipts(first: 1) { nodes { id } } }");
    await page.goto(`/dashboard/conversions?conversion=${conversions.nodes[0].id}`);
    const conversion = page.getByRole("complementary", { name: "Conversion" });
    await conversion.getByText("Timeline").waitFor();
    assert.equal(await conversion.getByRole("button", { name: /Reject|Reinstate|note/ }).count(), 0);
    await page.goto(`/dashboard/postback-log?receipt=${receipts.nodes[0].id}`);
    await page.getByRole("complementary", { name: "Receipt" }).getByText("Checks").waitFor();
    assert.equal(await page.getByRole("button", { name: "Send test" }).count(), 0);
    await page.goto("/dashboard/settings?tab=explorer");
    await page.getByRole("heading", { name: "Schema" }).waitFor();
    const all = told.join("\n");
    assert.ok(all.length > 0);
    assert.doesNotMatch(all, /"(remoteIp|conversionIp|userAgent|maskedUrl)":"/);
    assert.doesNotMatch(all, /rt_[go]_[A-Za-z0-9]{20,}/);
    assert.deepEqual(faults(), []);
  } finally {
    await close();
  }
});

test("the explorer says what is wrong with a document before it is sent, and runs it", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/settings?tab=explorer");
    await page.getByLabel("GraphQL").fill("{ offer { nothing } }");
    await page.getByText("Cannot query field").first().waitFor();
    await page.getByLabel("Search the operations").fill("server");
    await page.getByRole("button", { name: "Use server", exact: true }).click();
    await page.getByRole("button", { name: "Run" }).click();
    await page.getByLabel("the answer").getByText('"version"').waitFor();
  }));

test("an outbound postback is made, previewed on a real conversion, changed and deleted", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/publishers/outbound-postbacks");
    await page.getByRole("button", { name: "New outbound postback" }).first().click();
    const dialog = page.getByRole("dialog", { name: "New outbound postback" });
    await dialog.getByLabel("Name").fill("Blog, approved");
    await pick(page, "Publisher (optional)", "Daily Deals Blog");
    await dialog.getByLabel("URL of the publisher").fill("https://publisher.example/p?click={no_such_macro}");
    await dialog.getByRole("button", { name: "Make it" }).click();
    await dialog.getByText(/no_such_macro/).last().waitFor();
    assert.equal(await dialog.getByLabel("URL of the publisher").getAttribute("aria-invalid"), "true");
    await dialog.getByLabel("URL of the publisher").fill("https://publisher.example/p?sub=");
    await dialog.getByRole("button", { name: "{sub_id}" }).click();
    await dialog.getByRole("button", { name: "Make it" }).click();
    await page.getByRole("dialog", { name: "The signing secret" }).getByText(/whsec_/).waitFor();
    await page.getByRole("button", { name: "Done" }).click();
    const drawer = page.getByRole("complementary", { name: "Blog, approved" });
    await drawer.getByRole("tab", { name: "Preview" }).click();
    await drawer.getByText(/https:\/\/publisher\.example\/p\?sub=(letter|news)/).waitFor();
    await drawer.getByRole("tab", { name: "Deliveries" }).click();
    await drawer.getByRole("button", { name: "Edit" }).click();
    const edit = page.getByRole("dialog", { name: /Edit/ });
    await edit.getByLabel("Rejected").check();
    await edit.getByLabel("Sent after").fill("15");
    await edit.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    await drawer.getByRole("tab", { name: "Rule" }).click();
    await drawer.getByText("after 15 min").waitFor();
    await drawer.getByText("Approved, Rejected").waitFor();
    await drawer.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Blog, approved is deleted.").waitFor();
    await page.locator("tr[data-row]", { hasText: "Blog, approved" }).waitFor({ state: "detached" });
    await page.locator("tr[data-row]", { hasText: "registrations and deposits" }).waitFor();
  }));

test("an outbound postback that does not get through is said on the Overview", () =>
  inWindow(async (page) => {
    const create = `mutation { outboundPostbackCreate(postback: { name: "To nowhere", urlTemplate: "https://publisher.invalid/p?c={external_transaction_id}" }) {
      postback { id } userErrors { message } } }`;
    const { postback } = (await api(create)).outboundPostbackCreate;
    await page.goto("/dashboard/");
    await page.getByText("What needs attention").waitFor();
    await page.waitForFunction(() => !document.querySelector(".skeleton"));
    assert.equal(await page.getByText("To nowhere").count(), 0);
    await stir(server, api, 1);
    const failing = "query ($id: ID!) { outboundPostback(id: $id) { failingSince } }";
    await until(async () => (await api(failing, { id: postback.id })).outboundPostback.failingSince !== null);
    await page.reload();
    await page.getByText(/^To nowhere does not reach its publisher: every try since/).waitFor();
    await page.getByRole("link", { name: "Rule", exact: true }).click();
    await page.getByRole("complementary", { name: "To nowhere" }).getByText("Failing").waitFor();
  }));
