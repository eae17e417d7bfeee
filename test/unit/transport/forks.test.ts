// Forks: parts of a message that a sink sends their own way (the original's ForkForRecipients, REFERENCE 4.6).
import { describe, expect, test } from "vitest";
import { type MessageStatus, messageStatus } from "../../../src/core/status.ts";
import { MAIL_EVENTS, type MailEvent } from "../../../src/events/catalog.ts";
import { SinkChain } from "../../../src/events/dispatcher.ts";
import type { BoundSink } from "../../../src/events/sink.ts";
import type { Badmail } from "../../../src/store/badmail.ts";
import {
  HOUR,
  type House,
  type HouseChoices,
  MINUTE,
  type OnEvent,
  nativeSink,
  openHouse,
  unreachable,
  until,
} from "./transport-house.ts";

describe("forks", () => {
  const forkFor = (domain: string): ReturnType<typeof nativeSink> =>
    nativeSink((msg, context) => {
      if (!msg.recipients.items.some(({ address }) => address.endsWith(domain))) return;
      const fork = msg.forkForRecipients(context.nextMessageId(), ({ address }) => address.endsWith(domain));
      fork.headers.add("X-Fork", domain);
    });

  test("go their own way with the recipients they took", async () => {
    await using house = await openHouse({ sinks: [forkFor("b.example")] });
    await house.accept(["x@a.example", "y@b.example"]);
    await until(() => house.world.sent.length === 2);
    await house.empty();
    expect(house.world.to("a.example")[0]?.text).not.toContain("X-Fork");
    expect(house.world.to("b.example")[0]?.text).toContain("X-Fork");
  });

  test("live on when a later sink discards the rest", async () => {
    const discard = nativeSink((msg) => {
      if (msg.recipients.has("x@a.example")) msg.status = messageStatus.abortDelivery;
    });
    await using house = await openHouse({ sinks: [forkFor("b.example"), discard] });
    await house.accept(["x@a.example", "y@b.example"]);
    await until(() => house.world.sent.length === 1);
    await house.empty();
    expect(house.world.sent[0]?.to).toEqual(["y@b.example"]);
    const discarded = house.log.find((line) => line.message === "message discarded");
    expect(discarded?.fields["recipients"]).toEqual(["x@a.example"]);
  });

  test("that cannot all be stored send the whole message back: nobody is forgotten, and nobody gets it twice", async () => {
    let full = true;
    let tries = 0;
    await using house = await openHouse({
      sinks: [forkFor("b.example"), forkFor("c.example")],
      wrapStore: (store) => ({
        commit: (id, origin, envelope, content) => {
          const isFork = id.startsWith("FORK");
          if (isFork) tries += 1;
          return full && isFork && tries === 2
            ? Promise.reject(new Error("disk full"))
            : store.commit(id, origin, envelope, content);
        },
      }),
    });
    await house.accept(["x@a.example", "y@b.example", "z@c.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]?.recipients).toHaveLength(3);
    expect(house.store.figures().messages).toBe(1);
    full = false;
    await house.clock.advance(2 * MINUTE);
    await until(() => house.world.sent.length === 3);
    await house.empty();
    expect(house.world.sent.flatMap((sent) => sent.to).toSorted()).toEqual([
      "x@a.example",
      "y@b.example",
      "z@c.example",
    ]);
  });
});

describe("the id of a fork", () => {
  const forkAs =
    (...ids: readonly string[]): OnEvent =>
    (msg) => {
      for (const id of ids) msg.forkForRecipients(id === "its own" ? msg.id : id, () => false);
    };

  test.each([
    ["leads out of the mailroot", ["../../evil"], "is no message id"],
    ["is empty", [""], "is no message id"],
    ["is that of the message", ["its own"], "is taken"],
    ["is that of another fork", ["FORK00000000000001", "FORK00000000000001"], "is taken"],
  ])("that %s is the fault of the sink", async (_title, ids, why) => {
    await using house = await openHouse({ sinks: [nativeSink(forkAs(...ids))] });
    const id = await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    expect(house.queue[0]?.reason).toMatch(new RegExp(`^sink: throw: .*${why}`));
    house.chain = new SinkChain([]);
    expect(house.transport.admin.release([id])).toBe(1);
    await house.empty();
    expect(house.world.sent).toHaveLength(1);
  });

  test("that another message has keeps the message waiting, and is named", async () => {
    const forking: OnEvent = (msg) =>
      void msg.forkForRecipients("FORK00000000000001", ({ address }) => address.startsWith("b"));
    await using house = await openHouse({ sinks: [nativeSink(forking)] });
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["a@far.example", "b@far.example"]);
    await until(() => house.queue.length === 2);
    await house.accept(["a@far.example", "b@far.example"]);
    await until(
      () => house.queue.length === 3 && house.queue.some(({ queue }) => queue === "pre-submission"),
    );
    expect(house.queue.find(({ queue }) => queue === "pre-submission")?.reason).toContain(
      "a fork could not be stored: FORK00000000000001 is in use",
    );
  });
});

test("a fork of a fork goes its own way like others", async () => {
  const forking = nativeSink((msg, context) => {
    if (msg.recipients.count !== 3) return;
    const fork = msg.forkForRecipients(context.nextMessageId(), ({ address }) => !address.startsWith("a"));
    fork.forkForRecipients(context.nextMessageId(), ({ address }) => address.startsWith("c"));
  });
  await using house = await openHouse({ sinks: [forking] });
  await house.accept(["a@far.example", "b@far.example", "c@far.example"]);
  await house.empty();
  const sent = house.world.sent.map(({ to }) => to.join());
  expect(sent.toSorted()).toEqual(["a@far.example", "b@far.example", "c@far.example"]);
});

describe("the status of a fork", () => {
  const TO = ["a@far.example", "b@far.example"];
  /** Of those of `b` as long as `wanted` answers a status. */
  const forkWith = (wanted: () => MessageStatus): BoundSink<string> =>
    nativeSink((msg, context) => {
      if (msg.recipients.count !== 2) return;
      const fork = msg.forkForRecipients(context.nextMessageId(), ({ address }) => address.startsWith("b"));
      fork.headers.add("X-Fork", "yes");
      fork.status = wanted();
    });
  const boundTo = (event: MailEvent, ...sinks: BoundSink<string>[]): HouseChoices =>
    event === "OnTransportSubmission" ? { sinks } : { laterSinks: { [event]: sinks } };
  const sentTo = (house: House): string[] => house.world.sent.map(({ to }) => to.join()).toSorted();

  describe.each(MAIL_EVENTS)("set by a sink of %s", (event) => {
    test("2 discards it, and the rest goes on; after a crash as well", async () => {
      const sink = forkWith(() => messageStatus.abortDelivery);
      await using house = await openHouse(boundTo(event, sink));
      house.world.answers.set("far.example", () => unreachable());
      await house.accept(TO);
      await until(() => house.queue[0]?.state === "retry");
      expect(house.transport.counts.recipients).toMatchObject({ discarded: 1, badmail: 0 });
      await using next = await house.crash();
      next.world.answers.clear();
      await next.clock.advance(HOUR);
      await next.empty();
      expect(sentTo(next)).toEqual(["a@far.example"]);
      expect(await next.files("Badmail")).toEqual([]);
    });

    test("3 moves it to Badmail as the sink left it, and the rest goes on; after a crash as well", async () => {
      const sink = forkWith(() => messageStatus.badMail);
      await using house = await openHouse(boundTo(event, sink));
      house.world.answers.set("far.example", () => unreachable());
      const id = await house.accept(TO);
      await until(() => house.queue[0]?.state === "retry");
      expect(house.transport.counts.recipients).toMatchObject({ discarded: 0, badmail: 1 });
      await using next = await house.crash();
      next.world.answers.clear();
      await next.clock.advance(HOUR);
      await next.empty();
      expect(sentTo(next)).toEqual(["a@far.example"]);
      const [bad = "", parts = "", why = "", ...more] = await next.files("Badmail");
      expect(more).toEqual([]);
      expect(await next.read("Badmail", bad)).toContain("X-Fork: yes");
      expect(JSON.parse(await next.read("Badmail", parts))).toMatchObject({
        recipients: [{ address: "b@far.example" }],
      });
      expect(await next.read("Badmail", why)).toContain(
        `fork of ${id}, sent to Badmail by a sink of ${event}`,
      );
    });

    test("1 keeps the whole message waiting, which is forked anew", async () => {
      let status: MessageStatus = messageStatus.retry;
      await using house = await openHouse(
        boundTo(
          event,
          forkWith(() => status),
        ),
      );
      await house.accept(TO);
      await until(() => house.queue[0]?.state === "retry");
      expect(house.queue).toMatchObject([{ reason: "sink asked to retry later", recipients: { length: 2 } }]);
      status = messageStatus.success;
      await house.clock.advance(2 * MINUTE);
      await house.empty();
      expect(sentTo(house)).toEqual(TO);
    });

    test("6 keeps the whole message until the service restarts", async () => {
      await using house = await openHouse(
        boundTo(
          event,
          forkWith(() => messageStatus.abandonDelivery),
        ),
      );
      await house.accept(TO);
      await until(() => house.queue[0]?.state === "held");
      await house.clock.advance(100 * HOUR);
      expect(house.world.attempts).toEqual([]);
      await using next = await house.crash({ sinks: [], laterSinks: {} });
      await next.empty();
      expect(sentTo(next)).toEqual([TO.join()]);
    });
  });

  test.each([
    ["0 goes on", messageStatus.success, ["next", "pre", "post"]],
    ["4 passes over the remaining sinks of submission", messageStatus.submitted, ["pre", "post"]],
    ["5 passes over everything before OnPostCategorize", messageStatus.categorized, ["post"]],
  ])("%s", async (_title, status, expected) => {
    const seen: string[] = [];
    const seeing = (name: string): BoundSink<string> =>
      nativeSink((msg) => void (msg.recipients.has("b@far.example") && seen.push(name)));
    await using house = await openHouse({
      sinks: [forkWith(() => status), seeing("next")],
      laterSinks: { OnPreCategorize: [seeing("pre")], OnPostCategorize: [seeing("post")] },
    });
    await house.accept(TO);
    await house.empty();
    expect(seen).toEqual(expected);
    expect(sentTo(house)).toEqual(TO);
  });

  test("can be set by a later sink, and one that does not exist is its fault", async () => {
    const judging = (status: number): BoundSink<string> =>
      nativeSink((msg) => {
        for (const fork of msg.forks) Object.assign(fork, { status });
      });
    await using house = await openHouse({ sinks: [forkWith(() => messageStatus.success), judging(2)] });
    await house.accept(TO);
    await house.empty();
    expect(sentTo(house)).toEqual(["a@far.example"]);
    house.chain = new SinkChain([forkWith(() => messageStatus.success), judging(7)]);
    await house.accept(TO);
    await until(() => house.queue[0]?.state === "held");
    expect(house.queue[0]?.reason).toContain("a status that does not exist");
  });

  test("3 leaves the message where it is as long as Badmail cannot be written", async () => {
    let full = true;
    const put: Badmail["put"] = () => (full ? Promise.reject(new Error("disk full")) : Promise.resolve());
    const sinks = [forkWith(() => messageStatus.badMail)];
    await using house = await openHouse({ sinks, badmail: { put } });
    await house.accept(TO);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue).toMatchObject([
      { reason: expect.stringContaining("disk full"), recipients: { length: 2 } },
    ]);
    full = false;
    await house.clock.advance(2 * MINUTE);
    await house.empty();
    expect(sentTo(house)).toEqual(["a@far.example"]);
    expect(house.transport.counts.recipients).toMatchObject({ badmail: 1 });
  });
});
