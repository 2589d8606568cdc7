// After `vite build`: compresses what the server may send compressed, and holds the size of the first visit. Prints it
// and fails above the limit, so that nobody has to remember it.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const DIST = new URL("../dist/", import.meta.url).pathname;
const LIMIT_BYTES = 150 * 1024;
/** Smaller files are sent as they are. */
const WORTH_BYTES = 512;
const TEXT = /\.(?:html|js|css|svg|json)$/;
/** What a first visit may land on; the largest counts. */
const ENTRIES = "index.html";

const manifestFile = join(DIST, ".vite/manifest.json");
const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));

const compressed = new Map();
for (const name of readdirSync(DIST, { recursive: true })) {
  if (!TEXT.test(name) || name.startsWith(".vite")) continue;
  const bytes = readFileSync(join(DIST, name));
  const brotli = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
  const isWorth = bytes.length >= WORTH_BYTES && brotli.length < bytes.length;
  if (isWorth) writeFileSync(join(DIST, `${name}.br`), brotli);
  compressed.set(name, isWorth ? brotli.length : bytes.length);
}

/** A module with everything that it imports before it can run, as names of files. */
function needed(key, found = new Set()) {
  const chunk = manifest[key];
  if (!chunk || found.has(chunk.file)) return found;
  found.add(chunk.file);
  for (const style of chunk.css ?? []) found.add(style);
  for (const one of chunk.imports ?? []) needed(one, found);
  return found;
}

const size = (files) => [...files].reduce((sum, file) => sum + (compressed.get(file) ?? 0), 0);
const text = (bytes) => `${(bytes / 1024).toFixed(1)} KB`.padStart(9);

const always = needed(ENTRIES);
for (const name of ["index.html", "theme.js"]) always.add(name);
const routes = (manifest[ENTRIES].dynamicImports ?? [])
  .filter((key) => key.startsWith("src/pages/"))
  .map((key) => ({ key, files: new Set([...always, ...needed(key)]) }))
  .sort((one, other) => size(other.files) - size(one.files));

console.log(`\nbrotli, everything before a page can be used (limit ${text(LIMIT_BYTES).trim()})`);
console.log(`${text(size(always))}  what every page needs`);
for (const { key, files } of routes) console.log(`${text(size(files))}  ${key}`);

rmSync(join(DIST, ".vite"), { recursive: true });

const largest = Math.max(size(always), ...routes.map(({ files }) => size(files)));
if (largest > LIMIT_BYTES) {
  console.error(`The largest page is ${text(largest).trim()} with brotli: load less at first, or raise the limit with a reason.`);
  process.exit(1);
}
