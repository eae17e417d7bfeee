// What sinks write into a message and its recipients, and what the transport makes of it (REFERENCE 4.6).
import { describe, expect, test } from "vitest";
import type { Recipient } from "../../../src/core/envelope.ts";
import { messageStatus, type MessageStatus } from "../../../src/core/status.ts";
import type { BoundSink } from "../../../src/events/sink.ts";
import { SinkChain } from "../../../src/events/dispatcher.ts";
import { IMMPID } from "../../../src/message/properties.ts";
import { recipientFlags } from "../../../src/message/recipient-flags.ts";
import {
  type QueuedMessage,
  applyState,
  createQueuedMessage,
} from "../../../src/transport/queued-message.ts";
import {
  HOUR,
  MINUTE,
  accepted,
  type House,
  nativeSink,
  openHouse,
  unreachable,
  until,
} from "./transport-house.ts";

/** Gives the first recipient flags, and a status text when there is one; reports are left alone. */
const marking = (flags: number, status?: string): BoundSink<string> =>
  nativeSink((msg) => {
    if (msg.origin.via === "dsn") return;
    const properties = msg.recipients.propertiesOf(0);
    properties.put(IMMPID.RP_RECIPIENT_FLAGS, properties.get(IMMPID.RP_RECIPIENT_FLAGS) + flags);
    if (status !== undefined) properties.put(IMMPID.RP_SMTP_STATUS_STRING, status);
  });

/** The reports that went out, as text. */
const reports = (house: House): string[] => house.world.to("client.example").map(({ text }) => text);

const asking = (address: string): Recipient => ({ address, notify: ["SUCCESS", "FAILURE"] });

describe("a recipient that a sink marks", () => {
  test("as failed is reported with the sink's own words, and the others are delivered", async () => {
    await using house = await openHouse({ sinks: [marking(recipientFlags.failed, "550 5.7.1 Not for you")] });
    await house.accept(["a@far.example", "b@far.example"]);
    await house.empty();
    expect(house.world.to("far.example").map(({ to }) => to)).toEqual([["b@far.example"]]);
    expect(reports(house)).toHaveLength(1);
    expect(reports(house)[0]).toMatch(/^Action: failed\r$/m);
    expect(reports(house)[0]).toContain("5.7.1 Not for you");
    expect(house.transport.counts.recipients).toMatchObject({ bounced: 1 });
  });

  test("is one of all that are marked alike: each has its place in the one report, and its end", async () => {
    const failing = nativeSink((msg) => {
      if (msg.origin.via === "dsn") return;
      for (const [at] of msg.recipients.items.entries())
        msg.recipients.propertiesOf(at).put(IMMPID.RP_RECIPIENT_FLAGS, recipientFlags.failed);
    });
    await using house = await openHouse({ sinks: [failing] });
    await house.accept(["a@far.example", "b@far.example", "c@far.example"]);
    await house.empty();
    expect(reports(house)).toHaveLength(1);
    expect(reports(house)[0]?.match(/^Final-Recipient: .*$/gm)).toHaveLength(3);
    expect(house.transport.counts.recipients).toMatchObject({ bounced: 3 });
  });

  test.each([
    ["unresolved fails as unknown", recipientFlags.unresolved, /^Action: failed\r$/m, /^Status: 5\.1\.1/m],
    ["failed without words", recipientFlags.failed, /^Action: failed\r$/m, /^Status: 5\.0\.0/m],
    [
      "delivered is reported as such",
      recipientFlags.delivered,
      /^Action: delivered\r$/m,
      /^Status: 2\.0\.0/m,
    ],
    ["expanded is reported as such", recipientFlags.expanded, /^Action: expanded\r$/m, /^Status: 2\.1\.5/m],
  ])("%s, to a sender that asked for it", async (_name, flags, action, status) => {
    await using house = await openHouse({ sinks: [marking(flags)] });
    await house.accept([asking("a@far.example")]);
    await house.empty();
    expect(house.world.to("far.example")).toEqual([]);
    expect(reports(house)).toEqual([expect.stringMatching(action)]);
    expect(reports(house)[0]).toMatch(status);
  });

  test.each([
    ["handled is discarded, and nobody is told", recipientFlags.handled, "discarded"],
    [
      "failed, with its report made, is not reported again",
      recipientFlags.failed + recipientFlags.dsnHandled,
      "bounced",
    ],
  ] as const)("%s", async (_name, flags, state) => {
    await using house = await openHouse({ sinks: [marking(flags)] });
    await house.accept([asking("a@far.example")]);
    await house.empty();
    expect(house.world.sent).toEqual([]);
    expect(house.transport.counts.recipients).toMatchObject({ [state]: 1 });
  });

  test("as failed stays so over a crash, and its report is neither lost nor made twice", async () => {
    await using house = await openHouse({ sinks: [marking(recipientFlags.failed)] });
    house.world.answers.set("client.example", () => unreachable());
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["a@far.example", "b@far.example"]);
    await until(() => house.queue.some(({ sender }) => sender === ""));
    await using next = await house.crash({ sinks: [] });
    house.world.answers.clear();
    await next.clock.advance(HOUR);
    await next.empty();
    expect(reports(next)).toHaveLength(1);
    expect(next.world.to("far.example").map(({ to }) => to)).toEqual([["b@far.example"]]);
  });

  test("with another domain takes that domain's route under its own address", async () => {
    const rerouting = nativeSink((msg) =>
      msg.recipients.propertiesOf(0).put(IMMPID.RP_DOMAIN, "gateway.example"),
    );
    await using house = await openHouse({ sinks: [rerouting] });
    await house.accept(["a@far.example", "b@far.example"]);
    await house.empty();
    expect(house.world.to("gateway.example").map(({ to }) => to)).toEqual([["a@far.example"]]);
    expect(house.world.to("far.example").map(({ to }) => to)).toEqual([["b@far.example"]]);
  });
});

