// Every page in light and dark, at 375 and 1 440 pixels: axe finds nothing serious, nothing breaks the content security
// policy, nothing comes from another host, and nothing is wider than the screen.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { pagesOf } from "./pages.mjs";
import { apiOf, demo, openBrowser, openWindow, signIn, stir } from "./support.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SERIOUS = new Set(["serious", "critical"]);

let server;
let browser;
let pages;
before(async () => {
  [server, browser] = await Promise.all([demo(), openBrowser()]);
  const api = await apiOf(server, server.admin);
  await stir(server, api);
  pages = await pagesOf(api);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function axe(page) {
  // In a world that the page's policy does not reach.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => SERIOUS.has(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join("\n   ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [375, 1440]) {
    test(`every page is sound in ${colorScheme} at ${width} pixels`, async () => {
      const { page, faults, close } = await openWindow(browser, server, {
        colorScheme,
        viewport: { width, height: 900 },
        // Colours are measured at rest.
        reducedMotion: "reduce",
      });
      try {
        await page.goto("/dashboard/sign-in");
        await page.getByRole("heading", { name: "Sign in" }).waitFor();
        assert.deepEqual(await axe(page), [], "sign-in");
        await signIn(page, server.admin);
        for (const { path, heading } of pages) {
          await page.goto(path);
          await page.getByText(heading, { exact: true }).last().waitFor();
          await page.waitForFunction(() => !document.querySelector(".skeleton"));
          assert.deepEqual(await axe(page), [], path);
          const room = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(room <= 0, `${path} is ${room} pixels wider than the screen`);
        }
        assert.equal(await page.locator("html").getAttribute("data-theme"), colorScheme);
        assert.deepEqual(faults(), []);
      } finally {
        await close();
      }
    });
  }
}
