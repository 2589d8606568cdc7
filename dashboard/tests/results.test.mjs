// Conversions and the Postback Log as people use them: what comes in is seen without a reload, what was refused says
// why, and what does not count is rejected, one by one or many at once, and taken back.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { apiOf, click, copied, demo, openBrowser, openWindow, signIn, until } from "./support.mjs";

let server;
let browser;
let api;
let urls;
before(async () => {
  [server, browser] = await Promise.all([demo(), openBrowser()]);
  api = await apiOf(server, server.admin);
  urls = { conversion: await reveal("CONVERSION"), rejection: await reveal("REJECTION") };
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function reveal(kind) {
  const query = `mutation { postbackUrlReveal(input: { kind: ${kind}, scope: GLOBAL }) { revealed { url } userErrors { message } } }`;
  return (await api(query)).postbackUrlReveal.revealed.url;
}

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

async function fire(url, id, more = "") {
  const filled = url.replace("{transaction_id}", id).replace("{new_rejected_reason}", "Order%20cancelled");
  const response = await fetch(filled + more);
  return { http: response.status, ...(await response.json()) };
}

function visit(offer = 42) {
  return click(`${server.url}/click?offer=${offer}&publisher=7&sub_id=results`);
}

/** Some conversions of their own, and their transactions. */
async function recorded(count) {
  const made = [];
  for (let index = 0; index < count; index += 1) {
    const transaction = await visit();
    const answer = await fire(urls.conversion, transaction);
    assert.equal(answer.code, "recorded");
    made.push({ id: answer.conversion_id, transaction });
  }
  return made;
}

async function statusOf(id) {
  return (await api("query ($id: ID!) { conversion(by: { id: $id }) { status rejectionReason } }", { id })).conversion;
}

function row(page, id) {
  return page.locator(`tr[data-row="${id}"]`);
}

/** The page follows what happens. */
async function live(page) {
  await page.getByText("Live", { exact: true }).waitFor();
}

test("a request is seen in the log without a reload, and waits while the log is paused", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/postback-log");
    await live(page);
    const first = await fire(urls.conversion, await visit());
    await row(page, first.receipt_id).getByText("Recorded").first().waitFor();
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByText("Paused", { exact: true }).waitFor();
    const second = await fire(urls.conversion, await visit());
    await page.getByRole("button", { name: "1 new" }).waitFor();
    assert.equal(await row(page, second.receipt_id).count(), 0);
    await page.getByRole("button", { name: "1 new" }).click();
    await row(page, second.receipt_id).waitFor();
  }));

test("the URL of an offer is refused for another offer's click, and the log says why", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/offers/offer_43?url=conversion");
    const card = page.getByRole("region", { name: "Conversion Tracking" });
    const url = await copied(page, card.getByRole("button", { name: "Copy", exact: true }));
    await page.getByRole("navigation", { name: "Menu" }).getByRole("link", { name: "Postback Log" }).click();
    await live(page);
    const refused = await fire(url, await visit(42));
    assert.deepEqual([refused.http, refused.code], [403, "token_offer_mismatch"]);
    await row(page, refused.receipt_id).getByRole("button", { name: "Token offer mismatch" }).click();
    const drawer = page.getByRole("complementary", { name: "Receipt" });
    await drawer.getByText("The token belongs to another offer than the one that is meant.").first().waitFor();
    await drawer.getByText("Use the Postback URL of the offer that was clicked, or the global one.", { exact: true }).waitFor();
    assert.match(await drawer.innerText(), /Token offer\s+Failed/i);
    assert.match(await drawer.innerText(), /Stored\s+Not reached/i);
    assert.match(page.url(), /receipt=rcp_/);
    await page.goBack();
    await drawer.waitFor({ state: "detached" });
  }));

