// How `npm test` prints: one line for each test as cargo prints its own, what failed in full, and the totals in the form
// that `.ci/run` adds up.

import { inspect } from "node:util";

export default async function* totals(source) {
  let passed = 0;
  let failed = 0;
  const faults = [];
  for await (const { type, data } of source) {
    const isTest = data?.details?.type !== "suite" && !data?.name?.endsWith(".test.mjs");
    if (type === "test:pass" && isTest && !data.skip) {
      passed += 1;
      yield `test ${data.name} ... ok (${Math.round(data.details.duration_ms)} ms)\n`;
    } else if (type === "test:fail") {
      if (data.details.type !== "suite") failed += 1;
      faults.push(`---- ${data.name}\n${inspect(data.details.error.cause ?? data.details.error)}\n`);
      yield `test ${data.name} ... FAILED\n`;
    } else if (type === "test:stderr" || type === "test:stdout") {
      yield data.message;
    }
  }
  if (faults.length > 0) yield `\nfailures:\n\n${faults.join("\n")}`;
  yield `\ntest result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed\n`;
}
