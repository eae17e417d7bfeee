// Sets keys of one script's store as fast as the disk allows and says which are done, until it is killed.
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { createKeyValueStores } from "../../../../src/sandbox/capabilities/kv.ts";
import { DEFAULT_BROKER_SETTINGS } from "../../../support/default-settings.ts";

const [folder = "", first = "0"] = process.argv.slice(2);
const stores = createKeyValueStores({
  folder,
  settings: DEFAULT_BROKER_SETTINGS.kv,
  clock: systemClock,
  log: silentLogger,
});
let next = Number(first);

/** Several at once, over few keys: batches and rewrites of the log are among what is cut short. */
async function write(lane: number): Promise<void> {
  for (;;) {
    const count = next++;
    const value = Buffer.alloc(20_000, `${lane}:${count}|`);
    // oxlint-disable-next-line no-await-in-loop -- a lane does one after the other
    await stores.set("crash.ts", `lane ${lane}`, value);
    process.stdout.write(`${lane}:${count}\n`);
  }
}

await Promise.all([0, 1, 2].map((lane) => write(lane)));
