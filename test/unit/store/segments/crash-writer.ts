// A program for the crash tests: commits, saves states, removes, and prints each id once it was acknowledged.
// Arguments: folder, first seed, sync of large contents. It runs until it is killed.
import { writeSync } from "node:fs";
import { SegmentStore } from "../../../../src/store/segments/segment-store.ts";
import { envelope, message, messageBytes, origin } from "../store-samples.ts";

const [folder = "", firstSeed = "0"] = process.argv.slice(2);
const store = new SegmentStore({
  folder,
  settings: {
    minFreeBytes: 0,
    segmentBytes: 300_000,
    syncIntervalMs: 5,
    memoryBudget: () => 100_000,
    inlineBytes: 20_000,
  },
});
await store.open();
let seed = Number(firstSeed);

// A pipe takes these short lines at once: what the parent read was said before the kill.
const say = (line: string): void => void writeSync(1, `${line}\n`);

async function produce(): Promise<never> {
  for (;;) {
    const mine = seed;
    seed += 1;
    const id = store.nextId();
    if (mine % 10 === 0) {
      const bytes = messageBytes(mine, 60_000);
      const spool = await store.createSpoolFile();
      await spool.write(bytes.subarray(100));
      await store.commit(id, origin, envelope, await spool.finish(bytes.subarray(0, 100)));
      say(`large ${id} ${mine}`);
    } else {
      await store.commit(id, origin, envelope, message(mine, 200 + (mine % 7) * 1000));
      say(`small ${id} ${mine}`);
    }
    if (mine % 3 === 0) await store.saveState(id, `state ${mine}`);
    if (mine % 4 !== 0) {
      say(`removed ${id}`);
      store.remove(id);
    }
  }
}

await Promise.all(Array.from({ length: 20 }, produce));
