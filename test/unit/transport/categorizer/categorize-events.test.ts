// Steps 4 and 6: the sinks of OnPreCategorize and OnPostCategorize.
import { describe, expect, test } from "vitest";
import { messageStatus, sinkResult } from "../../../../src/core/status.ts";
import type { MailEvent } from "../../../../src/events/catalog.ts";
import { SinkChain } from "../../../../src/events/dispatcher.ts";
import { MINUTE, type OnEvent, nativeSink, openHouse, until } from "../transport-house.ts";

const EVENTS = [
  ["OnPreCategorize", "pre-categorization"],
  ["OnPostCategorize", "pre-routing"],
] as const;

const mark =
  (calls: string[], name: string): OnEvent =>
  (msg) => {
    calls.push(name);
    msg.headers.add("X-Seen", name);
  };

test("the three events come in order, each with what the one before left, also by promise", async () => {
  const calls: string[] = [];
  const slow: OnEvent = async (msg) => {
    await Promise.resolve();
    calls.push(`pre ${msg.recipients.items.map(({ address }) => address).join()}`);
    msg.recipients.add("c@far.example");
  };
  await using house = await openHouse({
    sinks: [nativeSink((msg) => void msg.recipients.add("b@far.example"))],
    laterSinks: {
      OnPreCategorize: [nativeSink(slow)],
      OnPostCategorize: [nativeSink((msg) => void calls.push(`post ${msg.recipients.count}`))],
    },
  });
  await house.accept(["a@far.example"]);
  await house.empty();
  expect(calls).toEqual(["pre a@far.example,b@far.example", "post 3"]);
  expect(house.world.sent[0]?.to).toEqual(["a@far.example", "b@far.example", "c@far.example"]);
});

test("S_FALSE skips the remaining sinks of its event, not those of the next one", async () => {
  const calls: string[] = [];
  await using house = await openHouse({
    laterSinks: {
      OnPreCategorize: [nativeSink(() => sinkResult.skipRemaining), nativeSink(mark(calls, "skipped"))],
      OnPostCategorize: [nativeSink(mark(calls, "post"))],
    },
  });
  await house.accept(["a@far.example"]);
  await house.empty();
  expect(calls).toEqual(["post"]);
});

describe.each(EVENTS)("after each sink of %s the status is looked at:", (event, queue) => {
  const house = (onEvent: OnEvent, more: object = {}) =>
    openHouse({
      sinks: [nativeSink((msg) => msg.headers.add("X-Submission", "seen"))],
      laterSinks: { [event]: [nativeSink(onEvent, more)] },
    });
  const setting =
    (status: 1 | 2 | 3): OnEvent =>
    (msg) => {
      msg.status = status;
    };

  test("2 ends the message without a report", async () => {
    await using at = await house(setting(messageStatus.abortDelivery));
    await at.accept(["a@far.example"]);
    await at.empty();
    expect(at.world.sent).toEqual([]);
    expect(at.log.map(({ message }) => message)).toContain("message discarded");
  });

  test("3 moves it to Badmail as the sinks left it", async () => {
    await using at = await house(setting(messageStatus.badMail));
    const id = await at.accept(["a@far.example"]);
    await at.empty();
    expect(await at.read("Badmail", `${id}.BAD`)).toContain("X-Submission: seen");
  });

  test(`1 puts it back into the ${queue} queue, and another time its sinks are called again`, async () => {
    let calls = 0;
    await using at = await house((msg) => {
      calls += 1;
      if (calls === 1) msg.status = messageStatus.retry;
    });
    await at.accept(["a@far.example"]);
    await until(() => at.queue[0]?.state === "retry");
    expect(at.queue[0]?.queue).toBe(queue);
    await at.clock.advance(MINUTE + 200);
    await at.empty();
    expect(calls).toBe(2);
    expect(at.world.sent[0]?.text.match(/X-Submission/g)).toHaveLength(1);
  });

  test("a throw follows onError: hold, continue, badmail", async () => {
    const fail: OnEvent = (msg) => {
      msg.headers.add("X-Half", "done");
      throw new Error("broken");
    };
    await using held = await house(fail);
    await held.accept(["a@far.example"]);
    await until(() => held.queue[0]?.state === "held");
    expect(held.queue[0]).toMatchObject({ queue, reason: "sink: throw: broken" });
    await using goesOn = await house(fail, { onError: "continue" });
    await goesOn.accept(["a@far.example"]);
    await goesOn.empty();
    expect(goesOn.world.sent[0]?.text).not.toContain("X-Half");
    await using bad = await house(() => Promise.reject(new Error("later")), { onError: "badmail" });
    const id = await bad.accept(["a@far.example"]);
    await bad.empty();
    expect(await bad.read("Badmail", `${id}.BDR`)).toContain("sink: throw: later");
  });
});

test("a held message comes back to the event that holds it, also after a crash; sinks before it are not called again", async () => {
  const calls: string[] = [];
  const choices = {
    sinks: [nativeSink(mark(calls, "submission"))],
    laterSinks: {
      OnPreCategorize: [nativeSink(mark(calls, "pre"))],
      OnPostCategorize: [
        nativeSink(() => {
          throw new Error("broken");
        }),
      ],
    },
  };
  await using house = await openHouse(choices);
  await house.accept(["a@far.example"]);
  await until(() => house.queue[0]?.state === "held");
  await using next = await house.crash({
    ...choices,
    laterSinks: { ...choices.laterSinks, OnPostCategorize: [nativeSink(mark(calls, "post"))] },
  });
  next.transport.admin.retry([]);
  await until(() => next.world.sent.length === 1);
  expect(calls).toEqual(["submission", "pre", "post"]);
  expect(next.world.sent[0]?.text.match(/X-Seen: \w+/g)).toEqual([
    "X-Seen: submission",
    "X-Seen: pre",
    "X-Seen: post",
  ]);
});

test("a fork goes on with the event that made it, and both parts meet the next one", async () => {
  const calls: string[] = [];
  await using house = await openHouse({
    sinks: [nativeSink(mark(calls, "submission"))],
    laterSinks: {
      OnPreCategorize: [
        nativeSink((msg, context) => {
          if (msg.recipients.count > 1)
            msg.forkForRecipients(context.nextMessageId(), ({ address }) => address.startsWith("b"));
        }),
      ],
      OnPostCategorize: [
        nativeSink((msg) => void calls.push(msg.recipients.items.map(({ address }) => address).join())),
      ],
    },
  });
  await house.accept(["a@far.example", "b@far.example"]);
  await house.empty();
  expect(calls.toSorted()).toEqual(["a@far.example", "b@far.example", "submission"]);
  expect(house.world.sent.every(({ text }) => text.includes("X-Seen: submission"))).toBe(true);
});

test("a binding of an event that is added while the service runs applies to the next message", async () => {
  const calls: string[] = [];
  await using house = await openHouse();
  await house.accept(["a@far.example"]);
  await house.empty();
  const event: MailEvent = "OnPreCategorize";
  house.laterChains.set(event, new SinkChain([nativeSink(mark(calls, "now"))]));
  await house.accept(["a@far.example"]);
  await house.empty();
  expect(calls).toEqual(["now"]);
});
