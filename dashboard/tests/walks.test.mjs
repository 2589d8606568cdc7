// The walks of the product, as people make them: through the menu, with real clicks and real postbacks.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { apiOf, click, copied, demo, empty, openBrowser, openWindow, pick, signIn } from "./support.mjs";

let server;
let browser;
let api;
before(async () => {
  [server, browser] = await Promise.all([demo(), openBrowser()]);
  api = await apiOf(server, server.admin);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Runs in a window of its own, signed in; in the end nothing may have gone wrong that nobody saw. */
async function inWindow(work, options) {
  const { page, faults, close } = await openWindow(browser, server, options);
  try {
    await signIn(page, server.admin);
    await work(page);
    assert.deepEqual(faults(), []);
  } finally {
    await close();
  }
}

function menu(page, name) {
  return page.getByRole("navigation", { name: "Menu" }).getByRole("link", { name, exact: true });
}

/** Fires a URL as an advertiser's server does. */
async function fire(url, id) {
  const filled = url.replace("{transaction_id}", id).replace("{new_rejected_reason}", "order%20cancelled");
  const response = await fetch(filled);
  return { http: response.status, ...(await response.json()) };
}

async function visit(offer, publisher = 7) {
  return click(`${server.url}/click?offer=${offer}&publisher=${publisher}&sub_id=walk`);
}

test("the conversion global postback is copied, fired for a real click, and seen to arrive without a reload", () =>
  inWindow(async (page) => {
    await menu(page, "Tracking Links & Postbacks").click();
    const card = page.getByRole("region", { name: "Conversion Global Postback" });
    assert.match(await card.getByTestId("url").innerText(), /secure=rt_g_\w{4}…\w{4}&transaction_id=\{transaction_id\}$/);
    const url = await copied(page, card.getByRole("button", { name: "Copy", exact: true }));
    await menu(page, "Overview").last().click();
    await page.getByRole("link", { name: "Polar: winter sale" }).click();
    const last = page.getByRole("region", { name: "Last receipt" });
    await last.waitFor();
    const answer = await fire(url, await visit(42));
    assert.deepEqual([answer.http, answer.code], [200, "recorded"]);
    await last.getByText("Recorded", { exact: true }).waitFor();
  }));

test("the Postback URL of an offer is copied, fired, and refused for another offer's click with the reason", () =>
  inWindow(async (page) => {
    await menu(page, "Overview").last().click();
    await page.getByRole("link", { name: "Polar: share of the basket" }).click();
    await page.getByRole("tab", { name: "General" }).waitFor();
    const card = page.getByRole("region", { name: "Conversion Tracking" });
    assert.deepEqual(await card.getByRole("tab").allInnerTexts(), ["Postback URL", "Rejection", "Clickless", "Image Pixel"]);
    await card.getByRole("tab", { name: "Postback URL" }).click();
    const url = await copied(page, card.getByRole("button", { name: "Copy", exact: true }));
    assert.match(url, /secure=rt_o_\w{20,}&transaction_id=\{transaction_id\}$/);
    const own = await fire(url, await visit(43));
    assert.deepEqual([own.http, own.code], [200, "recorded"]);
    const other = await visit(42);
    const refused = await fire(url, other);
    assert.deepEqual([refused.http, refused.code], [403, "token_offer_mismatch"]);
    await page.getByLabel("The whole URL, as the advertiser fires it").fill(url.replace("{transaction_id}", other));
    await page.getByRole("button", { name: "Check", exact: true }).click();
    const check = page.getByRole("region", { name: "Paste a URL to check" });
    await check.getByText("Refused", { exact: true }).waitFor();
    assert.match(await check.innerText(), /The token belongs to another offer/);
  }));

test("a rejection is copied and fired, and the offer's page says so", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/offers/tracking-links?url=conversion");
    const card = page.getByRole("region", { name: "Conversion Global Postback" });
    const conversion = await copied(page, card.getByRole("button", { name: "Copy", exact: true }));
    await card.getByRole("tab", { name: "Rejection" }).click();
    await card.getByText("/reject").waitFor();
    const rejection = await copied(page, card.getByRole("button", { name: "Copy", exact: true }));
    const id = await visit(42);
    assert.equal((await fire(conversion, id)).code, "recorded");
    const answer = await fire(rejection, id);
    assert.deepEqual([answer.http, answer.code], [200, "rejected"]);
    await page.goto("/dashboard/offers/offer_42");
    await page.getByRole("region", { name: "Last receipt" }).getByText("Rejection: rejected.").waitFor();
  }));