describe("the times that a sink sets", () => {
  test("for the delay notice and the end count in place of the settings", async () => {
    const setting = nativeSink((msg) => {
      const after = (ms: number): Date => new Date(msg.arrivalTime.getTime() + ms);
      msg.properties.put(IMMPID.MP_EXPIRE_DELAY, after(5 * MINUTE));
      msg.properties.put(IMMPID.MP_EXPIRE_NDR, after(30 * MINUTE));
    });
    await using house = await openHouse({ sinks: [setting] });
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["a@far.example"]);
    await house.clock.advance(10 * MINUTE);
    await until(() => reports(house).length === 1);
    expect(reports(house)[0]).toMatch(/^Action: delayed\r$/m);
    await house.clock.advance(25 * MINUTE);
    await until(() => reports(house).length === 2);
    expect(reports(house)[1]).toMatch(/^Action: failed\r$/m);
    await house.empty();
  });
});

describe("what a sink keeps", () => {
  test("with the message and its recipients is there for the sinks after a restart, but for the scratch bits", async () => {
    const seen: unknown[] = [];
    const writing = nativeSink((msg) => {
      msg.properties.put(IMMPID.MP_MSG_GUID, "G1");
      msg.properties.put(IMMPID.MP_ORIGINAL_ARRIVAL_TIME, new Date(1_000));
      msg.properties.put(0x8001, true);
      const properties = msg.recipients.propertiesOf(0);
      properties.put(IMMPID.RP_DISPLAY_NAME, "Anna");
      properties.put(0x8002, 2);
      properties.put(IMMPID.RP_RECIPIENT_FLAGS, 0x8000_0000 + recipientFlags.errorContextCat);
      msg.properties.set("by name", 3);
    });
    const asking4More = nativeSink((msg) => void (msg.status = messageStatus.retry));
    await using house = await openHouse({
      sinks: [writing],
      laterSinks: { OnPreCategorize: [asking4More] },
    });
    await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.queue === "pre-categorization" && house.queue[0].state === "retry");
    const reading = nativeSink((msg) => {
      const properties = msg.recipients.propertiesOf(0);
      seen.push(
        msg.properties.get(IMMPID.MP_MSG_GUID),
        msg.properties.get("MP_ORIGINAL_ARRIVAL_TIME"),
        msg.properties.get(0x8001),
        msg.properties.get("by name"),
        properties.get(IMMPID.RP_DISPLAY_NAME),
        properties.get(0x8002),
        properties.get(IMMPID.RP_RECIPIENT_FLAGS),
      );
    });
    await using next = await house.crash({ sinks: [], laterSinks: { OnPreCategorize: [reading] } });
    await next.clock.advance(HOUR);
    await next.empty();
    expect(seen).toEqual(["G1", new Date(1_000), true, 3, "Anna", 2, recipientFlags.errorContextCat]);
  });

  test("of the reports that the sender asked for is in them, also after a restart", async () => {
    const writing = nativeSink((msg) => {
      if (msg.origin.via === "dsn") return;
      msg.properties.put(IMMPID.MP_DSN_ENVID_VALUE, "NEW+ID");
      msg.properties.put(IMMPID.MP_DSN_RET_VALUE, "HDRS");
    });
    await using house = await openHouse({ sinks: [writing] });
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["a@far.example"], { text: "Subject: x\r\n\r\nnot returned\r\n" });
    await until(() => house.world.attempts.includes("far.example"));
    await until(() => house.queue[0]?.state === "retry");
    await using next = await house.crash({ sinks: [] });
    next.world.answers.set("far.example", (message) => accepted(message, 550, "no such user"));
    await next.clock.advance(HOUR);
    await next.empty();
    expect(reports(next)[0]).toContain("Original-Envelope-Id: NEW+ID");
    expect(reports(next)[0]).not.toContain("not returned");
  });

  test("and deletes again is gone", async () => {
    const seen: unknown[] = [];
    await using house = await openHouse({
      sinks: [nativeSink((msg) => void msg.properties.set("note", 1))],
      laterSinks: {
        OnPreCategorize: [nativeSink((msg) => void msg.properties.delete("note"))],
        OnPostCategorize: [nativeSink((msg) => void seen.push(msg.properties.has("note")))],
      },
    });
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(seen).toEqual([false]);
  });

  test("is not missed in what earlier versions saved", () => {
    const message = createQueuedMessage(
      "M1",
      { via: "smtp", arrivalTime: 1, server: "default", clientAddress: "192.0.2.7" },
      { sender: "a@example.com", recipients: [{ address: "b@example.com" }] },
      undefined,
    );
    // As version 0.1 wrote it: no flags, no properties of recipients.
    applyState(
      message,
      '{"version":1,"phase":"delivery","sender":"a@example.com","size":20,"recipients":[{"address":"b@example.com","notify":["NEVER"],"state":"pending"}],"attempts":1,"delayNoticeSent":false,"resumeAt":0,"properties":{"note":1}}',
    );
    expect(message).toMatchObject({
      phase: "delivery",
      recipients: [{ recipient: { address: "b@example.com", notify: ["NEVER"] }, state: "pending" }],
    } satisfies Partial<Record<keyof QueuedMessage, unknown>>);
    expect(message.properties.get("note")).toBe(1);
  });
});