test("a receipt marks the parameter that was wrong, and its curl holds no secret", () =>
  inWindow(async (page) => {
    const refused = await fire(urls.conversion.replace("{transaction_id}", "%7Btransaction_id%7D"), "");
    assert.equal(refused.code, "unreplaced_macro");
    await page.goto(`/dashboard/postback-log?receipt=${refused.receipt_id}`);
    const drawer = page.getByRole("complementary", { name: "Receipt" });
    const wrong = drawer.getByRole("row", { name: /transaction_id/ });
    await wrong.getByText("This is what was wrong").waitFor();
    const curl = await copied(page, drawer.getByRole("button", { name: /Copy as curl/ }));
    assert.match(curl, /^curl -X GET 'http/);
    assert.doesNotMatch(curl, /rt_[go]_/);
  }));

test("the reasons of refusals are counted with their cures, and lead to their requests", () =>
  inWindow(async (page) => {
    const refused = await fire(urls.conversion.replace(/secure=[^&]+/, "secure=rt_g_wrong"), await visit());
    assert.equal(refused.code, "invalid_secure");
    await fire(urls.conversion, await visit());
    await page.goto("/dashboard/postback-log");
    const reasons = page.getByRole("region", { name: "Why requests were refused" });
    await reasons.getByText(/Copy the Postback URL again/).waitFor();
    await reasons.getByRole("button", { name: /Invalid secure/ }).click();
    await page.getByRole("button", { name: "Answer: Invalid secure" }).waitFor();
    await page.waitForFunction(() => [...document.querySelectorAll("tr[data-row]")].every((one) => one.textContent.includes("Invalid secure")));
    assert.match(page.url(), /code=INVALID_SECURE/);
  }));

test("a test is sent from the log, goes through every check and arrives marked as a test", () =>
  inWindow(async (page) => {
    await page.goto("/dashboard/postback-log");
    await live(page);
    await page.getByRole("button", { name: "Send test" }).click();
    const dialog = page.getByRole("dialog", { name: "Send test" });
    await dialog.getByLabel("Offer", { exact: true }).click();
    await page.getByRole("combobox", { name: "Search for the offer" }).fill("winter");
    await page.getByRole("option", { name: /winter sale/ }).click();
    await dialog.getByRole("button", { name: "Send", exact: true }).click();
    await dialog.getByText("Stored", { exact: true }).waitFor();
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await page.locator("tr[data-row]").first().getByText("Test", { exact: true }).waitFor();
  }));

test("a pasted URL is checked and nothing is written", () =>
  inWindow(async (page) => {
    const transaction = await visit();
    await page.goto("/dashboard/postback-log");
    await page.getByRole("button", { name: "Paste a URL to check" }).click();
    const dialog = page.getByRole("dialog", { name: "Paste a URL to check" });
    await dialog.getByLabel("The whole URL, as the advertiser fires it").fill(urls.conversion.replace("{transaction_id}", transaction));
    await dialog.getByRole("button", { name: "Check" }).click();
    await dialog.getByText("Recorded", { exact: true }).waitFor();
    const { receipts } = await api("query ($t: String!) { receipts(filter: { transactionId: { eq: $t }, kind: [CONVERSION] }) { nodes { id } } }", { t: transaction });
    assert.deepEqual(receipts.nodes, []);
  }));

test("a refused request is checked again and sent again once its cause is mended", () =>
  inWindow(async (page) => {
    const offer = (await api('{ offers(filter: { search: "winter sale" }) { nodes { id version } } }')).offers.nodes[0];
    const transaction = await visit();
    await api("mutation ($id: ID!) { offerArchive(id: $id) { userErrors { message } } }", { id: offer.id });
    const refused = await fire(urls.conversion, transaction);
    assert.equal(refused.code, "offer_inactive");
    const back = "mutation ($id: ID!) { offerUnarchive(id: $id) { offer { version } userErrors { message } } }";
    const { version } = (await api(back, { id: offer.id })).offerUnarchive.offer;
    await api('mutation ($id: ID!, $v: Int!) { offerUpdate(id: $id, version: $v, offer: { state: ACTIVE }) { userErrors { message } } }', { id: offer.id, v: version });
    await page.goto(`/dashboard/postback-log?receipt=${refused.receipt_id}`);
    await page.getByRole("button", { name: "Check again" }).click();
    const dialog = page.getByRole("dialog", { name: "Check and send again" });
    await dialog.getByText("Recorded", { exact: true }).waitFor();
    await dialog.getByRole("button", { name: "Send it again" }).click();
    await dialog.getByText("Done", { exact: true }).waitFor();
    const { conversion } = await api("query ($t: String!) { conversion(by: { transactionId: $t }) { status } }", { t: transaction });
    assert.equal(conversion.status, "APPROVED");
  }));

test("a rejection turns the pill of a row that is shown, with its reason, and moves no row", () =>
  inWindow(async (page) => {
    const [{ id, transaction }] = await recorded(1);
    await page.goto("/dashboard/conversions?range=today");
    await row(page, id).getByText("Approved").waitFor();
    await live(page);
    assert.equal((await fire(urls.rejection, transaction)).code, "rejected");
    await row(page, id).getByText("Rejected").waitFor();
    await row(page, id).getByText("Order cancelled").waitFor();
    const before = await page.locator("tr[data-row]").count();
    await recorded(1);
    await page.getByRole("button", { name: "1 new: show" }).waitFor();
    assert.equal(await page.locator("tr[data-row]").count(), before);
    await page.getByRole("button", { name: "1 new: show" }).click();
    await page.waitForFunction((count) => document.querySelectorAll("tr[data-row]").length === count + 1, before);
  }));

test("conversions are rejected together after a rehearsal in numbers, and Undo brings each back", () =>
  inWindow(async (page) => {
    const made = await recorded(3);
    await page.goto("/dashboard/conversions?range=today");
    for (const { id } of made) await row(page, id).getByRole("checkbox").check();
    const bar = page.getByRole("region", { name: "Selection" });
    await bar.getByText("3 selected").waitFor();
    await bar.getByRole("button", { name: "Reject…" }).click();
    const dialog = page.getByRole("dialog", { name: "Reject 3 conversions" });
    await dialog.getByLabel("Reason").fill("Fraud: one buyer");
    await dialog.getByText("3 conversions will be rejected.").waitFor();
    assert.match(await dialog.innerText(), /Revenue −€30\.00.*payout −€21\.00/s);
    await dialog.getByRole("button", { name: "Reject 3 conversions" }).click();
    await page.getByText("3 conversions rejected.").waitFor();
    for (const { id } of made) assert.deepEqual(await statusOf(id), { status: "REJECTED", rejectionReason: "Fraud: one buyer" });
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByText("3 conversions as before.").waitFor();
    for (const { id } of made) assert.equal((await statusOf(id)).status, "APPROVED");
  }));

test("Undo leaves alone what was rejected before", () =>
  inWindow(async (page) => {
    const [fresh, old] = await recorded(2);
    assert.equal((await fire(urls.rejection, old.transaction)).code, "rejected");
    await page.goto("/dashboard/conversions?range=today");
    for (const { id } of [fresh, old]) await row(page, id).getByRole("checkbox").check();
    await page.getByRole("button", { name: "Reject…" }).click();
    await page.getByLabel("Reason").fill("Order cancelled");
    await page.getByRole("dialog").getByRole("button", { name: "Reject 2 conversions" }).click();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByText("1 conversion as before.").waitFor();
    assert.equal((await statusOf(fresh.id)).status, "APPROVED");
    assert.equal((await statusOf(old.id)).status, "REJECTED");
  }));

test("with the keyboard alone a conversion is found, selected and rejected", () =>
  inWindow(async (page) => {
    const [{ id }] = await recorded(1);
    await page.goto("/dashboard/conversions?range=today");
    await row(page, id).waitFor();
    await page.keyboard.press("j");
    await page.waitForFunction((wanted) => document.activeElement?.dataset?.row === wanted, id);
    await page.keyboard.press("x");
    await page.getByText("1 selected").waitFor();
    await page.keyboard.press("r");
    await page.getByRole("dialog", { name: "Reject 1 conversion" }).waitFor();
    await page.keyboard.type("By hand");
    await page.keyboard.press("Enter");
    await page.getByText("1 conversion rejected.").waitFor();
    assert.deepEqual(await statusOf(id), { status: "REJECTED", rejectionReason: "By hand" });
  }));

test("a conversion opens with its history, and what is done there is in it", () =>
  inWindow(async (page) => {
    const [{ id, transaction }] = await recorded(1);
    await page.goto("/dashboard/conversions?range=today");
    await row(page, id).getByRole("button", { name: /Open the conversion/ }).click();
    const drawer = page.getByRole("complementary", { name: "Conversion" });
    await drawer.getByText(transaction).waitFor();
    await drawer.getByRole("button", { name: "Add a note" }).click();
    await page.getByRole("dialog").getByLabel("Note").fill("The buyer called");
    await page.getByRole("dialog").getByRole("button", { name: "Add" }).click();
    await drawer.getByText("The buyer called").waitFor();
    await drawer.getByRole("button", { name: "Reject…" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("Returned");
    await page.getByRole("dialog").getByRole("button", { name: "Reject 1 conversion" }).click();
    await drawer.getByText("“Returned”").waitFor();
    await drawer.getByRole("button", { name: "Reinstate…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Reinstate" }).click();
    await drawer.getByText("Reinstated", { exact: true }).waitFor();
    assert.match(await drawer.innerText(), /Approved → Rejected[\s\S]*Rejected → Approved/);
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    assert.doesNotMatch(page.url(), /conversion=/);
  }));

test("conversions of which some cannot be reinstated: it says which and why, and the others are", () =>
  inWindow(async (page) => {
    const [rejected, counting] = await recorded(2);
    assert.equal((await fire(urls.rejection, rejected.transaction)).code, "rejected");
    await page.goto("/dashboard/conversions?range=today");
    for (const { id } of [rejected, counting]) await row(page, id).getByRole("checkbox").check();
    await page.getByRole("region", { name: "Selection" }).getByRole("button", { name: "Reinstate…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Reinstate", exact: true }).click();
    const result = page.getByRole("dialog", { name: "1 of 2 not reinstated" });
    await result.getByText("1 conversion reinstated.").waitFor();
    await result.getByText("1 conversion not: There is no rejection to be undone.").waitFor();
    assert.deepEqual([(await statusOf(rejected.id)).status, (await statusOf(counting.id)).status], ["APPROVED", "APPROVED"]);
    await row(page, rejected.id).getByText("Approved").waitFor();
    await result.getByRole("link", { name: counting.id }).click();
    await page.getByRole("complementary", { name: "Conversion" }).getByText(counting.transaction).waitFor();
  }));

test("all of a filter is rejected as a job, which says why it has no Undo and leads to what it rejected", () =>
  inWindow(async (page) => {
    const made = await recorded(52);
    await page.goto("/dashboard/conversions?range=today&status=%5B%22APPROVED%22%5D");
    await row(page, made.at(-1).id).waitFor();
    await page.getByRole("checkbox", { name: "Select all rows shown" }).check();
    await page.getByRole("button", { name: /^Select all \d+ that match/ }).click();
    await page.getByRole("region", { name: "Selection" }).getByRole("button", { name: "Reject…" }).click();
    await page.getByLabel("Reason").fill("The whole week");
    await page.getByRole("dialog").getByRole("button", { name: /^Reject \d+ conversions/ }).click();
    const job = page.getByRole("dialog", { name: "Rejecting" });
    await job.getByText("Done", { exact: true }).waitFor();
    await job.getByText(/^There is no Undo for all of a filter/).waitFor();
    await job.getByRole("button", { name: "Show what has this reason" }).click();
    await page.getByRole("button", { name: "Reason: The whole week" }).waitFor();
    await row(page, made.at(-1).id).getByText("The whole week").waitFor();
    assert.match(page.url(), /status=.*REJECTED.*reason=/);
    for (const { id } of [made[0], made.at(-1)]) assert.equal((await statusOf(id)).status, "REJECTED");
  }));

test("amounts are put right, and what somebody else changed meanwhile is not written over unseen", () =>
  inWindow(async (page) => {
    const [{ id }] = await recorded(1);
    await page.goto(`/dashboard/conversions?range=today&conversion=${id}`);
    const drawer = page.getByRole("complementary", { name: "Conversion" });
    await drawer.getByRole("button", { name: "Put amounts right…" }).click();
    const dialog = page.getByRole("dialog", { name: "Put amounts right" });
    await dialog.getByLabel("Revenue (EUR)").fill("12.5");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByText(/note/i).last().waitFor();
    assert.equal(await dialog.getByLabel("Note").getAttribute("aria-invalid"), "true");
    await dialog.getByLabel("Note").fill("As invoiced");
    const amend = "mutation ($id: ID!) { conversionAmend(id: $id, version: 1, input: { payout: \"8\", note: \"by hand\" }) { userErrors { message } } }";
    assert.deepEqual((await api(amend, { id })).conversionAmend.userErrors, []);
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByText(/Somebody changed it meanwhile: revenue €10\.00, payout €8\.00/).waitFor();
    assert.deepEqual(await Promise.all(["Revenue (EUR)", "Payout (EUR)"].map((name) => dialog.getByLabel(name).inputValue())), ["12.5", "8.00"]);
    await dialog.getByRole("button", { name: "Save" }).click();
    await page.getByText("The amounts are put right.").waitFor();
    const { conversion } = await api("query ($id: ID!) { conversion(by: { id: $id }) { revenue { amount } payout { amount } version } }", { id });
    assert.deepEqual([Number(conversion.revenue.amount), Number(conversion.payout.amount), conversion.version], [12.5, 8, 3]);
    await drawer.getByText("Revenue €10.00 → €12.50").waitFor();
  }));

test("a long history is shown a page at a time", () =>
  inWindow(async (page) => {
    const [{ id }] = await recorded(1);
    const note = "mutation ($id: ID!, $note: String!) { conversionNoteAdd(id: $id, note: $note) { userErrors { message } } }";
    for (let number = 1; number <= 60; number += 1) await api(note, { id, note: `Note ${number} of sixty` });
    await page.goto(`/dashboard/conversions?range=today&conversion=${id}`);
    const drawer = page.getByRole("complementary", { name: "Conversion" });
    await drawer.getByText("Note 49 of sixty").waitFor();
    assert.equal(await drawer.getByText("Note 60 of sixty").count(), 0);
    await drawer.getByRole("button", { name: "Load more" }).click();
    await drawer.getByText("Note 60 of sixty").waitFor();
    assert.equal(await drawer.getByText("of sixty").count(), 60);
    assert.equal(await drawer.getByRole("button", { name: "Load more" }).count(), 0);
  }));

test("the list is exported as a CSV file with a line for each conversion", () =>
  inWindow(async (page) => {
    await recorded(2);
    const { conversions } = await api("{ conversions(first: 1) { totalCount { value } } }");
    await page.goto("/dashboard/conversions?range=today");
    await page.getByRole("button", { name: "Export CSV" }).first().click();
    const dialog = page.getByRole("dialog", { name: "Export CSV" });
    await dialog.getByRole("button", { name: "Make the file" }).click();
    const waits = page.waitForEvent("download");
    await dialog.getByRole("button", { name: "Download" }).click();
    const download = await waits;
    assert.match(download.suggestedFilename(), /^conversions-\d{4}-\d\d-\d\d\.csv$/);
    const lines = readFileSync(await download.path(), "utf8").trim().split("\r\n");
    assert.equal(lines.length - 1, conversions.totalCount.value);
  }));

test("figures follow the filters, and a row of the breakdown leads to its conversions", () =>
  inWindow(async (page) => {
    await recorded(1);
    await page.goto("/dashboard/conversions?range=today&by=OFFER");
    const breakdown = page.getByRole("region", { name: "By offer" });
    await breakdown.getByRole("button", { name: "Polar: winter sale" }).click();
    await page.getByRole("button", { name: /^Offer: Polar: winter sale/ }).waitFor();
    assert.match(page.url(), /offer=off/);
    await page.getByRole("button", { name: /^Revenue/ }).click();
    await page.getByRole("img", { name: /^Revenue by hour, in EUR/ }).waitFor();
    await page.getByText("Table", { exact: true }).first().click();
    await page.getByRole("columnheader", { name: "Revenue" }).first().waitFor();
  }));

/** A list up to here is whole (`VIRTUAL_FROM_ROWS` of the table). */
const WHOLE_ROWS_MAX = 120;
/** Those that a window of 900 pixels shows, and a dozen above and below. */
const NEAR_ROWS_MAX = 900 / 45 + 2 + 2 * 12;
/** The rows of a batch, and where they stand. */
const RENDERINGS_MAX = 2;
const SCROLL_PIXELS = 300;

test("two thousand requests arrive in the log: few rows are in the page, and few renderings show them", () =>
  inWindow(async (page) => {
    let told = 0;
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => {
        if (String(payload).includes('"receipt":{')) told += 1;
      }),
    );
    await page.goto("/dashboard/postback-log");
    await live(page);
    const transaction = await visit();
    await page.evaluate(watch);
    for (let round = 0; round < 80; round += 1) {
      await Promise.all(Array.from({ length: 25 }, () => fire(urls.conversion, transaction)));
    }
    await until(() => told >= 2_000);
    await page.waitForFunction(() => document.querySelector("table[aria-label='Requests']").ariaRowCount > 2_000);
    const arriving = await page.evaluate(() => window.watched.stop());
    console.log(`${frames("while 2 000 requests arrive", arriving)}, ${arriving.batches} batches in ${arriving.renderings} renderings, ${arriving.rowsMax} rows in the page at most`);
    // The control is `told`: they came one by one, and a page without measures would have drawn each.
    assert.ok(arriving.batches <= arriving.ticks, `${arriving.batches} batches were shown in ${arriving.ticks} quarters of a second`);
    assert.ok(arriving.renderings <= RENDERINGS_MAX * arriving.batches, `${arriving.renderings} renderings of ${arriving.batches} batches`);
    assert.ok(arriving.rowsMax <= WHOLE_ROWS_MAX, `${arriving.rowsMax} rows were in the page`);

    await page.evaluate(watch);
    const { seen, blank } = await page.evaluate(async (step) => {
      const seen = new Set();
      let blank = 0;
      const end = () => window.scrollY + innerHeight >= document.documentElement.scrollHeight - 1;
      while (!end()) {
        window.scrollBy(0, step);
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const row = document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest("tr");
        if (row && !row.dataset.row) blank += 1;
        for (const { dataset } of document.querySelectorAll("tr[data-row]")) seen.add(dataset.row);
      }
      return { seen: seen.size, blank };
    }, SCROLL_PIXELS);
    const scrolling = await page.evaluate(() => window.watched.stop());
    console.log(`${frames("while they are scrolled through", scrolling)}, ${blank} frames without rows, ${scrolling.rowsMax} rows in the page at most`);
    assert.ok(scrolling.rowsMax <= NEAR_ROWS_MAX, `${scrolling.rowsMax} rows were in the page`);
    // The control: what was looked through are all of them.
    assert.ok(seen >= 2_000, `${seen} rows were seen`);
    assert.equal(blank, 0);
  }));

/** In the page: what is drawn from now on, until `watched.stop()`. */
function watch() {
  const table = document.querySelector("table[aria-label='Requests']");
  const [gaps, tasks] = [[], []];
  let [rowsMax, batches, renderings, isOver] = [0, 0, 0, false];
  let before = performance.now();
  const began = before;
  const look = () => {
    const now = performance.now();
    gaps.push(now - before);
    before = now;
    rowsMax = Math.max(rowsMax, table.querySelectorAll("tr[data-row]").length);
    if (!isOver) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  const long = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
  long.observe({ type: "longtask" });
  // One call for each rendering that changes rows; the count of rows changes once with each batch.
  const changes = new MutationObserver((records) => {
    if (records.some(({ type }) => type === "childList")) renderings += 1;
    batches += records.filter(({ type }) => type === "attributes").length;
  });
  changes.observe(table, { attributes: true, attributeFilter: ["aria-rowcount"], childList: true, subtree: true });
  window.watched = {
    stop: () => {
      isOver = true;
      changes.disconnect();
      long.disconnect();
      return { gaps, tasks, rowsMax, batches, renderings, ticks: Math.ceil((performance.now() - began) / 250) + 1 };
    },
  };
}

function frames(when, { gaps, tasks }) {
  const late = gaps.filter((gap) => gap > 50).length;
  const sorted = [...gaps].sort((one, other) => one - other);
  const median = sorted[Math.floor(sorted.length / 2)];
  return `${when}: ${gaps.length} frames, median ${median.toFixed(1)} ms, ${((late / gaps.length) * 100).toFixed(1)} % over 50 ms, worst ${Math.max(...gaps).toFixed(0)} ms, longest task ${Math.max(0, ...tasks).toFixed(0)} ms`;
}
