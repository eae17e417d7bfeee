// What a sandbox process claims that a script sent is checked as input from an enemy, and what passes gets its guard.
import { describe, expect, test } from "vitest";
import { DEFAULT_SCRIPT_LIMITS, type ScriptCall } from "../../../../runtime/contract.ts";
import type { Envelope } from "../../../../src/core/envelope.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { Content } from "../../../../src/message/content.ts";
import { MailMsg } from "../../../../src/message/mail-msg.ts";
import { addSent, hopsOf } from "../../../../src/sandbox/capabilities/sent-messages.ts";
import { checkDone } from "../../../../src/sandbox/pool/outcome-validation.ts";
import type { JobTask, SentMessage } from "../../../../src/sandbox/pool/tasks.ts";
import { NO_ENVELOPE } from "../../../support/no-envelope.ts";

const taskOf = (call: Partial<ScriptCall>): JobTask => ({
  kind: "job",
  messageId: "m",
  content: Content.fromBuffer(Buffer.from("A: b\r\n\r\n")),
  envelope: NO_ENVELOPE,
  calls: [
    {
      version: "v",
      bindingName: "b",
      sinkProperties: "{}",
      limits: DEFAULT_SCRIPT_LIMITS,
      allow: { send: true },
      cacheable: true,
      continueOnFault: false,
      ...call,
    },
  ],
  bundles: [],
});

const GOOD = { sender: "a@example.com", recipients: ["b@example.com"], notify: 0, length: 4 };

const check = (sent: unknown, call: Partial<ScriptCall> = {}, outcome: object = {}): unknown =>
  checkDone(
    { outcomes: [{ verdict: 0, logs: [], logsDropped: 0, micros: 1, readBody: false, sent, ...outcome }] },
    Buffer.from("mail"),
    taskOf(call),
    { pid: 1, job: 1 },
  );

describe("a sent message of an outcome", () => {
  test("is taken over with its bytes", () => {
    expect(check([GOOD])).toMatchObject([
      {
        sent: [
          { sender: "a@example.com", recipients: ["b@example.com"], notify: 0, bytes: Buffer.from("mail") },
        ],
      },
    ]);
  });

  test.each<[string, unknown, Partial<ScriptCall>, object]>([
    ["without the capability", [GOOD], { allow: {} }, {}],
    ["beside a fault", [GOOD], {}, { fault: { kind: "throw", message: "x" } }],
    ["that is no list", GOOD, {}, {}],
    ["too many", Array.from({ length: 11 }, () => ({ ...GOOD, length: 0 })), {}, {}],
    ["without recipients", [{ ...GOOD, recipients: [] }], {}, {}],
    ["to what is no address", [{ ...GOOD, recipients: ["a b"] }], {}, {}],
    ["from what is no address", [{ ...GOOD, sender: "x\r\ny" }], {}, {}],
    ["with unknown report options", [{ ...GOOD, notify: 16 }], {}, {}],
    ["longer than its bytes", [{ ...GOOD, length: 5 }], {}, {}],
    ["that leaves bytes over", [{ ...GOOD, length: 3 }], {}, {}],
    ["beyond the limit of growth", [GOOD], { limits: { ...DEFAULT_SCRIPT_LIMITS, growthBytes: 3 } }, {}],
  ])("is a violation: %s", (_what, sent, call, outcome) => {
    expect(() => check(sent, call, outcome)).toThrow(/malformed frame/);
  });
});

describe("submission", () => {
  const message: SentMessage = {
    sender: "a@example.com",
    recipients: ["b@example.com"],
    notify: 14,
    bytes: Buffer.from("Subject: x\r\n\r\n"),
  };
  const submit = async (
    header: string,
    script = "s.js",
    bytes = message.bytes,
  ): Promise<[MailMsg, string][]> => {
    const origin = { via: "smtp", arrivalTime: 1, server: "default", clientAddress: "192.0.2.1" } as const;
    const envelope: Envelope = { sender: "", recipients: [{ address: "x@example.com" }] };
    const msg = new MailMsg("m", origin, envelope, Content.fromBuffer(Buffer.from(header)));
    const parts = { nextId: () => "n", now: () => 2 };
    addSent(
      msg,
      { messages: [{ ...message, bytes }], script, hops: 3 },
      Buffer.from(header),
      parts,
      silentLogger,
    );
    return Promise.all(
      msg.forks.map(async (fork) => [fork, (await fork.content.toBuffer()).toString()] as [MailMsg, string]),
    );
  };

  test("leads the message with its guard and asks for the reports", async () => {
    const [[sent, text] = []] = await submit("");
    expect(sent).toMatchObject({
      id: "n",
      resumeAt: 0,
      origin: { via: "pickup", arrivalTime: 2, server: "default" },
    });
    expect(sent?.envelope).toEqual({
      sender: "a@example.com",
      recipients: [{ address: "b@example.com", notify: ["FAILURE", "SUCCESS", "DELAY"] }],
      body: "8BITMIME",
    });
    expect(text).toBe("X-OnArrival-Sent-By: s.js; hops=1\r\nSubject: x\r\n\r\n");
  });

  test("needs SMTPUTF8 for an address in its header", async () => {
    const [[sent] = []] = await submit("", "s.js", Buffer.from("Reply-To: jürgen@example.com\r\n\r\n"));
    expect(sent?.envelope.smtpUtf8).toBe(true);
  });

  test("counts on from the most that the message says, and ends there", async () => {
    const two = "X-OnArrival-Sent-By: a; hops=2\r\nx-onarrival-sent-by: b; hops=1\r\n";
    expect((await submit(two))[0]?.[1]).toContain("hops=3");
    expect(await submit(two.replace("=2", "=3"))).toEqual([]);
    expect(hopsOf(Buffer.from(`Subject: X-OnArrival-Sent-By: a; hops=9\r\n`))).toBe(0);
  });

  test("a script's name cannot make a header field", async () => {
    expect((await submit("", "a\r\nBcc: x"))[0]?.[1]).toMatch(
      /^X-OnArrival-Sent-By: a__Bcc__x; hops=1\r\nSubject/,
    );
  });
});
