import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import { SegmentStore } from "../../../src/store/segments/segment-store.ts";
import { MessageStates, type MessageStatesParts } from "../../../src/transport/message-states.ts";
import {
  type QueuedMessage,
  applyState,
  createQueuedMessage,
} from "../../../src/transport/queued-message.ts";
import { ResidentContents } from "../../../src/transport/resident-contents.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "./transport-house.ts";

const origin = { via: "smtp", arrivalTime: 1, server: "default" } as const;
const envelope = { sender: "a@example.com", recipients: [{ address: "b@example.com" }] };
const content = (text: string): Content => Content.fromBuffer(Buffer.from(`Subject: x\r\n\r\n${text}\r\n`));
const messageOf = (id: string, size: number): QueuedMessage => {
  const message = createQueuedMessage(id, origin, envelope, undefined);
  message.size = size;
  return message;
};

describe("contents in memory", () => {
  test("are admitted up to the budget, and each counts once", () => {
    const resident = new ResidentContents(() => 100);
    const [first, second, third] = [messageOf("1", 60), messageOf("2", 50), messageOf("3", 40)];
    expect([first, second, third, first].map((message) => resident.admit(message))).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(resident.bytes).toBe(100);
    first.size = 1;
    resident.forget(first);
    resident.forget(first);
    resident.forget(second);
    expect(resident.bytes).toBe(40);
    expect([first, third].map((message) => resident.holds(message))).toEqual([false, true]);
    expect(resident.admit(second)).toBe(true);
  });
});

describe("edits", () => {
  test("that the store takes slowly are read from memory until then, and no newer state is overtaken", async () => {
    await using folder = await tempFolder();
    const store = new SegmentStore({ folder: folder.path, settings: { minFreeBytes: 0 } });
    await store.open();
    let write = (): void => undefined;
    const allowed = new Promise<void>((resolve) => {
      write = resolve;
    });
    const driver: MessageStatesParts["store"] = {
      async saveState(id, state, edited) {
        // As a large content does, which is written to a file of its own first.
        if (edited !== undefined) await allowed;
        await store.saveState(id, state, edited);
      },
      loadContent: (id) => store.loadContent(id),
      remove: (id) => store.remove(id),
    };
    const states = new MessageStates({
      store: driver,
      resident: new ResidentContents(() => 0),
      log: silentLogger,
    });
    await store.commit("ID", origin, envelope, content("before"));
    const message = createQueuedMessage("ID", origin, envelope, content("after"));
    message.edits = "unsaved";
    states.save(message);
    states.drop(message);
    message.attempts = 7;
    states.save(message);
    expect((await (await states.load(message)).toBuffer()).toString()).toContain("after");
    write();
    await until(() => message.content === undefined);
    expect((await (await states.load(message)).toBuffer()).toString()).toContain("after");
    await store.close();
    const again = new SegmentStore({ folder: folder.path, settings: { minFreeBytes: 0 } });
    const { messages } = await again.open();
    const found = createQueuedMessage("ID", origin, envelope, undefined);
    applyState(found, messages[0]?.state ?? "");
    expect(found.attempts).toBe(7);
    await again.close();
  });

  test("C07 that cannot be saved stay in memory and are saved with the next state", async () => {
    let full = true;
    const saved: (string | undefined)[] = [];
    const driver = {
      async saveState(_id: string, _state: string, edited?: Content) {
        if (full) throw new Error("disk full");
        saved.push(edited && (await edited.toBuffer()).toString());
      },
      loadContent: () => Promise.reject(new Error("not asked")),
      remove: () => undefined,
    };
    const states = new MessageStates({
      store: driver,
      resident: new ResidentContents(() => 0),
      log: silentLogger,
    });
    const message = createQueuedMessage("ID", origin, envelope, content("after"));
    message.edits = "unsaved";
    states.drop(message);
    await until(() => message.edits === "unsaved");
    expect(message.content).toBeDefined();
    full = false;
    states.drop(message);
    await until(() => message.edits === "none");
    expect(saved).toEqual(["Subject: x\r\n\r\nafter\r\n"]);
    expect(message.content).toBeUndefined();
  });
});

test("as long as the store waits to be told a later state, the message is untold", () => {
  const kept: (() => void)[] = [];
  const told: string[] = [];
  const untold: boolean[] = [];
  const message = createQueuedMessage("ID", origin, envelope, undefined);
  const states: MessageStates = new MessageStates({
    store: {
      saveState: (_id, state) => Promise.resolve(void told.push(state)),
      loadContent: () => Promise.reject(new Error("not asked")),
      remove: () => undefined,
    },
    resident: new ResidentContents(() => 0),
    whenKept: (go) => void kept.push(go),
    saved: () => void untold.push(states.isUntold(message)),
    log: silentLogger,
  });
  expect(states.isUntold(message)).toBe(false);
  states.save(message);
  message.attempts = 1;
  states.save(message);
  expect(states.isUntold(message)).toBe(true);
  for (const go of kept) go();
  expect(untold).toEqual([true, false]);
  expect(told).toHaveLength(2);
});

test("what is not reported yet is pending in the saved state", async () => {
  const saved: string[] = [];
  const driver = {
    saveState: (_id: string, state: string) => Promise.resolve(void saved.push(state)),
    loadContent: () => Promise.reject(new Error("not asked")),
    remove: () => undefined,
  };
  const states = new MessageStates({
    store: driver,
    resident: new ResidentContents(() => 0),
    log: silentLogger,
  });
  const message = createQueuedMessage("ID", origin, envelope, undefined);
  message.phase = "delivery";
  const record = { recipient: { address: "b@example.com" }, state: "bounced" as const };
  message.recipients = [{ ...record, unreported: true }];
  states.save(message);
  message.recipients = [record];
  states.save(message);
  const stateOf = (json: string | undefined): string | undefined => {
    const found = createQueuedMessage("ID", origin, envelope, undefined);
    applyState(found, json ?? "");
    return found.recipients[0]?.state;
  };
  expect(saved.map(stateOf)).toEqual(["pending", "bounced"]);
});
