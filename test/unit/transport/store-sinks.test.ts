// Steps 2, 10 and 11: sinks of StoreDriver watch the store and take over local delivery.
import { describe, expect, test } from "vitest";
import type { LocalDeliveryContext, StoreSubject } from "../../../src/events/contexts/store-contexts.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import type { Drop } from "../../../src/store/drop.ts";
import { MessageStates } from "../../../src/transport/message-states.ts";
import { createQueuedMessage } from "../../../src/transport/queued-message.ts";
import { ResidentContents } from "../../../src/transport/resident-contents.ts";
import { HOUR, MINUTE, accepted, openHouse, until } from "./transport-house.ts";

const local = (deliver: (context: LocalDeliveryContext) => void | Promise<void>) => (subject: StoreSubject) =>
  subject.kind === "localDelivery" ? deliver(subject) : undefined;

/** Puts the box off, the first time. */
const busyOnce = (): ReturnType<typeof local> => {
  let calls = 0;
  return local((context) => {
    calls += 1;
    if (calls === 1) context.refuse("box@local.example", "452 4.2.2 busy");
  });
};

test("a message is told written when it is durable, enumerated and read after a crash, and deleted at its end", async () => {
  const told: string[] = [];
  const watch = (subject: StoreSubject): void => {
    if (subject.kind !== "localDelivery") told.push(`${subject.kind} ${subject.msg.id}`);
  };
  await using house = await openHouse({ storeSinks: [watch] });
  house.world.answers.set("far.example", (message) => accepted(message, 450, "later"));
  const id = await house.accept(["a@far.example"]);
  await until(() => house.queue[0]?.state === "retry");
  expect(told).toEqual([`written ${id}`]);
  house.world.answers.clear();
  await using next = await house.crash();
  expect(told).toEqual([`written ${id}`, `enumerated ${id}`]);
  await next.clock.advance(HOUR);
  await next.empty();
  expect(told.slice(2)).toEqual([`read ${id}`, `deleted ${id}`]);
});

test("a content that memory does not have is told read when it is there: for sinks, and for each attempt", async () => {
  const told: string[] = [];
  const watch = async (subject: StoreSubject): Promise<void> => {
    if (subject.kind === "localDelivery" || subject.kind === "deleted") return;
    const { id, size } = subject.msg;
    told.push(`${subject.kind} ${id} ${size}`);
    await new Promise(() => undefined);
  };
  await using house = await openHouse({ storeSinks: [watch], residentBytes: 0 });
  house.world.answers.set("far.example", (message) => accepted(message, 450, "later"));
  const id = await house.accept(["a@far.example"], { text: "Subject: 24 bytes\r\n\r\nx\r\n" });
  await until(() => house.queue[0]?.state === "retry");
  expect(told).toEqual([`written ${id} 24`, `read ${id} 24`]);
  house.world.answers.clear();
  await using next = await house.crash({ residentBytes: 0 });
  await next.clock.advance(HOUR);
  await next.empty();
  expect(told.slice(2)).toEqual([`enumerated ${id} 24`, `read ${id} 24`]);
});

