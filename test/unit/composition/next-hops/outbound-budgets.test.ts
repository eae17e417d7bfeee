import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { OutboundBudgets } from "../../../../src/composition/next-hops/outbound-budgets.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { destinationTo, messageOf, SILENCE, startPeer } from "../../smtp/client/support.ts";
import { firstServer } from "./way-out.ts";

test("connections that were open at a reload count, unless it changed their limits", async () => {
  await using folder = await tempFolder();
  await using peer = await startPeer({ answers: { ".": SILENCE } });
  const budgets = new OutboundBudgets();
  const reloaded = async (text: string): Promise<ReturnType<OutboundBudgets["of"]>> => {
    const file = path.join(folder.path, "onarrival.yaml");
    await writeFile(file, `virtualServers: [{ ${text} }]\n`);
    return budgets.of(await firstServer(file));
  };
  const before = await reloaded("outbound: { maxConnections: 1 }");
  const slow = destinationTo(peer, { budget: before });
  void slow.deliver(messageOf());
  const after = await reloaded("outbound: { maxConnections: 1, idleMs: 1000 }");
  const user = {
    connections: 0,
    isSick: false,
    isNew: true,
    roomAgain: () => undefined,
    giveUpIdle: () => undefined,
    giveUpOpening: () => false,
  };
  expect(after?.take(user)).toBe(false);
  expect((await reloaded("outbound: { maxConnections: 2 }"))?.take(user)).toBe(true);
  expect(await reloaded("outbound: { maxConnections: 0 }")).toBeUndefined();
});
