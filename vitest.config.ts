import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Most end-to-end tests wait for processes to start: these find their compiled modules instead of stripping types anew. */
const env = { NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/compile", import.meta.url)) };

/** Long runs (fuzz, soak, corpora, crash loops) are a project of their own: `npm run test:long`. */
const project = (name: string, include: string[], timeoutMs: number) => ({
  extends: true as const,
  test: {
    name,
    include,
    // Sandbox processes of a service whose test does not say how many: each costs as much as all else that most tests do.
    env: { ...env, TEST_SANDBOX_WORKERS: name === "long" ? "2" : "1" },
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    pool: "forks" as const,
    // A process for each file would load the same modules again and again; a long run gets one of its own.
    isolate: name === "long",
  },
});

export default defineConfig({
  // In a clone the package is its sources; the installed one is compiled (`npm run build`).
  resolve: { alias: { "onarrival/testing": fileURLToPath(new URL("src/testing.ts", import.meta.url)) } },
  test: {
    globalSetup: "test/support/compiled.ts",
    // Vitest would leave one of two processors idle.
    maxWorkers: 3,
    projects: [
      project("architecture", ["test/architecture/**/*.test.ts"], 30_000),
      project("unit", ["test/unit/**/*.test.ts"], 30_000),
      project("sandbox", ["test/sandbox/**/*.test.ts"], 60_000),
      project("e2e", ["test/e2e/**/*.test.ts"], 120_000),
      project("scripts", ["scripts/tests/**/*.test.ts"], 30_000),
      project("long", ["test/long/**/*.test.ts"], 1_800_000),
    ],
  },
});
