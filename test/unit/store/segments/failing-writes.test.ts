import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, test } from "vitest";
import type { StoreCounts, StoreFigures } from "../../../../src/store/store-counts.ts";
import { createStore, messageBytes, stateOf, temporaryFolder } from "../store-samples.ts";

interface Written {
  readonly kept: [string, number][];
  readonly refused: string[];
  readonly written: boolean[];
  readonly figures: StoreFigures;
  readonly counts: StoreCounts;
}

test("C07 a write that fails half way refuses its messages for good, keeps what nobody waits for until it is written, and leaves no half file", async () => {
  await using folder = await temporaryFolder();
  const program = path.join(folder.path, "writer.mjs");
  const entry = path.join(import.meta.dirname, "limited-writer.ts");
  await build({ entryPoints: [entry], outfile: program, bundle: true, platform: "node", format: "esm" });
  // No file grows beyond 128 KB.
  const command = 'ulimit -f 256; exec "$0" "$@"';
  const { stdout } = await promisify(execFile)("sh", ["-c", command, process.execPath, program, folder.path]);
  const { kept, refused, written, figures, counts }: Written = JSON.parse(stdout);
  expect(counts.failures).toBeGreaterThan(2);
  expect(refused.length).toBeGreaterThan(2);
  expect(kept.length).toBeGreaterThan(50);
  expect(counts.isFailing).toBe(false);
  expect(figures).toMatchObject({ messages: kept.length, working: 0 });

  const store = createStore(path.join(folder.path, "Queue"));
  const found = await store.open();
  expect(found.corrupt).toEqual([]);
  expect(found.messages.map(({ id, state }) => [id, state])).toEqual(
    kept.map(([id, seed]) => [id, stateOf(seed)]),
  );
  for (const [id, seed] of kept)
    expect((await (await store.loadContent(id)).toBuffer()).equals(messageBytes(seed, 5000))).toBe(true);
  await store.close();

  expect(written).toEqual([false, false, true]);
  expect(await readdir(path.join(folder.path, "Drop"))).toEqual(["SMALL.eml"]);
  expect(await readdir(path.join(folder.path, "Badmail"))).toEqual(["LARGE.BDP", "LARGE.BDR"]);
});
