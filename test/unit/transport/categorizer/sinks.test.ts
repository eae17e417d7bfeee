// The ten sub-events of OnCategorize: their order, what sinks may change in each, and what follows each answer, fault and status.
import { describe, expect, test } from "vitest";
import { messageStatus, sinkResult } from "../../../../src/core/status.ts";
import type { DirectoryEntry } from "../../../../src/events/contexts/directory-entries.ts";
import { SystemChain } from "../../../../src/events/system-chain.ts";
import type { NativeSink } from "../../../../src/events/sink.ts";
import { Content } from "../../../../src/message/content.ts";
import type { SegmentStore } from "../../../../src/store/segments/segment-store.ts";
import type { StoreDriver } from "../../../../src/store/store-driver.ts";
import type { Directory } from "../../../../src/transport/categorizer/directory.ts";
import { type HouseChoices, MINUTE, openHouse, systemChain, until } from "../transport-house.ts";
import {
  SENDER,
  byText,
  delivered,
  directoryOf,
  itemOf,
  openCategorizer,
  reports,
} from "./categorizer-house.ts";

/** Its barrier makes everything before it durable. */
const LAST_MESSAGE = [
  { via: "smtp", arrivalTime: 0, server: "default" },
  { sender: SENDER, recipients: [{ address: "last@far.example" }] },
  Content.fromBuffer(Buffer.from("Subject: last\r\n\r\n")),
] as const;

type OnEvent = NativeSink<"OnCategorize">["onEvent"];

const FIRST = 100;
const LAST = 20_000;
const DIRECTORY = directoryOf({
  lists: { "staff@corp.example": { members: ["ann@corp.example", "bob@far.example"] } },
  users: { "ann@corp.example": { aliases: ["anna@corp.example"] } },
});

const open = (onEvent: OnEvent, priority = FIRST, more: HouseChoices = {}) =>
  openCategorizer(DIRECTORY, {}, { categorizeSinks: [[priority, onEvent]], ...more });

test("come in order, register once, the others for the sender, the list and its members", async () => {
  const calls: string[] = [];
  await using house = await open((subject) => {
    if ("item" in subject) calls.push(`${subject.kind} ${subject.item.level} ${subject.item.address}`);
    else if ("items" in subject) calls.push(`${subject.kind} ${subject.items.length}`);
    else calls.push(subject.kind === "endMessage" ? `endMessage ${subject.outcome}` : subject.kind);
  }, LAST);
  await house.accept(["staff@corp.example"]);
  await house.empty();
  expect(calls.slice(0, 7)).toEqual([
    "register",
    "beginMessage",
    `buildQuery 0 ${SENDER}`,
    "buildQuery 0 staff@corp.example",
    "buildQueries 2",
    "sendQuery 2",
    "sortQueryResult 2",
  ]);
  expect(calls.slice(7)).toEqual([
    `processItem 0 ${SENDER}`,
    `expandItem 0 ${SENDER}`,
    `completeItem 0 ${SENDER}`,
    "processItem 0 staff@corp.example",
    "expandItem 0 staff@corp.example",
    "completeItem 0 staff@corp.example",
    "buildQuery 1 ann@corp.example",
    "buildQuery 1 bob@far.example",
    "buildQueries 2",
    "sendQuery 2",
    "sortQueryResult 2",
    "processItem 1 ann@corp.example",
    "expandItem 1 ann@corp.example",
    "completeItem 1 ann@corp.example",
    "processItem 1 bob@far.example",
    "expandItem 1 bob@far.example",
    "completeItem 1 bob@far.example",
    "endMessage categorized",
  ]);
  await house.accept(["x@far.example"]);
  await house.empty();
  expect(calls.filter((call) => call === "register")).toHaveLength(1);
});

