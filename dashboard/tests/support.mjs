// The real binary on SQLite, and Debian's Chromium, for the tests: each test file starts its own server on a free port,
// in a folder that ends with it.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

const ROOT = new URL("../../", import.meta.url).pathname;
const BINARY = process.env.ROUNDTRIP_BIN ?? join(ROOT, "target/debug/roundtrip");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const START_MILLIS = 60_000;
/** How long a page may take on a busy machine. */
export const PATIENCE_MILLIS = 20_000;

async function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts `roundtrip` and waits until its output matches; ends with `stop()`. */
async function start(args, environment, port, pattern, before = () => undefined) {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: cargo build`);
  const folder = mkdtempSync(join(tmpdir(), "roundtrip-dashboard-"));
  before(folder);
  const child = spawn(BINARY, args(folder), {
    cwd: folder,
    env: { PATH: process.env.PATH, ROUNDTRIP__DATA_DIR: join(folder, "data"), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const heard = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no server after ${START_MILLIS} ms:\n${said}`)), START_MILLIS);
    const hear = (chunk) => {
      said += chunk;
      const match = pattern.exec(said);
      if (match) {
        clearTimeout(timer);
        resolve(match);
      }
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with ${code}:\n${said}`));
    });
  });
  const match = await heard;
  const url = `http://localhost:${port}`;
  await ready(url);
  return {
    url,
    match,
    said: () => said,
    stop: async () => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ready(url) {
  await until(async () => (await fetch(`${url}/readyz`).catch(() => null))?.ok);
}

/** Waits until it is so. */
export async function until(isSo) {
  const end = Date.now() + START_MILLIS;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`not so after ${START_MILLIS} ms: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A server with sample data, and the login of its administrator. */
export async function demo() {
  const port = await freePort();
  const args = (folder) => ["demo", "--data-dir", join(folder, "demo"), "--port", String(port)];
  const server = await start(args, {}, port, /sign in\s+(\S+) \/ (\S+)[\s\S]*# --- to here ---/);
  const [, email, password] = server.match;
  return { ...server, admin: { email, password } };
}

function settings(port) {
  return {
    ROUNDTRIP__SERVER__BIND_ADDRESS: `127.0.0.1:${port}`,
    ROUNDTRIP__SERVER__INTERNAL_BIND_ADDRESS: "127.0.0.1:0",
    ROUNDTRIP__SERVER__PUBLIC_URL: `http://localhost:${port}`,
  };
}

/** A server that nobody has set up, and its printed code. */
export async function empty() {
  const port = await freePort();
  const server = await start(() => ["serve"], settings(port), port, /until the next start:\s+(\S+)/);
  return { ...server, code: server.match[1] };
}

/** A server with an operator of each of these roles, whose passwords are theirs alone, and nothing else. */
export async function staffed(roles) {
  const port = await freePort();
  const environment = settings(port);
  const people = Object.fromEntries(
    roles.map((role) => [role, { email: `${role}@example.com`, password: `the password of ${role}` }]),
  );
  const server = await start(() => ["serve"], environment, port, /"listening"/, (folder) => {
    for (const [role, { email, password }] of Object.entries(people)) {
      const args = ["operator", "create", "--email", email, "--name", role, "--role", role, "--password-stdin"];
      const env = { PATH: process.env.PATH, ROUNDTRIP__DATA_DIR: join(folder, "data"), ...environment };
      execFileSync(BINARY, args, { cwd: folder, env, input: `${password}\n` });
    }
  });
  return { ...server, ...people };
}

/** The admin API, past the dashboard: for preparing and for looking. */
export async function apiOf(server, { email, password }) {
  const signedIn = await post(`${server.url}/api/session`, { email, password });
  return async (query, variables = {}) => {
    const answer = await post(`${server.url}/graphql`, { query, variables }, signedIn.access_token);
    if (answer.errors) throw new Error(JSON.stringify(answer.errors));
    return answer.data;
  };
}

async function post(url, body, bearer) {
  const headers = { "content-type": "application/json", ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** Follows a tracking link as a visitor: the transaction id that the landing page gets. */
export async function click(link) {
  const response = await fetch(link, { redirect: "manual", headers: { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)" } });
  const location = response.headers.get("location") ?? "";
  const id = /[0-9a-hjkmnp-tv-z]{40}/.exec(location)?.[0];
  if (!id) throw new Error(`${link}: ${response.status} ${location}`);
  return id;
}

/** Visits, conversions, a repeat, a rejection and refusals on the offers of the demo, so that its pages have something to show. */
export async function stir(server, api, rounds = 6) {
  const reveal = async (kind) => {
    const query = `mutation { postbackUrlReveal(input: { kind: ${kind}, scope: GLOBAL }) { revealed { url } userErrors { message } } }`;
    return (await api(query)).postbackUrlReveal.revealed.url;
  };
  const [conversion, rejection] = [await reveal("CONVERSION"), await reveal("REJECTION")];
  const fire = (url, id, more = "") => fetch(url.replace("{transaction_id}", id).replace("{new_rejected_reason}", "order%20cancelled") + more);
  for (let round = 0; round < rounds; round += 1) {
    const [offer, publisher] = [42 + (round % 3), 7 + (round % 3)];
    for (let visit = 0; visit < 4; visit += 1) await click(`${server.url}/click?offer=${offer}&publisher=${publisher}&sub_id=news-${visit}`);
    const id = await click(`${server.url}/click?offer=${offer}&publisher=${publisher}&sub_id=letter`);
    await fire(conversion, id, "&purchase_value=129.90&order_id=A-1002" + round);
    if (round % 3 === 1) await fire(conversion, id, "&purchase_value=129.90&order_id=A-1002" + round);
    if (round % 3 === 2) await fire(rejection, id);
  }
  await fetch(conversion);
}

export async function openBrowser() {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A window of its own, which writes down what must never happen: `faults()`. */
export async function openWindow(browser, server, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    permissions: ["clipboard-read", "clipboard-write"],
    baseURL: server.url,
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MILLIS);
  const page = await context.newPage();
  const faults = [];
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("console", (message) => {
    // The browser itself puts every refusal on the console: a session that is over, and on a busy machine the server's
    // wish to be asked again, which the page grants (what it shows meanwhile is tested in session.test.mjs).
    const isExpected = /the server responded with a status of (?:400|401|403|409|429|503)/.test(message.text());
    if (message.type() === "error" && !isExpected) faults.push(message.text());
  });
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (origin !== new URL(server.url).origin && origin !== "null") faults.push(`another host: ${request.url()}`);
  });
  return { page, context, faults: () => faults, close: () => context.close() };
}

export async function signIn(page, { email, password }, path = "/dashboard/") {
  await page.goto(path);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#main").waitFor();
}

/** Presses a Copy button, and returns what it put onto the clipboard once it says so. */
export async function copied(page, button) {
  await page.evaluate(() => navigator.clipboard.writeText("nothing was copied"));
  await button.click();
  await page.getByRole("button", { name: "Copied" }).first().waitFor();
  return clipboard(page);
}

/** Chooses in a `Picker`: opens it, types, takes the first that is found. */
export async function pick(page, label, text) {
  await page.getByLabel(label, { exact: true }).click();
  const search = page.getByRole("combobox", { name: /^Search for/ });
  await search.fill(text);
  await page.getByRole("option", { name: text }).first().click();
}

/** What the clipboard holds onto the clipboard. */
export function clipboard(page) {
  return page.evaluate(() => navigator.clipboard.readText());
}
