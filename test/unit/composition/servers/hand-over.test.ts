// Mail that came by another virtual server goes from the store of one into that of the other, whole, once, whenever the service dies.
import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { type UnbegunServer, handOver } from "../../../../src/composition/servers/hand-over.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import type { LogFields } from "../../../../src/core/logger.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { Content } from "../../../../src/message/content.ts";
import { createMessageIds } from "../../../../src/core/message-ids.ts";
import { SegmentStore } from "../../../../src/store/segments/segment-store.ts";
import type { Recovery } from "../../../../src/store/store-driver.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const nextId = createMessageIds(systemClock, Math.random);
const RECIPIENTS = [{ address: "a@far.example" }];
const contentOf = (text: string): Content => Content.fromBuffer(Buffer.from(`Subject: x\r\n\r\n${text}`));

class Server implements UnbegunServer {
  readonly name: string;
  readonly store: SegmentStore;
  left: Recovery;
  gone: ReadonlySet<string> = new Set();

  private constructor(name: string, store: SegmentStore, left: Recovery) {
    this.name = name;
    this.store = store;
    this.left = left;
  }

  static async open(folder: string, name: string, recoverAtOnce = 1000): Promise<Server> {
    const store = new SegmentStore({
      folder: path.join(folder, name),
      settings: { minFreeBytes: 0, memoryBudget: () => 0, recoverAtOnce, inlineBytes: 4096 },
      nextId,
    });
    return new Server(name, store, await store.open());
  }

  leave(left: Recovery, gone: ReadonlySet<string>): void {
    this.left = left;
    this.gone = gone;
  }

  async commit(server: string, text: string, id = nextId()): Promise<string> {
    const origin = { via: "smtp", arrivalTime: 1, server } as const;
    await this.store.commit(id, origin, { sender: "", recipients: RECIPIENTS }, contentOf(text));
    return id;
  }

  get ids(): string[] {
    return [...this.left.messages.map(({ id }) => id), ...this.left.later];
  }

  async textOf(id: string): Promise<string> {
    return (await (await this.store.loadContent(id)).toBuffer()).toString().slice(14);
  }
}

const openBoth = async (folder: string, recoverAtOnce?: number): Promise<readonly [Server, Server]> => [
  await Server.open(folder, "a", recoverAtOnce),
  await Server.open(folder, "b", recoverAtOnce),
];

async function close(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map(({ store }) => store.close()));
}

async function restart(
  folder: string,
  servers: readonly Server[],
  recoverAtOnce?: number,
): Promise<readonly [Server, Server]> {
  await close(servers);
  return openBoth(folder, recoverAtOnce);
}

test("all of it goes, with what sinks changed and what is known of its recipients; the others stay", async () => {
  await using folder = await tempFolder("hand-over");
  const before = await openBoth(folder.path);
  const [had, has] = before;
  const own = await had.commit("a", "own");
  const plain = await had.commit("b", "plain");
  const large = await had.commit("b", "large".repeat(5000));
  const edited = await had.commit("b", "as it came");
  await had.store.saveState(edited, '{"edited":1}', contentOf("as sinks left it"));
  const gone = await had.commit("gone", "of no server");
  const there = await has.commit("b", "there already");
  // Of more messages than two the last run's states are read later.
  const [from, to] = await restart(folder.path, before, 2);
  await handOver([from, to], silentLogger);
  expect([from.ids, [...from.gone].toSorted()]).toEqual([
    [own, gone],
    [plain, large, edited],
  ]);
  expect(to.ids.toSorted()).toEqual([plain, large, edited, there].toSorted());
  const [fromAgain, toAgain] = await restart(folder.path, [from, to]);
  expect([fromAgain.ids, toAgain.ids.toSorted()]).toEqual([[own, gone], to.ids.toSorted()]);
  expect(await Promise.all([plain, large, edited].map((id) => toAgain.textOf(id)))).toEqual([
    "plain",
    "large".repeat(5000),
    "as sinks left it",
  ]);
  expect(toAgain.left.messages.find(({ id }) => id === edited)).toMatchObject({
    state: '{"edited":1}',
    origin: { server: "b" },
    envelope: { recipients: RECIPIENTS },
  });
  await restart(folder.path, [fromAgain, toAgain]).then((last) =>
    Promise.all(last.map(({ store }) => store.close())),
  );
});

