// Pictures, to be looked at: `node tests/shots.mjs [part of a path]` takes every page in light and dark, narrow and wide,
// into tests/output; `node tests/shots.mjs --docs` takes those of the README into docs/images.

import { mkdirSync } from "node:fs";

import { pagesOf } from "./pages.mjs";
import { apiOf, demo, openBrowser, openWindow, signIn, stir } from "./support.mjs";

const LOOKS = [
  ["light", 1440],
  ["dark", 1440],
  ["light", 375],
  ["dark", 375],
];
const DOCS = [
  ["overview", "light", "/dashboard", "Overview"],
  ["conversions", "light", "/dashboard/conversions", "Conversions"],
  ["postback-log", "dark", "/dashboard/postback-log", "Postback Log"],
  ["offers", "light", "/dashboard/offers", "Offers"],
  ["conversion-tracking", "light", "/dashboard/offers/offer_43", "Conversion Tracking"],
  ["tracking-links", "dark", "/dashboard/offers/tracking-links?offer=offer_42&publisher=pub_7", "Conversion Global Postback"],
];

const [server, browser] = await Promise.all([demo(), openBrowser()]);
try {
  const api = await apiOf(server, server.admin);
  await stir(server, api, 12);
  if (process.argv[2] === "--docs") await docs();
  else await every(await pagesOf(api), process.argv[2] ?? "");
} finally {
  await browser.close();
  await server.stop();
}

async function docs() {
  const output = folder("../../docs/images/");
  for (const [name, colorScheme, path, heading] of DOCS) {
    const { page, close } = await openWindow(browser, server, { colorScheme, reducedMotion: "reduce", viewport: { width: 1280, height: 800 } });
    await signIn(page, server.admin);
    await shoot(page, path, heading, `${output}${name}.png`);
    await close();
  }
}

async function every(pages, part) {
  const output = folder("./output/");
  for (const [colorScheme, width] of LOOKS) {
    const viewport = { width, height: width === 375 ? 812 : 900 };
    const { page, faults, close } = await openWindow(browser, server, { colorScheme, viewport, reducedMotion: "reduce" });
    await shoot(page, "/dashboard/sign-in", "Sign in", `${output}sign-in-${colorScheme}-${width}.png`);
    await signIn(page, server.admin);
    for (const { path, heading } of pages.filter((one) => one.path.includes(part))) {
      const name = path.replace("/dashboard/", "").replace(/\W+/g, "-");
      await shoot(page, path, heading, `${output}${name}-${colorScheme}-${width}.png`);
    }
    for (const fault of faults()) console.log(fault);
    await close();
  }
}

async function shoot(page, path, heading, file) {
  await page.goto(path);
  await page.getByText(heading, { exact: true }).last().waitFor();
  await page.waitForLoadState("networkidle");
  await page.screenshot({ path: file });
  console.log(file);
}

function folder(path) {
  const made = new URL(path, import.meta.url).pathname;
  mkdirSync(made, { recursive: true });
  return made;
}