test("the global clickless tab says what stands in the way, and leads on", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/offers/tracking-links?url=clickless");
    const card = page.getByRole("region", { name: "Conversion Global Postback" });
    await card.getByRole("link", { name: "Create a global token" }).waitFor();
    assert.ok(await card.getByRole("button", { name: "Copy", exact: true }).isDisabled());
    await card.getByRole("link", { name: "Create a global token" }).click();
    await page.getByRole("dialog", { name: "New token" }).waitFor();
  }));

test("parameters are added, and what looks wrong is said at once", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/offers/tracking-links");
    const card = page.getByRole("region", { name: "Conversion Global Postback" });
    await card.getByText("Parameters").click();
    await card.getByRole("checkbox", { name: /^order_id/ }).check();
    await card.getByText("order_id={order_id}").waitFor();
    await card.getByLabel("Value of order_id").fill("[ORDER]");
    await card.getByText("order_id=[ORDER]").waitFor();
    await card.getByRole("button", { name: "Add your own" }).click();
    await card.getByLabel("Name of your own parameter").fill("ordr_id");
    await card.getByLabel("Value of ordr_id").fill("a b");
    await card.getByText("ordr_id=a%20b").waitFor();
    await card.getByText(/Did you mean|order_id/).first().waitFor();
    await card.getByRole("button", { name: "Reset" }).click();
    await card.getByText("order_id=").waitFor({ state: "detached" });
  }));

test("a tracking link is made, and a test link says that it counts in no figure", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/offers/tracking-links");
    const card = page.getByRole("region", { name: "Tracking link", exact: true });
    await pick(page, "Offer", "Polar: winter sale");
    await pick(page, "Publisher", "Daily Deals Blog");
    await card.getByLabel(/^Sub id/).fill("spring sale");
    await card.getByText("sub_id=spring%20sale").waitFor();
    const link = await copied(page, card.getByRole("button", { name: "Copy link" }));
    assert.match(await click(link), /^[0-9a-z]{40}$/);
    await card.getByText("Test", { exact: true }).click();
    await card.getByText(/^A test link: counts in no figure/).waitFor();
    assert.match(page.url(), /offer=offer_42/);
  }));

test("a token is rotated: the old URL works on, and is refused once it is revoked", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/offers/tracking-links");
    const card = page.getByRole("region", { name: "Conversion Global Postback" });
    const old = await copied(page, card.getByRole("button", { name: "Copy", exact: true }));
    assert.equal((await fire(old, await visit(42))).code, "recorded");

    await menu(page, "Secure Tokens").click();
    const row = page.getByRole("row", { name: /Demo: all offers/ });
    await row.getByRole("button", { name: "Rotate…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Who uses it").waitFor();
    await dialog.getByLabel("The old one ends").selectOption({ label: "In 1 hour" });
    await dialog.getByRole("button", { name: "Rotate", exact: true }).click();
    await dialog.getByText(/Both work until/).waitFor();
    const fresh = await copied(page, dialog.getByRole("button", { name: "Copy", exact: true }));
    assert.notEqual(fresh, old);
    await dialog.getByRole("button", { name: "Done" }).click();

    assert.equal((await fire(old, await visit(42))).code, "recorded", "inside the overlap");
    assert.equal((await fire(fresh, await visit(42))).code, "recorded");
    await page.getByText("Retiring", { exact: true }).waitFor();
    await page.getByRole("row", { name: /Retiring/ }).getByRole("button", { name: /^Actions of/ }).click();
    await page.getByRole("menuitem", { name: "Revoke…" }).click();
    await dialog.getByText("Who uses it").waitFor();
    assert.ok(await dialog.getByRole("button", { name: "Revoke it now" }).isDisabled(), "a reason is asked for");
    await dialog.getByLabel("Why").fill("it leaked");
    await dialog.getByRole("button", { name: "Revoke it now" }).click();
    await page.getByText(/is revoked: it is refused everywhere/).waitFor();
    const refused = await fire(old, await visit(42));
    assert.deepEqual([refused.http, refused.code], [401, "invalid_secure"]);
    assert.equal((await fire(fresh, await visit(42))).code, "recorded");
  }));