describe("a sink", () => {
  test("of buildQuery asks for something else; of register for more attributes", async () => {
    const asked: { queries: readonly unknown[]; attributes: readonly string[] }[] = [];
    const directory: Directory = {
      resolve(queries, attributes) {
        asked.push({ queries, attributes });
        return DIRECTORY.resolve(queries, attributes);
      },
      close: () => Promise.resolve(),
    };
    const sink: OnEvent = (subject) => {
      if (subject.kind === "register") subject.requestAttribute("departmentNumber");
      const item = itemOf(subject, "buildQuery");
      if (item?.address === "old@corp.example") item.query = { by: "address", value: "anna@corp.example" };
    };
    await using house = await openCategorizer(directory, {}, { categorizeSinks: [[FIRST, sink]] });
    await house.accept(["old@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["ann@corp.example"]);
    expect(asked[0]?.attributes).toEqual(["departmentnumber"]);
  });

  test("of sendQuery answers in place of the directory, by promise; one of sortQueryResult puts the answers in order", async () => {
    const sink: OnEvent = async (subject) => {
      await Promise.resolve();
      if (subject.kind === "buildQueries") subject.queries = [{ by: "key", value: "everybody" }];
      if (subject.kind === "sendQuery") {
        const entry = { key: "one", kind: "user", address: "one@far.example" } as const;
        subject.answers = [{ kind: "found", entry }];
      }
      if (subject.kind === "sortQueryResult")
        for (const item of subject.items)
          item.answer = item.type === "sender" ? { kind: "not-mine" } : subject.answers?.[0];
    };
    await using house = await open(sink);
    await house.accept(["a@corp.example", "b@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["one@far.example"]);
  });

  test("of buildQueries that takes the place of the directory's and asks nothing is named in the log and the queue", async () => {
    const sink: OnEvent = (subject) =>
      subject.kind === "buildQueries" ? sinkResult.skipRemaining : undefined;
    await using house = await open(sink);
    await house.accept(["a@corp.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]?.reason).toMatch(
      /asked nothing: the sink of binding "[^"]+" answered skipRemaining in buildQueries and set no queries$/,
    );
    const told = house.log.filter(({ message }) => message.includes("skipRemaining in buildQueries"));
    expect(told).toMatchObject([{ fields: { binding: expect.any(String), event: "OnCategorize" } }]);
  });

  test.each([
    ["buildQueries", "queries", undefined, "queries has to be a list"],
    ["buildQueries", "queries", [{ by: "mail", value: "a@corp.example" }], "queries has to be a list"],
    ["buildQueries", "queries", [null], "queries has to be a list"],
    ["sendQuery", "answers", [{}], "answers has to be a list"],
  ] as const)("of %s that sets %s to %j has failed", async (kind, name, garbage, told) => {
    const sink: OnEvent = (subject) =>
      void (subject.kind === kind && Object.assign(subject, { [name]: garbage }));
    await using house = await open(sink);
    await house.accept(["a@corp.example"]);
    await until(() => house.queue[0]?.state === "held");
    expect(house.queue[0]?.reason).toContain(`sink 1: ${told}`);
  });

  test("that asks nothing in buildQueries and answers each address itself is not minded", async () => {
    const sink: OnEvent = (subject) => {
      if (subject.kind === "buildQueries") return sinkResult.skipRemaining;
      if (subject.kind === "sortQueryResult")
        for (const item of subject.items) item.answer = { kind: "not-mine" };
      return undefined;
    };
    await using house = await open(sink);
    await house.accept(["a@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["a@corp.example"]);
  });

  test("needs no directory: it alone makes the event raised", async () => {
    const sink: OnEvent = (subject) => {
      const item = itemOf(subject, "expandItem");
      if (item?.address !== "team@corp.example") return;
      item.deliver = false;
      item.expandTo("one@far.example");
      item.expandTo("two@far.example");
    };
    await using house = await openHouse({ categorizeSinks: [[LAST, sink]] });
    await house.accept(["team@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["one@far.example", "two@far.example"]);
  });

  test("of expandItem that answers S_FALSE before the built-in one keeps a list together", async () => {
    await using house = await open((subject) =>
      subject.kind === "expandItem" ? sinkResult.skipRemaining : undefined,
    );
    await house.accept(["staff@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["staff@corp.example"]);
  });

  test("of processItem fails one recipient with its own words, or takes it away", async () => {
    await using house = await open((subject) => {
      const item = itemOf(subject, "processItem");
      if (item?.address === "ann@corp.example") item.fail("550 5.7.1 On leave");
      if (item?.address === "bob@far.example") item.deliver = false;
    }, LAST);
    await house.accept(["staff@corp.example", "bob@far.example", "eve@far.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["eve@far.example"]);
    expect(reports(house)[0]?.text).toContain("550 5.7.1 On leave");
    expect(house.transport.counts.recipients).toMatchObject({
      bounced: 1,
      discarded: 1,
      expanded: 1,
    });
  });

  test("that fails the sender fails the whole message", async () => {
    await using house = await open((subject) => {
      const item = itemOf(subject, "processItem");
      if (item?.type === "sender") item.fail("550 5.7.1 Not you");
    });
    await house.accept(["a@far.example", "b@far.example"]);
    await house.empty();
    expect(delivered(house)).toEqual([]);
    expect(reports(house)[0]?.text.match(/Status: 5\.7\.1/g)).toHaveLength(2);
  });

  test("sends some of them a copy of its own, with other headers", async () => {
    await using house = await open((subject) => {
      const item = itemOf(subject, "completeItem");
      if (subject.kind !== "completeItem" || item?.type !== "recipient" || !item.deliver) return;
      if (!item.address.endsWith("@far.example")) return;
      item.copy = "outside";
      const copy = subject.messages.copy("outside");
      if (!copy.headers.has("X-Outside")) copy.headers.add("X-Outside", "yes");
    }, LAST);
    await house.accept(["staff@corp.example", "in@corp.example"]);
    await house.empty();
    const marked = house.world.sent
      .filter(({ text }) => text.includes("X-Outside: yes"))
      .flatMap(({ to }) => to);
    expect(marked).toEqual(["bob@far.example"]);
    expect(delivered(house)).toEqual(["ann@corp.example", "bob@far.example", "in@corp.example"]);
  });
});

test("a message is one firing, whatever number of calls it takes", async () => {
  const messages = new Set<string>();
  await using house = await openCategorizer(DIRECTORY);
  const [sink] = systemChain("OnCategorize", [
    (subject) => {
      if ("messages" in subject) messages.add(subject.messages.original.id);
    },
  ]).sinks;
  if (sink === undefined) throw new Error("a chain without its sink");
  const binding = { ...sink.binding, maxFirings: 1 };
  house.chains = { ...house.chains, categorizer: new SystemChain([{ ...sink, binding }]) };
  const first = await house.accept(["staff@corp.example"]);
  await house.empty();
  await house.accept(["staff@corp.example"]);
  await house.empty();
  expect([...messages]).toEqual([first]);
});

test("members that the directory has lost are left out; a forward to one of them fails", async () => {
  const gone = { by: "key", value: "cn=gone" } as const;
  const page = async function* () {
    yield await Promise.resolve([gone, { by: "address", value: "ann@far.example" } as const]);
  };
  const entries: Readonly<Record<string, DirectoryEntry>> = {
    "list@corp.example": { key: "cn=list", kind: "group", members: page },
    "moved@corp.example": { key: "cn=moved", kind: "user", address: "moved@corp.example", forwardTo: [gone] },
  };
  const directory: Directory = {
    resolve: (queries) =>
      Promise.resolve(
        queries.map(({ value }) => {
          const entry = entries[value];
          return entry === undefined ? { kind: "unknown" } : { kind: "found", entry };
        }),
      ),
    close: () => Promise.resolve(),
  };
  await using house = await openCategorizer(directory);
  await house.accept(["list@corp.example", "moved@corp.example"]);
  await house.empty();
  expect(delivered(house)).toEqual(["ann@far.example"]);
  expect(reports(house)[0]?.text).toContain("550 5.1.6 The forwarding address is not known");
});

describe("faults", () => {
  const broken: OnEvent = (subject) => {
    const item = itemOf(subject, "processItem");
    if (item?.address !== "bob@far.example") return;
    item.address = "half@far.example";
    if ("messages" in subject) subject.messages.original.headers.add("X-Half", "done");
    throw new Error("broken");
  };

  test("hold the message before categorization, pass the sink over with its changes dropped, or send it to Badmail", async () => {
    await using held = await open(broken, LAST, { onError: "hold" });
    await held.accept(["staff@corp.example"]);
    await until(() => held.queue[0]?.state === "held");
    expect(held.queue[0]).toMatchObject({ queue: "pre-categorization", reason: "sink 1: broken" });
    expect(held.queue[0]?.recipients.map(({ address }) => address)).toEqual(["staff@corp.example"]);
    await using goesOn = await open(broken, LAST, { onError: "continue" });
    await goesOn.accept(["staff@corp.example"]);
    await goesOn.empty();
    expect(delivered(goesOn)).toEqual(["ann@corp.example", "bob@far.example"]);
    expect(goesOn.world.sent[0]?.text).not.toContain("X-Half");
    await using bad = await open(broken, LAST, { onError: "badmail" });
    const id = await bad.accept(["staff@corp.example"]);
    await bad.empty();
    expect(await bad.read("Badmail", `${id}.BDR`)).toContain("sink 1: broken");
  });

  test("of the directory let the message wait and bounce nobody; endMessage hears of it", async () => {
    const outcomes: (string | undefined)[] = [];
    let isDown = true;
    const directory: Directory = {
      resolve: (queries, attributes) =>
        isDown ? Promise.reject(new Error("connection refused")) : DIRECTORY.resolve(queries, attributes),
      close: () => Promise.resolve(),
    };
    const sink: OnEvent = (subject) => {
      if (subject.kind === "endMessage") outcomes.push(subject.outcome);
    };
    await using house = await openCategorizer(directory, {}, { categorizeSinks: [[FIRST, sink]] });
    await house.accept(["staff@corp.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]?.reason).toContain("connection refused");
    expect(house.world.sent).toEqual([]);
    isDown = false;
    await house.clock.advance(MINUTE + 200);
    await house.empty();
    expect(delivered(house)).toEqual(["ann@corp.example", "bob@far.example"]);
    expect(outcomes).toEqual(["failed", "categorized"]);
  });

  test("in answers that fit no address let the message wait", async () => {
    await using house = await open((subject) => {
      if (subject.kind === "sendQuery") subject.answers = [];
    });
    await house.accept(["staff@corp.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]?.reason).toContain("0 answers for 2 addresses");
  });
});

describe("statuses at the end:", () => {
  const setting =
    (status: 1 | 2 | 3, copyName = ""): OnEvent =>
    (subject) => {
      const item = itemOf(subject, "completeItem");
      if (item?.address === "bob@far.example") item.copy = copyName;
      if (subject.kind === "endMessage") subject.messages.copy(copyName).status = status;
    };

  test("1 puts the whole message back", async () => {
    await using house = await open(setting(messageStatus.retry), LAST);
    await house.accept(["staff@corp.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]?.queue).toBe("pre-categorization");
  });

  test("2 discards the copy that it stands on, 3 moves it to Badmail; the others go on", async () => {
    for (const status of [messageStatus.abortDelivery, messageStatus.badMail] as const) {
      await using house = await open(setting(status, "apart"), LAST);
      await house.accept(["staff@corp.example"]);
      await house.empty();
      expect(delivered(house)).toEqual(["ann@corp.example"]);
      expect(await house.files("Badmail")).toHaveLength(status === messageStatus.badMail ? 3 : 0);
      await using whole = await open(setting(status), LAST);
      await whole.accept(["staff@corp.example"]);
      await whole.empty();
      expect(whole.world.sent).toEqual([]);
    }
  });
});

describe("a store that fails", () => {
  const LIST = {
    users: { "ann@corp.example": {}, "bob@corp.example": {} },
    lists: {
      "news@corp.example": { members: ["ann@far.example"], owner: "ann@corp.example" },
      "club@corp.example": { members: ["bob@far.example"], owner: "bob@corp.example" },
    },
  };
  const failing = {
    "at the second copy": (store: SegmentStore, fails: () => boolean): Partial<StoreDriver> => ({
      commit: (id, origin, envelope, content) =>
        envelope.sender !== SENDER && fails()
          ? Promise.reject(new Error("disk full"))
          : store.commit(id, origin, envelope, content),
    }),
    "at the message behind its copies": (
      store: SegmentStore,
      fails: () => boolean,
    ): Partial<StoreDriver> => ({
      saveState: (id, state, content, isAwaited) =>
        isAwaited === true && fails()
          ? Promise.reject(new Error("disk full"))
          : store.saveState(id, state, content, isAwaited),
    }),
  };

  test.each(["at the second copy", "at the message behind its copies"] as const)(
    "%s leaves no copy behind: the message is categorized again, and every copy leaves once",
    async (where) => {
      let calls = 0;
      const failsAt = where === "at the second copy" ? 2 : 1;
      const wrapStore = (store: SegmentStore): Partial<StoreDriver> =>
        failing[where](store, () => (calls += 1) === failsAt);
      const edit: OnEvent = (subject) => {
        if (subject.kind === "beginMessage") subject.messages.original.headers.add("X-Seen", "yes");
      };
      await using house = await openCategorizer(
        directoryOf(LIST),
        {},
        {
          wrapStore,
          categorizeSinks: [[FIRST, edit]],
        },
      );
      await house.accept(["news@corp.example", "club@corp.example", "direct@far.example"]);
      await until(() => house.queue[0]?.state === "retry");
      expect(house.queue).toMatchObject([
        { recipients: [{}, {}, {}], reason: expect.stringContaining("disk full") },
      ]);
      expect(house.store.figures().messages).toBe(1);
      await house.clock.advance(2 * MINUTE);
      await house.empty();
      expect(delivered(house)).toEqual(["ann@far.example", "bob@far.example", "direct@far.example"]);
      for (const { text } of house.world.sent) expect(text.match(/X-Seen/g)).toHaveLength(1);
    },
  );
});

describe("after a crash", () => {
  test.each([
    ["", 10_000],
    [", also when the start leaves them for later", 1],
  ])(
    "between the copies and the end of their message the copies begin with it again, once%s",
    async (_, maxInMemory) => {
      const directory = directoryOf({
        users: { "boss@corp.example": {} },
        lists: { "news@corp.example": { members: ["ann@far.example"], owner: "boss@corp.example" } },
      });
      let isDying = true;
      const wrapStore = (store: SegmentStore): Partial<StoreDriver> => ({
        // What waits for the disk was not written when the process ended.
        saveState: (id, state, content, isAwaited) =>
          isDying && isAwaited === true
            ? new Promise(() => undefined)
            : store.saveState(id, state, content, isAwaited),
      });
      await using house = await openCategorizer(directory, {}, { wrapStore, maxInMemory });
      await house.store.commit(house.store.nextId(), ...LAST_MESSAGE);
      await house.accept(["news@corp.example", "direct@far.example"]);
      await until(() => house.store.figures().messages === 3);
      await house.store.commit("LAST", ...LAST_MESSAGE);
      isDying = false;
      await using next = await house.crash();
      await until(async () => {
        await next.clock.advance(10);
        return next.store.figures().messages === 0;
      });
      expect(delivered(next)).toEqual([
        "ann@far.example",
        "direct@far.example",
        "last@far.example",
        "last@far.example",
      ]);
    },
  );

  test("what was categorized is not categorized again, and every copy leaves once", async () => {
    const calls: string[] = [];
    const directory = directoryOf({
      users: { "boss@corp.example": {} },
      lists: {
        "news@corp.example": { members: ["ann@far.example", "eve@far.example"], owner: "boss@corp.example" },
      },
    });
    const sink: OnEvent = (subject) => void calls.push(subject.kind);
    await using house = await openCategorizer(directory, {}, { categorizeSinks: [[FIRST, sink]] });
    house.world.answer = () => new Promise(() => undefined);
    await house.accept(["news@corp.example", "direct@far.example"]);
    await until(() => house.world.attempts.length > 0);
    const before = calls.length;
    house.world.answer = (message) => ({
      kind: "report",
      report: {
        replies: message.recipients.map(() => ({ code: 250, text: "ok" })),
        remote: "hop",
        dsn: false,
      },
    });
    await using next = await house.crash();
    await next.empty();
    expect(calls.slice(before)).toEqual([]);
    expect(delivered(next)).toEqual(["ann@far.example", "direct@far.example", "eve@far.example"]);
    const senders = next.world.sent.map(({ sender, to }) => `${sender} ${to.toSorted(byText).join()}`);
    expect(senders.toSorted(byText)).toEqual([
      "boss@corp.example ann@far.example,eve@far.example",
      "sender@client.example direct@far.example",
    ]);
  });
});
