// Step 7: sinks of OnGetMessageRouter choose next hops, reset routes and set the state of next hops.
import { describe, expect, test } from "vitest";
import { sinkResult } from "../../../../src/core/status.ts";
import {
  type LinkContext,
  type LinkControl,
  type LinkState,
  type MessageRouter,
  type NextHopAnswer,
  type RouterSubject,
  linkFlag,
  nextHopType,
} from "../../../../src/events/contexts/router-contexts.ts";
import { SystemChain } from "../../../../src/events/system-chain.ts";
import { summaryOf } from "../many-messages.ts";
import { HOUR, MINUTE, accepted, openHouse, systemChain, unreachable, until } from "../transport-house.ts";

/** A sink that answers for every recipient what `answer` says. */
const router =
  (answer: (address: string) => NextHopAnswer, more: Partial<MessageRouter> = {}) =>
  (subject: RouterSubject): void => {
    if (subject.kind === "route")
      subject.router = { ...more, getNextHop: (_msg, recipient) => answer(recipient.address) };
  };

const always = (answer: unknown) => router(() => answer as NextHopAnswer);

describe("the next hop of each recipient", () => {
  test("is what the router says; recipients of one next hop share a transaction", async () => {
    await using house = await openHouse({
      routerSinks: [
        router((address) => {
          if (address.startsWith("local")) return "local";
          if (address.startsWith("default")) return "default";
          if (address.startsWith("domain")) return { domain: "Other.example" };
          return { host: "2001:db8::1", port: 2525 };
        }),
      ],
    });
    const id = await house.accept([
      "local@far.example",
      "default@far.example",
      "domain@far.example",
      "host@far.example",
      "host2@elsewhere.example",
    ]);
    await house.empty();
    expect(await house.read("Drop", `${id}.eml`)).toContain("x-receiver: local@far.example");
    expect(Object.fromEntries(house.world.sent.map(({ key, to }) => [key, to]))).toEqual({
      "far.example": ["default@far.example"],
      "other.example": ["domain@far.example"],
      "[2001:db8::1]:2525": ["host@far.example", "host2@elsewhere.example"],
    });
  });

  test("may be unreachable: 5xx fails the recipient and its sender hears the reply, 4xx waits and is routed again", async () => {
    let later: NextHopAnswer = { unreachable: "451 4.4.1 line is down" };
    await using house = await openHouse({
      routerSinks: [
        router((address) => {
          if (address.startsWith("gone")) return { unreachable: "550 5.1.1 No such user" };
          return address.startsWith("later") ? later : "default";
        }),
      ],
    });
    await house.accept(["gone@far.example", "later@far.example"]);
    await until(() => house.world.to("client.example").length === 1 && house.queue[0]?.state === "retry");
    expect(house.world.to("client.example")[0]?.text).toMatch(
      /Final-Recipient: rfc822;gone@[^]*Status: 5\.1\.1/,
    );
    expect(house.queue[0]?.reason).toBe("451 4.4.1 line is down");
    later = "default";
    await house.clock.advance(MINUTE + 200);
    await house.empty();
    expect(house.world.to("far.example")).toMatchObject([{ to: ["later@far.example"] }]);
  });

  test("has a queue for each type of message", async () => {
    await using house = await openHouse({
      routerSinks: [
        router(() => ({ host: "hub.example" }), { getMessageType: (msg) => (msg.size > 100 ? 7 : 0) }),
      ],
    });
    await house.accept(["a@far.example"]);
    await house.accept(["b@far.example"], { text: `Subject: ${"x".repeat(100)}\r\n\r\n` });
    await house.empty();
    expect(house.world.sent.map(({ key }) => key).toSorted()).toEqual([
      "hub.example:25",
      "hub.example:25 (type 7)",
    ]);
  });

  test("is asked for a message's type once, and gets it back when the message ends", async () => {
    const asked: string[] = [];
    await using house = await openHouse({
      routerSinks: [
        router(() => ({ host: "hub.example" }), {
          getMessageType: (msg) => {
            asked.push(`type of ${msg.recipients[0]?.address ?? ""}`);
            return 7;
          },
          releaseMessageType: (type, count) => void asked.push(`release ${type} ${count}`),
          connectionFailed: (nextHop) => void asked.push(`failed ${nextHop}`),
        }),
      ],
    });
    house.world.answers.set("hub.example:25 (type 7)", () => unreachable());
    await house.accept(["a@far.example"]);
    await until(() => house.world.attempts.length === 1);
    house.world.answers.clear();
    await house.clock.advance(MINUTE + 200);
    await house.empty();
    expect(asked).toEqual(["type of a@far.example", "failed hub.example:25", "release 7 1"]);
  });

  test("may be of each type of the original", async () => {
    const answers: Readonly<Record<string, NextHopAnswer>> = {
      local: { type: nextHopType.sameVirtualServer },
      peer: { type: nextHopType.peerSmtp, address: "Peer.example" },
      external: { type: nextHopType.externalSmtp, address: "Partner.example" },
      port: { type: nextHopType.externalSmtp, address: "partner.example", port: 2525 },
      gone: { type: nextHopType.unreachable },
      down: { type: nextHopType.currentlyUnreachable, reply: "451 4.4.1 line is down" },
      again: { type: nextHopType.peerSmtpAgain, address: "peer.example", port: 24 },
    };
    await using house = await openHouse({
      routerSinks: [router((address) => answers[address.split("@")[0] ?? ""] ?? "default")],
    });
    await house.accept(Object.keys(answers).map((name) => `${name}@far.example`));
    await until(() => house.world.sent.length === 5 && house.queue[0]?.state === "retry");
    await until(async () => (await house.files("Drop")).length === 1, "the file in Drop");
    expect(house.world.sent.map(({ key, to }) => `${key} ${to[0] ?? ""}`).toSorted()).toEqual([
      "Peer.example:25 (peer) peer@far.example",
      "client.example sender@client.example",
      "partner.example external@far.example",
      "partner.example:2525 port@far.example",
      "peer.example:24 (peer) again@far.example",
    ]);
    expect(house.world.to("client.example")[0]?.text).toMatch(/gone@far\.example[^]*Status: 5\.4\.4/);
    expect(house.queue[0]?.reason).toBe("451 4.4.1 line is down");
  });

  test("may be looked for by promise: only that message waits", async () => {
    let answer = (): void => undefined;
    await using house = await openHouse({
      routerSinks: [
        async (subject) => {
          if (subject.kind !== "route") return;
          if (subject.msg.recipients[0]?.address === "slow@far.example")
            await new Promise<void>((resolve) => {
              answer = resolve;
            });
          subject.router = { getNextHop: () => ({ host: "asked.example" }) };
        },
      ],
    });
    await house.accept(["slow@far.example"]);
    await house.accept(["fast@far.example"]);
    await until(() => house.world.sent.length === 1);
    expect(house.world.sent[0]?.to).toEqual(["fast@far.example"]);
    answer();
    await house.empty();
    expect(house.world.to("asked.example:25").map(({ to }) => to)).toEqual([
      ["fast@far.example"],
      ["slow@far.example"],
    ]);
  });

  test("may be named by promise for those who were refused for now, and a crash remembers their attempt", async () => {
    let host = "one.example";
    const later = async (subject: RouterSubject): Promise<void> => {
      await Promise.resolve();
      always({ host })(subject);
    };
    await using house = await openHouse({ routerSinks: [later] });
    house.world.answer = (message) => {
      host = "two.example";
      return accepted(message, 450, "later");
    };
    await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue).toMatchObject([{ queue: "two.example:25", attempts: 1 }]);
    await using next = await house.crash();
    next.world.answer = (message) => accepted(message);
    await until(() => next.queue[0]?.state === "retry");
    expect(next.queue).toMatchObject([{ queue: "two.example:25", attempts: 1 }]);
    await next.clock.advance(2 * MINUTE);
    await next.empty();
    expect(next.world.sent).toMatchObject([{ key: "two.example:25", to: ["a@far.example"] }]);
  });

  test("is routed once when routes are reset while the sink has not answered", async () => {
    const answers: (() => void)[] = [];
    await using house = await openHouse({
      routerSinks: [
        (subject) =>
          subject.kind === "route" ? new Promise<void>((resolve) => answers.push(resolve)) : undefined,
      ],
    });
    await house.accept(["a@far.example"]);
    house.transport.reconfigure(house.live());
    await until(() => answers.length > 0);
    for (const answer of answers) answer();
    await house.empty();
    expect(house.world.sent).toHaveLength(1);
  });
});