test("an offer is archived with Undo, and its settings are saved field by field", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/offers");
    const row = page.getByRole("row", { name: /Lighthouse: installs/ });
    await row.getByRole("button", { name: /^Actions of/ }).click();
    await page.getByRole("menuitem", { name: "Archive" }).click();
    await row.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Undo" }).click();
    await row.getByText("Paused").waitFor();
    await row.getByRole("link", { name: /Lighthouse: installs/ }).click();
    await page.getByRole("tab", { name: "Settings" }).click();
    await page.getByLabel("Landing page").fill("https://shop.example/no-placeholder");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("[aria-invalid=true]").waitFor();
    assert.ok(await page.getByLabel("Landing page").evaluate((field) => field === document.activeElement), "it has the focus");
    await page.getByLabel("Landing page").fill("https://shop.example/?id={transaction_id}");
    await page.getByLabel("Status").selectOption("ACTIVE");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText(/is saved/).waitFor();
    const { offer } = await api("{ offer(id: \"offer_45\") { state landingPageUrl } }");
    assert.deepEqual(offer, { state: "ACTIVE", landingPageUrl: "https://shop.example/?id={transaction_id}" });
  }));

test("an event is added to an offer, what is wrong stands beside its field, and a postback reports it", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/offers/offer_42?tab=events");
    await page.getByRole("button", { name: "Add an event" }).click();
    await page.getByLabel("Revenue", { exact: true }).fill("5");
    await page.getByLabel("Payout", { exact: true }).fill("3");
    await page.getByRole("button", { name: "Save the events" }).click();
    await page.locator("[aria-invalid=true]").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("deposit");
    await page.getByRole("button", { name: "Save the events" }).click();
    await page.getByText("The events are saved.").waitFor();
    await page.goto("/dashboard/offers/tracking-links");
    const card = page.getByRole("region", { name: "Conversion Global Postback" });
    const url = await copied(page, card.getByRole("button", { name: "Copy", exact: true }));
    const id = await visit(42);
    assert.equal((await fire(url, id)).code, "recorded");
    assert.equal((await fire(`${url}&event_name=deposit`, id)).code, "recorded");
    assert.equal((await fire(`${url}&event_name=other`, id)).code, "unknown_event");
  }));

test("a drawer is opened and walked by keys alone, and back closes it", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/publishers");
    await page.getByRole("row", { name: /Daily Deals Blog/ }).waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.getByRole("complementary").getByRole("heading", { name: "Daily Deals Blog" }).waitFor();
    await page.keyboard.press("j");
    await page.getByRole("complementary").getByRole("heading", { name: "Newsletter Network" }).waitFor();
    assert.match(page.url(), /open=pub_8/);
    await page.keyboard.press("Escape");
    await page.getByRole("complementary").waitFor({ state: "detached" });
    await page.getByRole("row", { name: /Search Partner/ }).click();
    await page.getByRole("complementary").waitFor();
    await page.goBack();
    await page.getByRole("complementary").waitFor({ state: "detached" });
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  }));

