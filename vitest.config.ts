import { defineConfig } from "vitest/config";

/** Long runs (fuzz, soak, corpora, crash loops) are a project of their own: `npm run test:long`. */
const project = (name: string, include: string[], timeoutMs: number) => ({
  test: { name, include, testTimeout: timeoutMs, hookTimeout: timeoutMs, pool: "forks" as const },
});

export default defineConfig({
  test: {
    projects: [
      project("architecture", ["test/architecture/**/*.test.ts"], 30_000),
      project("unit", ["test/unit/**/*.test.ts"], 15_000),
      project("sandbox", ["test/sandbox/**/*.test.ts"], 30_000),
      project("e2e", ["test/e2e/**/*.test.ts"], 60_000),
      project("long", ["test/long/**/*.test.ts"], 1_800_000),
    ],
  },
});