test("without a sink the store's own answer is what waits for the content", async () => {
  const reading = Promise.resolve(Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n")));
  const never = (): never => expect.unreachable();
  const states = new MessageStates({
    store: { loadContent: () => reading, saveState: never, remove: never },
    resident: new ResidentContents(() => 0),
    storeSinks: { isEmpty: true, tell: never },
    log: silentLogger,
  });
  const origin = { via: "smtp", arrivalTime: 1, server: "default" } as const;
  const envelope = { sender: "a@client.example", recipients: [] };
  expect(states.load(createQueuedMessage("ID1", origin, envelope, undefined))).toBe(reading);
  await reading;
});

test("a watching sink that fails, or never answers, keeps no message waiting", async () => {
  await using house = await openHouse({
    storeSinks: [
      () => {
        throw new Error("broken");
      },
      (subject) => (subject.kind === "localDelivery" ? undefined : new Promise(() => undefined)),
    ],
  });
  await house.accept(["a@far.example"]);
  await house.empty();
  expect(house.world.sent).toHaveLength(1);
});

test("a watching sink with too many open promises is passed over until some are settled or late; others are told all", async () => {
  const promises: PromiseWithResolvers<void>[] = [];
  const told: string[] = [];
  await using house = await openHouse({
    openPromises: 2,
    storeSinks: [
      (subject) => {
        if (subject.kind !== "written") return undefined;
        const promised = Promise.withResolvers<void>();
        promises.push(promised);
        return promised.promise;
      },
      (subject) => {
        if (subject.kind === "written") told.push(subject.msg.id);
      },
    ],
  });
  const ids: string[] = [];
  const write = async (messages: number): Promise<void> => {
    for (let count = 0; count < messages; count += 1)
      // oxlint-disable-next-line no-await-in-loop -- the order is what is looked at
      ids.push(await house.accept(["a@far.example"]));
  };
  await write(4);
  expect(promises).toHaveLength(2);
  // Behind a promise the next sink waits, and not behind a sink that is passed over.
  expect(told).toEqual(ids.slice(2));
  expect(house.log.filter(({ message }) => message.includes("too many open promises"))).toHaveLength(1);
  promises[0]?.resolve();
  await until(() => told.length === 3);
  await write(2);
  expect(promises).toHaveLength(3);
  await house.clock.advance(MINUTE);
  await write(1);
  expect(promises).toHaveLength(4);
  for (const { resolve } of promises) resolve();
  await until(() => told.length === ids.length);
});

test("a start tells a sink that promises of every message, however many those are", async () => {
  const told: string[] = [];
  await using house = await openHouse({
    openPromises: 1,
    storeSinks: [
      // oxlint-disable-next-line typescript/require-await -- as sinks are written that have to wait for other subjects only
      async (subject) => {
        if (subject.kind === "enumerated") told.push(subject.msg.id);
      },
    ],
  });
  house.world.answers.set("far.example", (message) => accepted(message, 450, "later"));
  const ids: string[] = [];
  // oxlint-disable-next-line no-await-in-loop
  for (let count = 0; count < 5; count += 1) ids.push(await house.accept(["a@far.example"]));
  await until(() => house.queue.every(({ state }) => state === "retry"));
  await using next = await house.crash({ openPromises: 1 });
  expect(next.queue).toHaveLength(ids.length);
  expect(told.toSorted()).toEqual(ids.toSorted());
});

describe("local delivery", () => {
  test("by a sink, also by promise: Drop gets the rest, and refusals are reported", async () => {
    const stored: string[] = [];
    await using house = await openHouse({
      storeSinks: [
        local(async (context) => {
          stored.push((await context.msg.content.toBuffer()).toString());
          context.deliver("box@LOCAL.example");
          context.refuse("full@local.example", "552 5.2.2 Mailbox full");
          context.refuse("stranger@local.example", "550 5.1.1 not here");
        }),
      ],
    });
    const id = await house.accept(["box@local.example", "full@local.example", "drop@local.example"]);
    await house.empty();
    expect(stored).toHaveLength(1);
    const dropped = await house.read("Drop", `${id}.eml`);
    expect(dropped.match(/^x-receiver: .*$/gm)).toEqual(["x-receiver: drop@local.example"]);
    const report = house.world.to("client.example")[0]?.text;
    expect(report).toMatch(/Final-Recipient: rfc822;full@local.example[^]*Status: 5\.2\.2/);
    expect(report).toContain("\r\n      552 5.2.2 Mailbox full\r\n");
    // RFC 3464 §2.3.5: no other system took part.
    expect(report).not.toContain("Remote-MTA");
    expect(report).toContain("\r\nDiagnostic-Code: X-OnArrival; 552 5.2.2 Mailbox full\r\n");
  });

  test("of all recipients writes no file", async () => {
    await using house = await openHouse({
      storeSinks: [local((context) => context.deliver("box@local.example"))],
    });
    await house.accept(["box@local.example"]);
    await house.empty();
    expect(await house.files("Drop")).toEqual([]);
  });

  test("that a sink puts off is tried again", async () => {
    await using house = await openHouse({ storeSinks: [busyOnce()] });
    const id = await house.accept(["box@local.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]?.reason).toBe("452 4.2.2 busy");
    await house.clock.advance(MINUTE + 200);
    await house.empty();
    expect(await house.files("Drop")).toEqual([`${id}.eml`]);
  });

  test("Q04 that a sink puts off for one recipient leaves the file of the others as it is", async () => {
    await using house = await openHouse({ storeSinks: [busyOnce()] });
    const id = await house.accept(["other@local.example", "box@local.example"]);
    await until(() => house.queue[0]?.state === "retry");
    await house.clock.advance(MINUTE + 200);
    await house.empty();
    const receiversOf = async (file: string): Promise<unknown> =>
      (await house.read("Drop", file)).match(/^x-receiver: .*$/gm);
    expect(await house.files("Drop")).toEqual([`${id}-2.eml`, `${id}.eml`]);
    expect(await receiversOf(`${id}.eml`)).toEqual(["x-receiver: other@local.example"]);
    expect(await receiversOf(`${id}-2.eml`)).toEqual(["x-receiver: box@local.example"]);
  });

  test("waits behind a sink that fails; with onError continue Drop gets it, and what the sink said does not count", async () => {
    const fail = local((context) => {
      context.deliver("box@local.example");
      throw new Error("broken");
    });
    await using house = await openHouse({ storeSinks: [fail] });
    await house.accept(["box@local.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]?.reason).toContain("broken");
    expect(await house.files("Drop")).toEqual([]);
    await using goesOn = await openHouse({ storeSinks: [fail], onError: "continue" });
    const id = await goesOn.accept(["box@local.example"]);
    await goesOn.empty();
    expect(await goesOn.files("Drop")).toEqual([`${id}.eml`]);
  });

  test("of other messages does not wait for a sink that keeps none of its promises", async () => {
    const never = local((context) =>
      context.msg.sender === "slow@client.example" ? new Promise<void>(() => undefined) : undefined,
    );
    await using house = await openHouse({ storeSinks: [never] });
    for (let sent = 0; sent < 20; sent += 1)
      // oxlint-disable-next-line no-await-in-loop -- in their order
      await house.accept(["box@local.example"], { sender: "slow@client.example" });
    await house.accept(["box@local.example"], { sender: "quick@client.example" });
    await until(() => house.queue.length === 20);
    expect(await house.files("Drop")).toHaveLength(1);
    await house.clock.advance(MINUTE + 1);
  });

  test("and Drop that cannot be written: what the sink has stored is not delivered again", async () => {
    let calls = 0;
    await using house = await openHouse({
      drop: { deliver: () => Promise.reject(new Error("disk full")) },
      storeSinks: [
        local((context) => {
          calls += context.msg.recipients.some(({ address }) => address === "box@local.example") ? 1 : 0;
          context.deliver("box@local.example");
        }),
      ],
    });
    await house.accept(["box@local.example", "drop@local.example"]);
    await until(() => house.queue[0]?.state === "retry");
    await house.clock.advance(MINUTE + 200);
    await until(() => (house.queue[0]?.attempts ?? 0) > 1);
    expect(calls).toBe(1);
  });
});

test("behind sinks, too, only so many messages are written to Drop at a time, and each has its turn", async () => {
  let asked = 0;
  let writing = 0;
  let most = 0;
  const written: (() => void)[] = [];
  const drop: Drop = {
    deliver: async () => {
      writing += 1;
      most = Math.max(most, writing);
      await new Promise<void>((resolve) => void written.push(resolve));
      writing -= 1;
    },
  };
  await using house = await openHouse({ drop, storeSinks: [local(() => void (asked += 1))] });
  for (let at = 0; at < 10; at += 1) await house.accept(["box@local.example"]);
  await until(() => asked === 10 && written.length >= 4);
  for (let at = 0; at < 11; at += 1) {
    // The last one finds all places free.
    if (at === 10) await house.accept(["box@local.example"]);
    await until(() => written.length > at);
    written[at]?.();
  }
  await house.empty();
  expect(most).toBe(4);
});