describe("several routers", () => {
  test("wrap one another in the order of their priorities, until one answers S_FALSE", async () => {
    await using house = await openHouse({
      routerSinks: [
        router(() => ({ host: "first.example" })),
        (subject) => {
          if (subject.kind !== "route") return undefined;
          const before = subject.router;
          subject.router = {
            getNextHop: (msg, recipient) =>
              recipient.address.startsWith("a") ? "default" : before.getNextHop(msg, recipient),
          };
          return sinkResult.skipRemaining;
        },
        always({ host: "never.example" }),
      ],
    });
    await house.accept(["a@far.example", "b@far.example"]);
    await house.empty();
    expect(house.world.sent.map(({ key }) => key).toSorted()).toEqual(["far.example", "first.example:25"]);
  });
});

describe("a router that fails", () => {
  test.each([
    [
      "throws in getNextHop",
      () =>
        router(() => {
          throw new Error("broken");
        }),
    ],
    ["answers nonsense", () => always("elsewhere")],
    ["names no host", () => always({ host: "bad host\r\nRSET" })],
    ["names no port", () => always({ host: "hub.example", port: 0 })],
    ["gives no reply", () => always({ unreachable: "200 fine" })],
    ["answers with a promise", () => always(Promise.resolve("local"))],
    ["names no next hop type", () => always({ type: 6, address: "hub.example" })],
    ["is unreachable with a reply that says later", () => always({ type: 3, reply: "450 4.4.1 later" })],
    ["has a type that is none", () => router(() => "local", { getMessageType: () => -1 })],
    [
      "throws when asked for its router",
      () => () => {
        throw new Error("broken");
      },
    ],
    ["is late", () => () => new Promise<void>(() => undefined)],
  ])("and %s keeps the message waiting; it is routed again", async (_name, sink) => {
    let isFixed = false;
    const broken = sink();
    await using house = await openHouse({
      routerSinks: [(subject) => (isFixed || subject.kind !== "route" ? undefined : broken(subject))],
    });
    await house.accept(["a@far.example"]);
    await house.clock.advance(MINUTE);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]?.reason).toMatch(/^451 4\.4\.0|^451 4\.4/);
    expect(house.queue[0]?.nextAttempt).toBeGreaterThanOrEqual(house.clock.now());
    expect(house.world.sent).toEqual([]);
    isFixed = true;
    await house.clock.advance(2 * MINUTE);
    await house.empty();
    expect(house.world.to("far.example")).toHaveLength(1);
  });

  test("counts as not there when its binding says continue", async () => {
    await using house = await openHouse({
      onError: "continue",
      routerSinks: [
        (subject) => {
          if (subject.kind === "route") subject.router = { getNextHop: () => ({ host: "half.example" }) };
          throw new Error("broken");
        },
      ],
    });
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(house.world.to("far.example")).toHaveLength(1);
  });
});

