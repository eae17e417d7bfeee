import { describe, expect, test } from "vitest";
import { Content } from "../../../src/message/content.ts";
import type { OutboundMessage } from "../../../src/smtp/client/destination.ts";
import { createMasquerade } from "../../../src/transport/masquerade.ts";

const masquerade = createMasquerade({
  domain: "shown.example",
  localDomains: ["here.example", "*.here.example", "bücher.example"],
});

const BODY = "From: body@here.example\r\n\r\nyours, a@here.example\r\n";
const OURS = "Received: from client ([127.0.0.1])\r\n\tby here.example;\r\n\tSun, 01 Jan 2026\r\n";
const SMTP = { via: "smtp", arrivalTime: 0, server: "default" } as const;

const messageOf = (header: string, more: Partial<OutboundMessage> = {}): OutboundMessage => ({
  id: "m1",
  sender: "alice@here.example",
  recipients: [{ address: "bob@far.example" }],
  envelope: { sender: "alice@here.example", recipients: [{ address: "bob@far.example" }] },
  content: Content.fromBuffer(Buffer.from(`${header}\r\n${BODY}`)),
  origin: SMTP,
  ...more,
});

const textOf = ({ content }: OutboundMessage): string =>
  Buffer.concat(content.pieces.filter((piece) => Buffer.isBuffer(piece))).toString();

describe("a message that begins its way here", () => {
  test("shows the masquerade domain in MAIL FROM and From, and no other byte is changed", () => {
    const header = `${OURS}From: Alice <alice@HERE.example>\r\nTo: carol@here.example\r\nSender: alice@here.example\r\n`;
    const shown = masquerade.messageOf(messageOf(header));
    expect([shown.sender, shown.envelope.sender]).toEqual(["alice@shown.example", "alice@shown.example"]);
    expect(textOf(shown)).toBe(`${header.replace("alice@HERE.example", "alice@shown.example")}\r\n${BODY}`);
  });

  test.each([
    ["alice@here.example", "alice@shown.example"],
    ["alice@sub.here.example", "alice@shown.example"],
    ["alice@bücher.example", "alice@shown.example"],
    ["alice@far.example", "alice@far.example"],
    ["alice@here.example.net", "alice@here.example.net"],
    [
      '"a@here.example" <a@here.example>,\r\n b@here.example (b@here.example)',
      '"a@here.example" <a@shown.example>,\r\n b@shown.example (b@here.example)',
    ],
    [
      '"x@here.example\\"" <"a@here.example"@here.example>',
      '"x@here.example\\"" <"a@here.example"@shown.example>',
    ],
    ["=?utf-8?Q?a@here.example?= <a@here.example>", "=?utf-8?Q?a@here.example?= <a@shown.example>"],
    ["all: a@here.example,\r\n\tb@here.example;", "all: a@shown.example,\r\n\tb@shown.example;"],
    ['"never closed a@here.example', '"never closed a@here.example'],
  ])("From: %s becomes %s", (before, after) => {
    expect(textOf(masquerade.messageOf(messageOf(`From: ${before}\r\n`)))).toBe(
      `From: ${after}\r\n\r\n${BODY}`,
    );
  });

  test.each([
    [
      "addresses",
      `${"a@here.example, ".repeat(16_000)}b@far.example`,
      /^From: (?:a@shown\.example, ){16000}b@far/,
    ],
    ["labels of a domain", `a@${"a.".repeat(100_000)}here.example`, /a\.here\.example\r\n/],
  ])("costs time that grows with its size only: %s", (_name, from, expected) => {
    const startedAt = performance.now();
    const shown = masquerade.messageOf(messageOf(`From: ${from}\r\n`));
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(expected.test(textOf(shown))).toBe(true);
  });

  test("gets the reports on it at the domain that shows", () => {
    const { content } = messageOf(OURS);
    const to = (sender: string): string => masquerade.senderOf(sender, content, SMTP);
    expect(["alice@here.example", "alice@far.example", ""].map(to)).toEqual([
      "alice@shown.example",
      "alice@far.example",
      "",
    ]);
  });
});

test("a message that other hosts have handed on is left as it is, and so are the reports on it", () => {
  const relayed = messageOf(`${OURS}${OURS}From: alice@here.example\r\n`);
  expect(masquerade.messageOf(relayed)).toBe(relayed);
  expect(masquerade.senderOf(relayed.sender, relayed.content, SMTP)).toBe("alice@here.example");
  const fromPickup = { ...SMTP, via: "pickup", pickupFileName: "one.eml" } as const;
  const pickedUp = messageOf(`${OURS}${OURS}From: alice@here.example\r\n`, { origin: fromPickup });
  expect(masquerade.messageOf(pickedUp)).toBe(pickedUp);
  const sentByScript = messageOf(`${OURS}From: alice@here.example\r\n`, {
    origin: { ...SMTP, via: "pickup" },
  });
  expect(masquerade.messageOf(sentByScript)).toBe(sentByScript);
});

test("what was written into Pickup is at its first hop", () => {
  const origin = { ...SMTP, via: "pickup", pickupFileName: "one.eml" } as const;
  const written = messageOf(`${OURS}From: alice@here.example\r\n`, { origin });
  expect(textOf(masquerade.messageOf(written))).toContain("From: alice@shown.example");
});

test("a From field of a hundred thousand brackets and quotes costs no more than its length", () => {
  const hostile = `From: ${'("'.repeat(50_000)}${"=?".repeat(10_000)}@here.example\r\n`;
  const before = performance.now();
  masquerade.messageOf(messageOf(hostile));
  expect(performance.now() - before).toBeLessThan(2000);
});
