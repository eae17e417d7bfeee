// A program for the test of failing writes: started with a limit on the size of files, which each of its segments meets. Prints what
// became of its messages. Argument: mailroot.
import path from "node:path";
import { createBadmail } from "../../../../src/store/badmail.ts";
import { createDrop } from "../../../../src/store/drop.ts";
import { createStore, envelope, message, origin, stateOf } from "../store-samples.ts";

const [mailroot = ""] = process.argv.slice(2);
const store = createStore(path.join(mailroot, "Queue"), { groupDelayMs: 0, syncIntervalMs: 5 });
await store.open();
const kept = new Map<string, number>();
const refused: string[] = [];

/** A state that is awaited is told again when it was refused. */
async function save(id: string, state: string, isAwaited: boolean): Promise<void> {
  await store.saveState(id, state, undefined, isAwaited).catch(() => save(id, state, isAwaited));
}

async function commit(seed: number): Promise<boolean> {
  const id = store.nextId();
  try {
    await store.commit(id, origin, envelope, message(seed, 5000));
  } catch {
    refused.push(id);
    return false;
  }
  if (seed % 7 === 0) store.remove(id);
  else {
    kept.set(id, seed);
    await save(id, stateOf(seed), seed % 3 === 0);
  }
  return true;
}

async function produce(first: number): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- ten of these at a time, so that all kinds of records share writes
  for (let seed = first; seed < 120; seed += 10) await commit(seed);
}

await Promise.all(Array.from({ length: 10 }, (_, at) => produce(at)));
// What nobody waits for is written again with the next message.
// oxlint-disable-next-line no-await-in-loop -- until one is taken
for (let seed = 700; !(await commit(seed)); seed += 7);
for (const id of kept.keys()) store.rest(id);
await store.close();

const drop = createDrop({ folder: path.join(mailroot, "Drop"), sync: true });
const badmail = createBadmail({ folder: path.join(mailroot, "Badmail") });
const tooLarge = message(1, 300_000);
const outcomes = await Promise.allSettled([
  drop.deliver("LARGE", "", ["bob@example.net"], tooLarge),
  badmail.put("LARGE", envelope, tooLarge, { code: "TEST", text: "test" }),
  drop.deliver("SMALL", "", ["bob@example.net"], message(2)),
]);
const written = outcomes.map(({ status }) => status === "fulfilled");
process.stdout.write(
  JSON.stringify({ kept: [...kept], refused, written, figures: store.figures(), counts: store.counts }),
);