describe("the status of a message", () => {
  const setting = (status: MessageStatus): BoundSink<string> =>
    nativeSink((msg) => void (msg.status = status));
  const seeing = (seen: string[], name: string): BoundSink<string> =>
    nativeSink((msg) => void seen.push(`${name} ${msg.properties.get(IMMPID.MP_MESSAGE_STATUS)}`));
  const later = (
    seen: string[],
  ): { OnPreCategorize: BoundSink<string>[]; OnPostCategorize: BoundSink<string>[] } => ({
    OnPreCategorize: [seeing(seen, "pre")],
    OnPostCategorize: [seeing(seen, "post")],
  });

  test.each([
    [
      "0 goes on, and later sinks see how far it has come",
      messageStatus.success,
      ["next 0", "pre 4", "post 5"],
    ],
    ["4 passes over the remaining sinks of submission", messageStatus.submitted, ["pre 4", "post 5"]],
    ["5 passes over everything before OnPostCategorize", messageStatus.categorized, ["post 5"]],
  ])("%s", async (_name, status, expected) => {
    const seen: string[] = [];
    await using house = await openHouse({
      sinks: [setting(status), seeing(seen, "next")],
      laterSinks: later(seen),
    });
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(seen).toEqual(expected);
    expect(house.world.sent).toHaveLength(1);
  });

  test("that says less than has been done is nothing new", async () => {
    const seen: string[] = [];
    await using house = await openHouse({
      laterSinks: { OnPostCategorize: [setting(messageStatus.submitted), seeing(seen, "post")] },
    });
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(seen).toEqual(["post 4"]);
  });

  test("6 leaves the message alone, however long and whatever changes, until the service restarts", async () => {
    const abandoning = nativeSink((msg, context) => {
      msg.headers.add("X-Edited", "yes");
      msg.forkForRecipients(context.nextMessageId(), ({ address }) => address.startsWith("b"));
      msg.status = messageStatus.abandonDelivery;
    });
    await using house = await openHouse({ sinks: [abandoning] });
    await house.accept(["a@far.example", "b@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    expect(house.queue).toEqual([
      expect.objectContaining({ reason: expect.stringContaining("until the service restarts") }),
    ]);
    house.chain = new SinkChain([]);
    house.transport.reconfigure(house.live());
    expect(house.transport.admin.retry([])).toBe(0);
    await house.clock.advance(100 * HOUR);
    expect(house.world.attempts).toEqual([]);
    expect(house.queue).toHaveLength(1);
    await using next = await house.crash({ sinks: [] });
    await next.empty();
    expect(next.world.sent.map(({ to, text }) => [to, text.includes("X-Edited")])).toEqual([
      [["a@far.example", "b@far.example"], false],
    ]);
  });

  test("6 ends when somebody releases the message", async () => {
    await using house = await openHouse({ sinks: [setting(messageStatus.abandonDelivery)] });
    const id = await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    expect(house.queue[0]?.advice).toContain(`queue release ${id}`);
    house.chain = new SinkChain([]);
    expect(house.transport.admin.release([id])).toBe(1);
    await house.empty();
    expect(house.world.sent).toHaveLength(1);
  });

  test.each([7, -1, 1.5])("%s does not exist: the sink has failed", async (status) => {
    const wrong = nativeSink((msg) => msg.properties.put(IMMPID.MP_MESSAGE_STATUS, status));
    await using house = await openHouse({ sinks: [wrong] });
    await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    expect(house.queue[0]?.reason).toContain("MP_MESSAGE_STATUS");
  });
});
