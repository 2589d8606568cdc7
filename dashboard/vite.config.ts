// The build: everything under /dashboard/, hashed names for all but index.html and theme.js, nothing inlined (the
// content security policy allows no inline script or style).
import { fileURLToPath } from "node:url";

import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const SERVER = process.env.ROUNDTRIP_URL ?? "http://localhost:8080";

export default defineConfig({
  base: "/dashboard/",
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: "es2022",
    manifest: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // Operations and fragments that nothing uses are left out.
    rolldownOptions: { treeshake: { manualPureFunctions: ["TypedDocumentString"] } },
  },
  server: {
    // `make run` in another shell; the browser talks to one origin, as it does in production.
    proxy: {
      "/graphql": { target: SERVER, ws: true },
      "/api": { target: SERVER },
    },
  },
});