describe("links", () => {
  const watching = (told: LinkState[], use: (links: LinkControl) => void) => (subject: RouterSubject) => {
    if (subject.kind === "link") told.push(subject.link);
    else use(subject.links);
  };

  test("that go down and come back are told to the sinks", async () => {
    const told: LinkState[] = [];
    await using house = await openHouse({ routerSinks: [watching(told, () => undefined)] });
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["a@far.example"]);
    await until(() => told.length === 1);
    house.world.answers.delete("far.example");
    await house.clock.advance(MINUTE + 200);
    await house.empty();
    expect(told).toMatchObject([
      { nextHop: "far.example", isUp: false, failures: 1 },
      { nextHop: "far.example", isUp: true, failures: 0 },
    ]);
  });

  test("are told to the sinks of their virtual server only", async () => {
    const told: string[] = [];
    await using house = await openHouse();
    const telling = (server: string) =>
      systemChain("OnGetMessageRouter", [(subject) => void told.push(`${server} ${subject.kind}`)]).sinks.map(
        (sink) => ({ ...sink, binding: { ...sink.binding, server } }),
      );
    const both = new SystemChain([...telling("default"), ...telling("other")]);
    house.chains = { ...house.chains, router: both };
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["a@far.example"]);
    await until(() => told.includes("default link"));
    expect(told.filter((text) => text.startsWith("other"))).toEqual([]);
  });

  test("that a sink sets down stay so over a reload, and in a queue that comes later", async () => {
    let links: LinkControl | undefined;
    const sink = (subject: RouterSubject): void => void (links = subject.links);
    await using house = await openHouse({ routerSinks: [sink] });
    await house.accept(["a@near.example"]);
    await house.empty();
    links?.down("far.example", HOUR);
    await house.accept(["a@far.example"]);
    await until(() => house.queue.length === 1);
    house.transport.reconfigure(house.live());
    await house.clock.advance(30 * MINUTE);
    expect(house.world.attempts).toEqual(["near.example"]);
    await house.clock.advance(31 * MINUTE);
    await house.empty();
    expect(house.world.attempts).toEqual(["near.example", "far.example"]);
  });

  test("that a sink sets down keep their mail waiting until the time is over or a sink sets them up", async () => {
    let control: LinkControl | undefined;
    await using house = await openHouse({
      routerSinks: [
        watching([], (links) => {
          if (control === undefined) links.down("Far.example", HOUR);
          control = links;
        }),
      ],
    });
    await house.accept(["a@far.example"]);
    await house.accept(["b@near.example"]);
    await until(() => house.world.sent.length === 1);
    expect(house.world.attempts).toEqual(["near.example"]);
    expect(house.queue[0]).toMatchObject({ state: "retry" });
    control?.up("far.example");
    await house.empty();
    control?.down("far.example", HOUR);
    await house.accept(["c@far.example"]);
    await house.clock.advance(HOUR + 1000);
    await house.empty();
    expect(house.world.to("far.example")).toHaveLength(2);
    expect(() => control?.down("far.example", Number.NaN)).toThrow(RangeError);
  });

  test("a reset routes what waits anew, and asking for one each time does not keep the service busy", async () => {
    let calls = 0;
    let hop = "old.example";
    let control: LinkControl | undefined;
    await using house = await openHouse({
      routerSinks: [
        (subject) => {
          if (subject.kind !== "route") return;
          calls += 1;
          control = subject.links;
          subject.links.reset();
          subject.router = { getNextHop: () => ({ domain: hop }) };
        },
      ],
    });
    house.world.answers.set("old.example", () => unreachable());
    await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.queue === "old.example" && house.world.attempts.length === 1);
    await house.clock.advance(10_000);
    expect(calls).toBeLessThan(20);
    hop = "new.example";
    control?.reset();
    await house.clock.advance(2000);
    await house.empty();
    expect(house.world.to("new.example")).toHaveLength(1);
  });
});

