import { describe, expect, test } from "vitest";
import { ownReply, reply } from "../../../src/core/reply.ts";
import type { DeliveryOutcome } from "../../../src/smtp/client/destination.ts";
import { HOUR, MINUTE, accepted, openHouse, unreachable, until, nativeSink } from "./transport-house.ts";

const report = (text: string, field: string): string | undefined =>
  new RegExp(`^${field}: (.*)$`, "m").exec(text.replaceAll("\r", ""))?.[1];

describe("a message", () => {
  test("goes to Drop when its domain is ours, and to the next hop otherwise", async () => {
    await using house = await openHouse();
    const id = await house.accept(["in@local.example", "out@far.example"]);
    await house.empty();
    expect(await house.files("Drop")).toEqual([`${id}.eml`]);
    expect(await house.read("Drop", `${id}.eml`)).toContain("x-receiver: in@local.example\r\nSubject: hello");
    expect(house.world.sent).toMatchObject([{ key: "far.example", to: ["out@far.example"] }]);
  });

  test("that is refused for now is tried again and delivered", async () => {
    await using house = await openHouse();
    house.world.answer = (message) => accepted(message, 450, "later");
    await house.accept(["b@far.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]).toMatchObject({ attempts: 1, nextAttempt: house.clock.now() + MINUTE });
    house.world.answer = (message) => accepted(message);
    await house.clock.advance(MINUTE + 200);
    await house.empty();
    expect(house.world.sent).toHaveLength(1);
  });

  test("that is refused for good is reported to its sender", async () => {
    await using house = await openHouse();
    house.world.answers.set("far.example", (message) => accepted(message, 550, "no such user"));
    await house.accept(["b@far.example"]);
    await house.empty();
    const [dsn] = house.world.to("client.example");
    expect(dsn).toMatchObject({ sender: "", to: ["sender@client.example"] });
    expect(report(dsn?.text ?? "", "Status")).toBe("5.1.1");
    expect(report(dsn?.text ?? "", "Action")).toBe("failed");
  });

  test("tells of a next hop that does not answer in our name, after a crash too", async () => {
    await using before = await openHouse();
    const own = ownReply(421, "4.1", "connect ECONNREFUSED");
    before.world.answers.set("far.example", () => ({ ...unreachable(), reply: own }) as DeliveryOutcome);
    await before.accept(["b@far.example"]);
    await until(() => before.log.some(({ message }) => message === "recipient deferred"));
    expect(before.log.find(({ message }) => message === "recipient deferred")?.fields).toMatchObject({
      reply: "421 4.4.1 connect ECONNREFUSED",
      own: true,
    });
    await before.clock.advance(11 * HOUR);
    await using house = await before.crash();
    // What it is told now comes from the store: nothing is attempted.
    await house.transport.admin.freeze("far.example");
    await house.clock.advance(2 * HOUR);
    await until(() => house.world.to("client.example").length === 1);
    const notice = house.world.to("client.example")[0]?.text ?? "";
    expect(notice).toContain("at hop.example: 421 4.4.1 connect ECONNREFUSED");
    expect(report(notice, "Diagnostic-Code")).toBe("X-OnArrival; 421 4.4.1 connect ECONNREFUSED");
  });

  test("expires with 5.4.7 after two days, and its sender hears of the delay once before", async () => {
    await using house = await openHouse();
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["b@far.example"]);
    await until(() => house.queue[0]?.attempts === 1);
    await house.clock.advance(11 * HOUR);
    expect(house.world.to("client.example")).toEqual([]);
    await house.clock.advance(2 * HOUR);
    await until(() => house.world.to("client.example").length === 1);
    expect(report(house.world.to("client.example")[0]?.text ?? "", "Action")).toBe("delayed");
    await house.clock.advance(30 * HOUR);
    expect(house.world.to("client.example")).toHaveLength(1);
    await house.clock.advance(6 * HOUR);
    await house.empty();
    const last = house.world.to("client.example")[1];
    expect(report(last?.text ?? "", "Status")).toBe("5.4.7");
    expect(last?.text).toMatch(/^Diagnostic-Code: X-OnArrival; 554 5\.4\.7 Delivery time expired; last at /m);
    expect(last?.text).not.toMatch(/^Remote-MTA| said: 554/m);
    expect(report(last?.text ?? "", "Action")).toBe("failed");
    expect(house.world.to("client.example")).toHaveLength(2);
  });

  test("from the null sender that cannot be delivered goes to Badmail", async () => {
    await using house = await openHouse();
    house.world.answers.set("far.example", (message) => accepted(message, 550, "no such user"));
    const id = await house.accept(["b@far.example"], { sender: "" });
    await house.empty();
    expect(await house.files("Badmail")).toEqual([`${id}.BAD`, `${id}.BDP`, `${id}.BDR`]);
    expect(await house.read("Badmail", `${id}.BDR`)).toContain("b@far.example: 550 5.1.1 no such user");
    expect(house.world.sent).toEqual([]);
  });

  test("ends in exactly one state for each of 1,000 recipients of three domains", async () => {
    await using house = await openHouse();
    const tried = new Set<string>();
    const verdicts = [250, 550, 450];
    house.world.answer = (message) => ({
      kind: "report",
      report: {
        replies: message.recipients.map(({ address }) => {
          const number = Number(/\d+/.exec(address)?.[0] ?? 0);
          const code = verdicts[number % 3] ?? 250;
          if (code === 450 && tried.has(address)) return reply(250, "0.0", "ok");
          tried.add(address);
          return reply(code, code === 250 ? "0.0" : "1.1", "said");
        }),
        remote: "hop",
        dsn: false,
      },
    });
    house.world.answers.set("client.example", (message) => accepted(message));
    const all = Array.from({ length: 1000 }, (_, index) => `u${index}@${"abc"[(index % 7) % 3]}.example`);
    const id = await house.accept(all);
    await until(() => house.queue.some((entry) => entry.id === id && entry.state === "retry"));
    await house.clock.advance(2 * MINUTE);
    await house.empty();
    const done = house.log.filter(
      (line) => line.message === "recipient done" && line.fields["message"] === id,
    );
    expect(done).toHaveLength(1000);
    expect(new Set(done.map((line) => line.fields["recipient"])).size).toBe(1000);
    const relayed = house.world.sent.filter((sent) => sent.id === id).flatMap((sent) => sent.to);
    const bounced = house.world
      .to("client.example")
      .flatMap((sent) =>
        [...sent.text.matchAll(/Final-Recipient: rfc822;\s*(\S+)/g)].map((match) => match[1]),
      );
    expect([...relayed, ...bounced].map(String).toSorted()).toEqual(all.toSorted());
  });
});

test("the next attempt of a message is the earliest of its next hops, also when another one was under way", async () => {
  await using house = await openHouse();
  let answer = (): void => undefined;
  house.world.answers.set("near.example", (message) => {
    return new Promise((resolve) => {
      answer = () => resolve(accepted(message));
    });
  });
  house.world.answers.set("far.example", (message) => accepted(message, 450, "later"));
  await house.accept(["a@near.example", "b@far.example"]);
  await until(() => house.log.some((line) => line.message === "recipient deferred"));
  answer();
  await until(() => house.world.sent.length === 1);
  await until(() => house.queue[0]?.nextAttempt === house.clock.now() + MINUTE);
  await using next = await house.crash();
  expect(next.queue[0]).toMatchObject({
    state: "retry",
    attempts: 1,
    nextAttempt: next.clock.now() + MINUTE,
  });
});

describe("reports", () => {
  test("are durable before the message leaves the store", async () => {
    const steps: string[] = [];
    await using house = await openHouse({
      wrapStore: (store) => ({
        async commit(id, origin, envelope, content) {
          await store.commit(id, origin, envelope, content);
          steps.push(`durable ${origin.via}`);
        },
        remove(id) {
          steps.push("remove");
          store.remove(id);
        },
      }),
    });
    house.world.answers.set("far.example", (message) => accepted(message, 550, "no"));
    house.world.answers.set("near.example", (message) => accepted(message));
    await house.accept(["a@far.example", "b@near.example"]);
    await house.empty();
    expect(steps).toEqual(["durable smtp", "durable dsn", "remove", "remove"]);
  });

  test("on one next hop are not lost when another one takes its recipients meanwhile", async () => {
    // The commit of the report is held back: the other delivery ends first, and then the service dies.
    let hold = true;
    await using house = await openHouse({
      wrapStore: (store) => ({
        commit: (id, origin, envelope, content) =>
          origin.via === "dsn" && hold
            ? new Promise(() => undefined)
            : store.commit(id, origin, envelope, content),
      }),
    });
    let release = (): void => undefined;
    const bothAsked = new Promise<void>((resolve) => {
      release = resolve;
    });
    house.world.answers.set("far.example", (message) => accepted(message, 550, "no"));
    house.world.answers.set("near.example", async (message) => {
      await bothAsked;
      return accepted(message);
    });
    await house.accept(["a@far.example", "b@near.example"]);
    await until(() => house.world.attempts.includes("far.example"));
    await house.clock.advance(0);
    release();
    await until(() => house.world.to("near.example").length === 1);
    await house.clock.advance(0);
    hold = false;
    await using next = await house.crash();
    await next.empty();
    expect(next.world.to("client.example")).toHaveLength(1);
    expect(next.world.to("near.example")).toHaveLength(1);
  });

  test("that were stored are not stored again because another one could not be", async () => {
    let refused = 0;
    await using house = await openHouse({
      wrapStore: (store) => ({
        async commit(id, origin, envelope, content) {
          const text = (await content.toBuffer()).toString();
          if (origin.via === "dsn" && text.includes("Action: failed") && (refused += 1) === 1)
            throw new Error("disk full");
          await store.commit(id, origin, envelope, content);
        },
      }),
    });
    house.world.answers.set("far.example", (message) => ({
      kind: "report",
      report: {
        replies: message.recipients.map(({ address }) =>
          address.startsWith("good") ? reply(250, "0.0", "ok") : reply(550, "1.1", "no"),
        ),
        remote: "hop",
        dsn: false,
      },
    }));
    await house.accept([
      { address: "good@far.example", notify: ["SUCCESS"] },
      { address: "bad@far.example" },
    ]);
    await until(() => refused === 1 && house.world.to("client.example").length === 1);
    await house.clock.advance(31_000);
    await house.empty();
    expect(house.world.to("client.example").map((dsn) => report(dsn.text, "Action"))).toEqual([
      "relayed",
      "failed",
    ]);
  });
});

describe("a message whose bytes are damaged", () => {
  test("does not stop its next hop, and its sender hears of it in the end", async () => {
    await using first = await openHouse();
    first.world.answers.set("far.example", () => unreachable());
    const id = await first.accept(["a@far.example"]);
    await until(() => first.queue[0]?.attempts === 1);
    await using house = await first.crash({
      wrapStore: (store) => ({
        loadContent: (of) => (of === id ? Promise.reject(new Error("damaged")) : store.loadContent(of)),
      }),
    });
    house.world.answers.clear();
    await house.accept(["b@far.example"]);
    await until(() => house.world.to("far.example").length === 1);
    await house.clock.advance(49 * HOUR);
    await until(async () => {
      await house.clock.advance(MINUTE);
      return house.queue.length === 0;
    });
    const texts = house.world.to("client.example").map(({ text }) => text);
    expect(texts.map((text) => report(text, "Action"))).toContain("failed");
    expect(texts.at(-1)).toContain("X-Lost");
  });
});

describe("after a crash", () => {
  test("what was accepted and not delivered is delivered", async () => {
    await using house = await openHouse();
    house.world.answer = () => new Promise(() => undefined);
    for (let index = 0; index < 20; index += 1)
      await house.accept([`u${index}@far.example`, `u@d${index}.example`]);
    house.world.answer = (message) => accepted(message);
    await using next = await house.crash();
    await next.empty();
    expect(next.world.sent).toHaveLength(40);
  });

  test("recipients that are done are not sent to again, those that wait are", async () => {
    await using house = await openHouse();
    house.world.answers.set("far.example", (message) => accepted(message, 450, "later"));
    await house.accept(["a@far.example", "b@near.example"]);
    await until(() => house.queue[0]?.recipients.some((recipient) => recipient.state === "relayed") === true);
    await until(() => house.queue[0]?.state === "retry");
    house.world.answers.clear();
    await using next = await house.crash();
    await next.clock.advance(2 * MINUTE);
    await next.empty();
    expect(next.world.sent.map((sent) => sent.to)).toEqual([["b@near.example"], ["a@far.example"]]);
  });

  test.each([
    ["small", 100, 1024 * 1024],
    ["large", 200_000, 4096],
  ])(
    "the edits of sinks in a %s message that had to wait are still there",
    async (_name, size, inlineBytes) => {
      const addHeader = nativeSink((msg) => {
        msg.headers.add("X-Seen", "once");
      });
      await using house = await openHouse({ sinks: [addHeader], inlineBytes });
      house.world.answer = () => unreachable();
      await house.accept(["b@far.example"], {
        text: `Subject: x\r\n\r\n${"0123456789abcde\r\n".repeat(size / 17)}`,
      });
      await until(() => house.queue[0]?.attempts === 1);
      await house.store.loadContent(house.queue[0]?.id ?? "");
      await until(async () => {
        const content = await house.store.loadContent(house.queue[0]?.id ?? "");
        return content.header.toString().includes("X-Seen");
      });
      house.world.answer = (message) => accepted(message);
      await using next = await house.crash({ sinks: [] });
      await next.empty();
      expect(next.world.sent[0]?.text.match(/X-Seen: once/g)).toHaveLength(1);
      expect(next.world.sent[0]?.text).toContain("0123456789abcde");
    },
  );

  test("a message that the operator holds is still held", async () => {
    await using house = await openHouse();
    house.world.answer = () => unreachable();
    const id = await house.accept(["b@far.example"]);
    await until(() => house.queue[0]?.attempts === 1);
    expect(house.transport.admin.hold([id])).toBe(1);
    await using next = await house.crash();
    expect(next.queue[0]).toMatchObject({ id, state: "held" });
  });
});

describe("edits of sinks", () => {
  test("are sent when the retry comes before the store has them", async () => {
    let finishWriting = (): void => undefined;
    const written = new Promise<void>((resolve) => {
      finishWriting = resolve;
    });
    const addHeader = nativeSink((msg) => {
      msg.headers.add("X-Seen", "once");
    });
    await using house = await openHouse({
      sinks: [addHeader],
      wrapStore: (store) => ({
        async saveState(id, state, content) {
          // As a large content does, which is written to a file of its own first.
          if (content !== undefined) await written;
          await store.saveState(id, state, content);
        },
      }),
    });
    house.world.answer = (message) => accepted(message, 450, "later");
    const id = await house.accept(["b@far.example"]);
    await until(() => house.queue[0]?.state === "retry");
    house.world.answer = (message) => accepted(message);
    house.transport.admin.retry([id]);
    await until(() => house.world.sent.length === 1);
    expect(house.world.sent[0]?.text).toContain("X-Seen: once");
    finishWriting();
    await house.empty();
  });

  test("survive the memory budget", async () => {
    const addHeader = nativeSink((msg) => {
      msg.headers.add("X-Seen", "once");
    });
    await using house = await openHouse({ sinks: [addHeader], residentBytes: 0 });
    house.world.capacity = 1;
    for (let index = 0; index < 10; index += 1) await house.accept(["b@far.example"]);
    await house.empty();
    expect(house.world.sent.every((sent) => sent.text.match(/X-Seen/g)?.length === 1)).toBe(true);
    expect(house.world.sent).toHaveLength(10);
  });
});
