// A volume that fills up and is emptied again (FAULTS C07, C08). Needs the right to mount a tmpfs; skipped without.
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { OnArrivalError } from "../../src/core/errors.ts";
import { mountTmpfs } from "../support/volumes.ts";
import {
  createStore,
  envelope,
  message,
  messageBytes,
  origin,
  temporaryFolder,
} from "../unit/store/store-samples.ts";

test.for([{ options: "size=4m" }, { options: "size=64m,nr_inodes=12" }])(
  "C07 C08 a full volume ($options) refuses messages, keeps those it took, and takes more when space returns",
  async ({ options }, { skip }) => {
    await using folder = await temporaryFolder();
    await using volume = await mountTmpfs(folder.path, options);
    skip(volume === undefined, "no right to mount");
    if (volume === undefined) return;
    const queue = path.join(volume.path, "Queue");
    const settings = { segmentBytes: 200_000, syncIntervalMs: 5, inlineBytes: 100_000 };
    const store = createStore(queue, settings);
    await store.open();
    const filler = path.join(volume.path, "filler");
    const usesInodes = options.includes("inodes");
    if (!usesInodes) await writeFile(filler, Buffer.alloc(2_000_000));
    const kept = new Map<string, number>();
    const commit = async (seed: number): Promise<string | undefined> => {
      const id = store.nextId();
      try {
        await store.commit(id, origin, envelope, message(seed, 40_000));
        kept.set(id, seed);
        return undefined;
      } catch (error) {
        return error instanceof OnArrivalError ? error.code : String(error);
      }
    };
    let refused: string | undefined;
    for (let seed = 0; refused === undefined && seed < 5000; seed += 4) {
      const answers = await Promise.all([seed, seed + 1, seed + 2, seed + 3].map(commit));
      refused = answers.find((answer) => answer !== undefined);
    }
    expect(refused).toBe("STORE_FAILED");
    expect(kept.size).toBeGreaterThan(10);
    if (usesInodes)
      for (const id of [...kept.keys()].slice(0, -5)) {
        store.remove(id);
        kept.delete(id);
      }
    else await rm(filler);
    // Without a restart, as soon as there is room.
    for (let attempt = 0; (await commit(9000 + attempt)) !== undefined; attempt += 1) {
      expect(attempt).toBeLessThan(200);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await store.close();
    const again = createStore(queue, settings);
    const { messages, corrupt } = await again.open();
    expect(corrupt).toEqual([]);
    expect(messages.map(({ id }) => id)).toEqual([...kept.keys()].sort());
    for (const [id, seed] of kept) {
      expect((await (await again.loadContent(id)).toBuffer()).equals(messageBytes(seed, 40_000))).toBe(true);
    }
    await again.close();
  },
);