test("C03 what a crash left in both stores is made up for and goes on once", async () => {
  await using folder = await tempFolder("hand-over");
  const before = await openBoth(folder.path);
  const [had, has] = before;
  const ids = [nextId(), nextId(), nextId()];
  const [committed = "", saved = "", worked = ""] = ids;
  for (const id of ids) {
    await had.commit("b", id, id);
    await had.store.saveState(id, '{"state":"old"}');
    await has.commit("b", id, id);
  }
  await has.store.saveState(saved, '{"state":"old"}');
  await has.store.saveState(worked, '{"state":"new"}');
  const [from, to] = await restart(folder.path, before);
  await handOver([from, to], silentLogger);
  expect([from.ids, to.ids]).toEqual([[], ids]);
  expect(to.left.messages.map(({ id, state }) => [id, state])).toEqual([
    [committed, '{"state":"old"}'],
    [saved, '{"state":"old"}'],
    [worked, '{"state":"new"}'],
  ]);
  const last = await restart(folder.path, [from, to]);
  const [, again] = last;
  expect(again.left.messages.map(({ state }) => state)).toEqual(to.left.messages.map(({ state }) => state));
  await close(last);
});

test.each([1000, 0])(
  "a copy that its message did not stand behind yet does not stay as a message, with %i read at the start and one",
  async (read) => {
    await using folder = await tempFolder("hand-over");
    const before = await openBoth(folder.path);
    const [had] = before;
    await had.commit("b", "first");
    const message = await had.commit("b", "message");
    const copy = await had.commit("b", "copy");
    await had.store.saveState(message, JSON.stringify({ copies: [copy] }));
    const [from, to] = await restart(folder.path, before, read + 1);
    await handOver([from, to], silentLogger);
    expect([from.ids, to.ids.slice(1)]).toEqual([[], [message]]);
    const after = await restart(folder.path, [from, to]);
    expect(after.map(({ ids }) => ids.slice(1))).toEqual([[], [message]]);
    await close(after);
  },
);

test("what the other store does not take stays where it is, and the log says so once", async () => {
  await using folder = await tempFolder("hand-over");
  const before = await openBoth(folder.path);
  const [had] = before;
  const id = await had.commit("b", "x");
  await had.commit("b", "y");
  const [from, to] = await restart(folder.path, before);
  await to.store.close();
  const errors: LogFields[] = [];
  await handOver([from, to], { ...silentLogger, error: (fields) => void errors.push(fields) });
  expect([from.ids[0], from.ids.length, from.gone.size]).toEqual([id, 2, 0]);
  expect(errors).toEqual([
    { server: "a", cameBy: "b", messages: 2, message: id, error: "the store is not open" },
  ]);
  expect(await from.textOf(id)).toBe("x");
  await from.store.close();
});

test("what cannot be read where it lies counts apart from what the other store does not take", async () => {
  await using folder = await tempFolder("hand-over");
  const before = await openBoth(folder.path);
  const [had] = before;
  const damaged = await had.commit("b", "damaged");
  const whole = await had.commit("b", "whole");
  const [from, to] = await restart(folder.path, before);
  const [segment = ""] = (await readdir(path.join(folder.path, "a"))).filter((name) => name.endsWith(".seg"));
  const file = path.join(folder.path, "a", segment);
  const bytes = await readFile(file, "latin1");
  await writeFile(file, bytes.replace("damaged", "DAMAGED"), "latin1");
  await to.store.close();
  const errors: LogFields[] = [];
  await handOver([from, to], { ...silentLogger, error: (fields) => void errors.push(fields) });
  expect(errors).toMatchObject([
    { messages: 1, message: damaged },
    { messages: 1, message: whole, error: "the store is not open" },
  ]);
  expect(from.ids).toEqual([damaged, whole]);
  await from.store.close();
});

test("of very many few are in memory, and the message of a copy still comes before it", async () => {
  await using folder = await tempFolder("hand-over");
  const before = await openBoth(folder.path);
  const [had] = before;
  const ids = await Promise.all(Array.from({ length: 1100 }, (_, index) => had.commit("b", `${index}`)));
  const [from, to] = await restart(folder.path, before);
  await handOver([from, to], silentLogger);
  expect([from.ids, to.left.messages.length, to.left.later.length]).toEqual([[], 1000, 100]);
  expect(to.ids.toSorted()).toEqual(ids.toSorted());
  expect(to.store.figures()).toMatchObject({ messages: 1100, working: 1000 });
  await close([from, to]);
});
