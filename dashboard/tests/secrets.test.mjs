// What must not be seen: a secret by a viewer, neither in the page nor in any answer that it gets; and what must not
// happen: text of senders and colleagues that becomes code.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { apiOf, click, openBrowser, openWindow, signIn, staffed } from "./support.mjs";

const SECRET = /rt_[gor]_[A-Za-z0-9]{20,}/;
/** Each would run `stolen()` if it were ever taken for HTML, a URL or a template. */
const CORPUS = [
  '<script>stolen()</script>',
  '<img src=x onerror=stolen()>',
  '"><svg/onload=stolen()>',
  "javascript:stolen()",
  "{{constructor.constructor('stolen()')()}}",
  "</textarea><iframe srcdoc='<script>parent.stolen()</script>'>",
  "<a href='javascript:stolen()'>press</a>",
  "<style>@import 'http://stolen.example'</style>",
];

let server;
let browser;
let api;
before(async () => {
  [server, browser] = await Promise.all([staffed(["admin", "viewer"]), openBrowser()]);
  api = await apiOf(server, server.admin);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** An advertiser, a publisher, an offer and a token; their names are texts like any other. */
async function furnish(name) {
  const made = (payload) => {
    assert.deepEqual(payload.userErrors, []);
    return payload;
  };
  const errors = "userErrors { code message }";
  const { advertiserCreate } = await api(
    `mutation ($n: String!) { advertiserCreate(advertiser: { name: $n, notes: $n }) { advertiser { id } ${errors} } }`,
    { n: name },
  );
  const { publisherCreate } = await api(
    `mutation ($n: String!) { publisherCreate(publisher: { name: $n, notes: $n }) { publisher { id number } ${errors} } }`,
    { n: name },
  );
  const { offerCreate } = await api(
    `mutation ($n: String!, $a: ID!) { offerCreate(offer: { name: $n, description: $n, advertiserId: $a, currency: "EUR",
       landingPageUrl: "https://shop.example/?c={transaction_id}", revenue: { fixed: "10" }, payout: { fixed: "7" } })
       { offer { id number } ${errors} } }`,
    { n: name, a: made(advertiserCreate).advertiser.id },
  );
  const { secureTokenCreate } = await api(
    `mutation ($n: String!, $o: ID!) { secureTokenCreate(input: { scope: OFFER, offerId: $o, label: $n }) { secret ${errors} } }`,
    { n: name.slice(0, 60), o: made(offerCreate).offer.id },
  );
  const [offer, publisher] = [offerCreate.offer, made(publisherCreate).publisher];
  return { offer, publisher, advertiser: advertiserCreate.advertiser, secret: made(secureTokenCreate).secret };
}

const paths = ({ offer, publisher, advertiser }) => [
  "/dashboard/offers",
  `/dashboard/offers/${offer.id}`,
  `/dashboard/offers/${offer.id}?url=rejection`,
  `/dashboard/offers/${offer.id}?tab=settings`,
  `/dashboard/offers/${offer.id}?tab=publishers`,
  `/dashboard/offers/tracking-links?offer=${offer.id}&publisher=${publisher.id}`,
  "/dashboard/offers/secure-tokens",
  "/dashboard/offers/domains",
  `/dashboard/publishers?open=${publisher.id}`,
  `/dashboard/advertisers?open=${advertiser.id}`,
  `/dashboard/advertisers/${advertiser.id}/handover`,
  "/dashboard/",
  "/dashboard/conversions?range=today&by=OFFER&by2=PUBLISHER",
  "/dashboard/postback-log",
  "/dashboard/audit",
  "/dashboard/settings",
  "/dashboard/settings?tab=operators",
];

async function settled(page) {
  await page.locator("#main").waitFor();
  await page.waitForLoadState("networkidle");
}

test("a viewer sees no secret, neither in a page nor in an answer", async () => {
  const things = await furnish("Boots");
  assert.match(things.secret, SECRET, "or the test would look for nothing");
  const { page, context, faults, close } = await openWindow(browser, server);
  const answers = [];
  context.on("response", (response) => {
    if (/\/graphql$|\/api\//.test(response.url())) answers.push(response.text().catch(() => ""));
  });
  try {
    await signIn(page, server.viewer);
    for (const path of paths(things)) {
      await page.goto(path);
      await settled(page);
      assert.doesNotMatch(await page.content(), SECRET, path);
      for (const name of ["New offer", "New token", "Rotate…", "Edit", "Add a domain", "Save"]) {
        const button = page.getByRole("button", { name, exact: true });
        const mayPress = (await button.count()) > 0 && (await button.first().isEnabled());
        assert.ok(!mayPress, `${path}: ${name}`);
      }
    }
    await page.goto(`/dashboard/offers/${things.offer.id}`);
    await page.getByText("Copying needs the role MANAGER").waitFor();
    const seen = await Promise.all(answers);
    assert.ok(seen.some((text) => text.includes("masked")), "answers were looked at");
    for (const text of seen) assert.doesNotMatch(text, SECRET);
    assert.deepEqual(faults(), []);
  } finally {
    await close();
  }
});

test("an administrator's secret is in no page and in no cache until it is revealed, and gone when it is hidden", async () => {
  const things = await furnish("Shoes");
  const { page, close } = await openWindow(browser, server);
  try {
    await signIn(page, server.admin, `/dashboard/offers/${things.offer.id}`);
    await page.getByTestId("url").waitFor();
    assert.doesNotMatch(await page.content(), SECRET);
    await page.getByRole("button", { name: "Reveal" }).click();
    await page.getByTestId("url").getByText(things.secret).waitFor();
    await page.getByRole("button", { name: "Hide" }).click();
    await page.getByTestId("url").getByText("…").waitFor();
    assert.doesNotMatch(await page.content(), SECRET);
    const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    assert.doesNotMatch(kept, /rt_|eyJ/, "nor is the bearer stored");
  } finally {
    await close();
  }
});

test("names and values that look like code are text everywhere", async () => {
  const { page, faults, close } = await openWindow(browser, server);
  try {
    await page.addInitScript(() => {
      window.stolen = () => console.error("STOLEN");
    });
    await signIn(page, server.admin);
    const made = [];
    for (const text of CORPUS) {
      const things = await furnish(text);
      const link = `${server.url}/click?offer=${things.offer.number}&publisher=${things.publisher.number}`;
      const query = new URLSearchParams({ transaction_id: await click(link), secure: things.secret, order_id: text, adv_sub_id: text });
      const answer = await (await fetch(`${server.url}/postback?${query}`)).json();
      assert.equal(answer.code, "recorded");
      const rejection = new URLSearchParams({ transaction_id: query.get("transaction_id"), secure: things.secret, new_rejected_reason: text });
      assert.equal((await (await fetch(`${server.url}/reject?${rejection}`)).json()).code, "rejected");
      made.push([text, things, answer]);
    }
    for (const [text, things, answer] of made) {
      await page.goto(`/dashboard/conversions?conversion=${answer.conversion_id}`);
      const conversion = page.getByRole("complementary", { name: "Conversion" });
      await conversion.getByText(`“${text}”`, { exact: true }).waitFor();
      assert.ok((await conversion.getByText(text, { exact: true }).count()) >= 4, "offer, reason and both parameters");
      await page.goto(`/dashboard/postback-log?receipt=${answer.receipt_id}`);
      const receipt = page.getByRole("complementary", { name: "Receipt" });
      await receipt.getByRole("row", { name: "order_id" }).getByText(text, { exact: true }).waitFor();
      await page.goto(`/dashboard/offers/${things.offer.id}`);
      await page.getByRole("heading", { name: text, level: 1 }).waitFor();
      await settled(page);
      await page.goto(`/dashboard/publishers?open=${things.publisher.id}`);
      await page.getByRole("complementary").getByRole("heading", { name: text }).waitFor();
    }
    for (const path of paths(made.at(-1)[1])) {
      await page.goto(path);
      await settled(page);
    }
    await page.goto("/dashboard/offers");
    for (const text of CORPUS) await page.getByRole("link", { name: text, exact: true }).first().waitFor();
    assert.deepEqual(faults(), []);
  } finally {
    await close();
  }
});
