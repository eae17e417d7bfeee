// What the virtual servers of a service share beside their parts of it.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { ServerSet } from "../../../../src/composition/servers/server-set.ts";
import { loadConfig } from "../../../../src/config/load.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { Content } from "../../../../src/message/content.ts";
import { createMessageIds } from "../../../../src/core/message-ids.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

/** How many of three messages of 600 KB each the first server still has in memory. */
async function keptOf(servers: number): Promise<number> {
  await using folder = await tempFolder("server-set");
  const file = path.join(folder.path, "onarrival.yaml");
  const names = Array.from({ length: servers }, (_, index) => `{ name: s${index}, listen: ['[::1]:0'] }`);
  await writeFile(file, `store: { memoryBudget: 2MiB }\nvirtualServers: [${names.join(", ")}]\n`);
  const nextId = createMessageIds(systemClock, Math.random);
  const set = new ServerSet({ nextId, clock: systemClock, log: silentLogger });
  await set.open(await loadConfig(file));
  const store = set.running[0]?.store;
  if (store === undefined) return -1;
  const contents = new Map<string, Content>();
  for (const fill of ["a", "b", "c"]) {
    const id = nextId();
    const content = Content.fromBuffer(Buffer.from(`\r\n${fill.repeat(600_000)}`));
    const origin = { via: "smtp", arrivalTime: 0, server: "s0" } as const;
    await store.commit(id, origin, { sender: "", recipients: [] }, content);
    contents.set(id, content);
  }
  let kept = 0;
  for (const [id, content] of contents) if ((await store.loadContent(id)) === content) kept += 1;
  await set.close();
  return kept;
}

test("the memory for messages is one for all of them, in equal parts", async () => {
  expect([await keptOf(1), await keptOf(2)]).toEqual([3, 1]);
});