test("the palette finds pages, offers and partners", () =>
  inWindow(async (page) => {
    await page.keyboard.press("Control+k");
    const search = page.getByRole("dialog", { name: "Search everything" }).getByRole("combobox");
    await search.fill("domains");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Domains" }).waitFor();
    await page.keyboard.press("Control+k");
    await search.fill("winter");
    await page.getByRole("option", { name: /winter sale/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Polar: winter sale" }).waitFor();
  }));

test("from the printed code to the first recorded conversion by the checklist alone", async () => {
  const fresh = await empty();
  const { page, faults, close } = await openWindow(browser, fresh);
  try {
    await page.goto("/dashboard/");
    await page.getByRole("link", { name: "Set it up" }).click();
    await page.getByLabel("Setup code").fill("0000-0000-0000-0000-0000-0000");
    await page.getByLabel("Your name").fill("Ada");
    await page.getByLabel("E-mail").fill("ada@example.com");
    await page.getByLabel("Password").fill("correct horse battery");
    await page.getByRole("button", { name: "Make the first administrator" }).click();
    await page.getByRole("alert").getByText("Use the code that the server printed").waitFor();
    await page.getByLabel("Setup code").fill(fresh.code);
    await page.getByRole("button", { name: "Make the first administrator" }).click();
    await page.getByText("0 of 7").waitFor();
    const workspace = page.getByRole("dialog", { name: "Your workspace" });
    await page.getByRole("button", { name: "Set", exact: true }).click();
    assert.equal(await workspace.getByLabel("Time zone").inputValue(), "Europe/Berlin", "that of the browser");
    await workspace.getByRole("button", { name: "Save" }).click();
    await workspace.getByText("Say a currency").waitFor();
    await workspace.getByLabel("Currency").fill("eur");
    await workspace.getByRole("button", { name: "Save" }).click();
    await page.getByText("1 of 7").waitFor();

    const add = page.getByRole("link", { name: "Add", exact: true });
    await add.first().click();
    await page.getByRole("dialog").getByLabel("Name").fill("Shop");
    await page.getByRole("button", { name: "Create the advertiser" }).click();
    await page.getByText("Shop is made.").waitFor();
    await menu(page, "Getting started").click();
    await page.getByText("2 of 7").waitFor();
    await add.first().click();
    await page.getByRole("dialog").getByLabel("Name").fill("Blog");
    await page.getByRole("button", { name: "Create the publisher" }).click();
    await page.getByText("Blog is made.").waitFor();
    await menu(page, "Getting started").click();
    await page.getByText("3 of 7").waitFor();
    await page.getByRole("link", { name: "Create", exact: true }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("Boots");
    await pick(page, "Advertiser", "Shop");
    await dialog.getByLabel("Landing page").fill("https://shop.example/?c={transaction_id}");
    await dialog.getByLabel("Revenue", { exact: true }).fill("10");
    await dialog.getByLabel("Payout", { exact: true }).fill("7");
    await dialog.getByRole("button", { name: "Create the offer" }).click();
    await page.getByRole("heading", { name: "Boots" }).waitFor();
    await menu(page, "Getting started").click();
    await page.getByText("4 of 7").waitFor();
    await page.getByRole("link", { name: "Create", exact: true }).click();
    await dialog.getByRole("button", { name: "Create the token" }).click();
    await dialog.getByRole("heading", { name: "The new token" }).waitFor();
    await dialog.getByRole("button", { name: "Done" }).click();
    await menu(page, "Tracking Links & Postbacks").click();
    await pick(page, "Offer", "Boots");
    await pick(page, "Publisher", "Blog");
    const card = page.getByRole("region", { name: "Conversion Global Postback" });
    const url = await copied(page, card.getByRole("button", { name: "Copy", exact: true }));
    const link = await copied(page, page.getByRole("button", { name: "Copy link" }));
    await menu(page, "Getting started").click();
    await page.getByText("5 of 7").waitFor();
    assert.equal((await fire(url, await click(link))).code, "recorded");
    await page.getByText("7 of 7").waitFor();
    assert.deepEqual(faults(), []);
  } finally {
    await close();
    await fresh.stop();
  }
});
