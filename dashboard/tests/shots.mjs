// Pictures of every page, to be looked at: node tests/shots.mjs [part of a path]. They go to tests/output.

import { mkdirSync } from "node:fs";

import { pagesOf } from "./pages.mjs";
import { apiOf, demo, openBrowser, openWindow, signIn } from "./support.mjs";

const part = process.argv[2] ?? "";
const output = new URL("./output/", import.meta.url).pathname;
mkdirSync(output, { recursive: true });
const [server, browser] = await Promise.all([demo(), openBrowser()]);
// The dashboard of a running `npm run dev` in place of the one in the binary.
const base = process.env.DASHBOARD_URL ?? server.url;
try {
  const pages = [{ path: "/dashboard/sign-in", heading: "Sign in" }, ...(await pagesOf(await apiOf(server, server.admin)))];
  for (const [colorScheme, width] of [
    ["light", 1440],
    ["dark", 1440],
    ["light", 375],
    ["dark", 375],
  ]) {
    const viewport = { width, height: width === 375 ? 812 : 900 };
    const { page, faults, close } = await openWindow(browser, { url: base }, { colorScheme, viewport });
    let isIn = false;
    for (const { path, heading } of pages.filter((one) => one.path.includes(part))) {
      if (!isIn && heading !== "Sign in") {
        await signIn(page, server.admin);
        isIn = true;
      }
      await page.goto(path);
      await page.getByText(heading, { exact: true }).last().waitFor({ timeout: 8_000 }).catch(() => console.log(`${path}: no ${heading}`));
      await page.waitForTimeout(500);
      const name = path.replace("/dashboard/", "").replace(/\W+/g, "-");
      await page.screenshot({ path: `${output}${name}-${colorScheme}-${width}.png`, fullPage: width === 1440 });
    }
    for (const fault of faults()) console.log(fault);
    await close();
  }
} finally {
  await browser.close();
  await server.stop();
}