describe("the state of a link", () => {
  const onFailure = (change: (subject: LinkContext) => void) => (subject: RouterSubject) => {
    if (subject.kind === "link" && !subject.link.isUp) change(subject);
  };

  test("is steered by the notice: the next attempt, and no retry at all until retries are enabled", async () => {
    let control: LinkControl | undefined;
    let isPatient = true;
    await using house = await openHouse({
      routerSinks: [
        onFailure((subject) => {
          control = subject.links;
          expect(subject.link.flags & linkFlag.retryEnabled).toBe(1);
          if (isPatient) subject.nextAttempt = (subject.link.nextAttempt ?? 0) + HOUR;
          else subject.unset = linkFlag.retryEnabled;
          isPatient = false;
        }),
      ],
    });
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["a@far.example"]);
    await until(() => house.world.attempts.length === 1);
    await house.clock.advance(30 * MINUTE);
    expect(house.world.attempts).toHaveLength(1);
    await house.clock.advance(HOUR);
    await until(() => house.world.attempts.length === 2);
    // The second failure is the last one that counts.
    await house.clock.advance(HOUR);
    house.world.answers.clear();
    await house.clock.advance(3 * HOUR);
    expect(house.world.sent).toEqual([]);
    control?.setState("FAR.example", linkFlag.retryEnabled);
    await house.empty();
    expect(house.world.to("far.example")).toHaveLength(1);
  });

  test("halts a next hop: its queues are frozen by the router until the flag is unset, whoever forces or thaws them", async () => {
    let control: LinkControl | undefined;
    await using house = await openHouse({
      routerSinks: [(subject) => void (control = subject.links)],
    });
    await house.accept(["a@far.example"]);
    await house.empty();
    control?.setState("far.example", linkFlag.adminHalt);
    await house.accept(["b@far.example"]);
    house.transport.reconfigure(house.live());
    await house.clock.advance(HOUR);
    control?.setState("far.example", linkFlag.forceConnection);
    const { admin } = house.transport;
    admin.force("far.example");
    admin.retry([]);
    expect(await admin.thaw("far.example")).toBe(false);
    expect(house.queue[0]).toMatchObject({ state: "frozen", reason: expect.stringContaining("router") });
    expect(summaryOf(house, "far.example")).toMatchObject({ messages: 1, frozen: true, frozenBy: "router" });
    await admin.freeze("far.example");
    control?.setState("far.example", 0, linkFlag.adminHalt);
    expect(summaryOf(house, "far.example")).toMatchObject({
      messages: 1,
      frozen: true,
      frozenBy: "operator",
    });
    await house.clock.advance(MINUTE);
    expect(house.world.to("far.example")).toHaveLength(1);
    await admin.thaw("far.example");
    await house.empty();
  });

  test("halts a next hop that nothing waits for: it is listed, and what comes later waits", async () => {
    let control: LinkControl | undefined;
    await using house = await openHouse({
      routerSinks: [(subject) => void (control = subject.links)],
    });
    await house.accept(["a@near.example"]);
    await house.empty();
    control?.setState("Far.example", linkFlag.adminHalt);
    expect(summaryOf(house, "far.example")).toMatchObject({ messages: 0, frozen: true, frozenBy: "router" });
    await house.accept(["b@far.example"]);
    await until(() => house.queue[0]?.state === "frozen");
    expect(summaryOf(house, "far.example")).toMatchObject({ messages: 1, frozen: true, frozenBy: "router" });
    control?.setState("far.example", 0, linkFlag.adminHalt);
    await house.empty();
    expect(summaryOf(house, "far.example")).toBeUndefined();
  });

  test("may halt the next hop on the notice that it failed", async () => {
    let control: LinkControl | undefined;
    await using house = await openHouse({
      routerSinks: [
        onFailure((subject) => {
          control = subject.links;
          subject.set = linkFlag.adminHalt;
        }),
      ],
    });
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "frozen");
    house.world.answers.clear();
    await house.clock.advance(2 * HOUR);
    expect(house.world.sent).toEqual([]);
    control?.setState("far.example", 0, linkFlag.adminHalt);
    await house.empty();
  });

  test("has a next hop tried at once when a connection is forced", async () => {
    let control: LinkControl | undefined;
    await using house = await openHouse({
      routerSinks: [(subject) => void (control = subject.links)],
    });
    await house.accept(["a@far.example"]);
    await house.empty();
    control?.down("far.example", HOUR);
    await house.accept(["c@far.example"]);
    await house.clock.advance(MINUTE);
    expect(house.world.to("far.example")).toHaveLength(1);
    control?.setState("far.example", linkFlag.forceConnection);
    await house.empty();
    expect(house.world.to("far.example")).toHaveLength(2);
  });

  test("a reset of message types has routers asked for them anew", async () => {
    let type = 1;
    let control: LinkControl | undefined;
    await using house = await openHouse({
      routerSinks: [
        (subject) => {
          control = subject.links;
          if (subject.kind === "route")
            subject.router = { getMessageType: () => type, getNextHop: () => ({ host: "hub.example" }) };
        },
      ],
    });
    house.world.answer = () => unreachable();
    await house.accept(["a@far.example"]);
    await until(
      () => house.queue[0]?.queue === "hub.example:25 (type 1)" && house.world.attempts.length === 1,
    );
    type = 2;
    control?.reset();
    await house.clock.advance(2000);
    expect(house.queue[0]?.queue).toBe("hub.example:25 (type 1)");
    control?.reset("messageTypes");
    await house.clock.advance(2000);
    expect(house.queue[0]?.queue).toBe("hub.example:25 (type 2)");
  });
});

test("mail that a script sends through a server goes there, whatever routers say", async () => {
  await using house = await openHouse({ routerSinks: [always({ host: "never.example" })] });
  await house.accept(["a@far.example"], { nextHop: "named.example:2525" });
  await house.empty();
  expect(house.world.sent.map(({ key }) => key)).toEqual(["named.example:2525"]);
});
