import PostalMime from "postal-mime";
import { expect, test } from "vitest";
import type { Recipient } from "../../../../src/core/envelope.ts";
import { ownReply, reply } from "../../../../src/core/reply.ts";
import { Content } from "../../../../src/message/content.ts";
import type { DsnKind } from "../../../../src/transport/reports/dsn-text.ts";
import { composeDsn, reportsDue, type DsnRequest } from "../../../../src/transport/reports/dsn.ts";

const ORIGINAL = "From: alice@example.com\r\nSubject: secret\r\n\r\nThe body\r\n";

function request(kind: DsnKind, parts: Partial<DsnRequest> = {}, text = ORIGINAL): DsnRequest {
  return {
    kind,
    original: {
      envelope: { sender: "alice@example.com", recipients: [], envelopeId: "env-1" },
      origin: { via: "smtp", arrivalTime: 0, server: "default", heloDomain: "client.example" },
      content: Content.fromBuffer(Buffer.from(text)),
    },
    recipients: [
      {
        recipient: { address: "bob@example.net", originalRecipient: "rfc822;robert@example.net" },
        reply: reply(550, "1.1", "No such user"),
        remoteMta: "mx.example.net",
        lastAttempt: 1000,
      },
    ],
    reportingMta: "relay.example",
    now: 86_400_000,
    id: "abc-1",
    ...parts,
  };
}

const textOf = async (of: DsnRequest): Promise<string> =>
  (await composeDsn(of).content.toBuffer()).toString();

test("Q06 a failure is a multipart/report from the null sender with the original attached", async () => {
  const dsn = composeDsn(request("failed"));
  expect(dsn.envelope.sender).toBe("");
  expect(dsn.envelope.recipients.map(({ address }) => address)).toEqual(["alice@example.com"]);
  const bytes = await dsn.content.toBuffer();
  const parsed = await PostalMime.parse(bytes);
  expect(parsed.headers.find(({ key }) => key === "auto-submitted")?.value).toBe("auto-replied");
  expect(parsed.from?.address).toBe("postmaster@relay.example");
  expect(parsed.text).toContain("<bob@example.net>");
  expect(bytes.toString()).toContain(
    [
      "Content-Type: message/delivery-status",
      "",
      "Reporting-MTA: dns; relay.example",
      "Original-Envelope-Id: env-1",
      "Received-From-MTA: dns; client.example",
      "Arrival-Date: Thu, 01 Jan 1970 00:00:00 +0000",
      "",
      "Original-Recipient: rfc822;robert@example.net",
      "Final-Recipient: rfc822;bob@example.net",
      "Action: failed",
      "Status: 5.1.1",
      "Remote-MTA: dns; mx.example.net",
      "Diagnostic-Code: smtp; 550 5.1.1 No such user",
      "Last-Attempt-Date: Thu, 01 Jan 1970 00:00:01 +0000",
      "",
    ].join("\r\n"),
  );
  expect(bytes.toString()).toContain(
    `Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${ORIGINAL}\r\n--`,
  );
});

test("Q06 headers alone are returned for RET=HDRS, for large originals, and when it is no failure", async () => {
  const base = request("failed");
  const large = Content.fromBuffer(Buffer.from(ORIGINAL + "x".repeat(1024 * 1024)));
  const hdrs = { ...base.original, envelope: { ...base.original.envelope, returnContent: "HDRS" as const } };
  for (const one of [
    request("failed", { original: hdrs }),
    request("failed", { original: { ...base.original, content: large } }),
    request("delayed"),
  ]) {
    const text = await textOf(one);
    expect(text).toContain("text/rfc822-headers");
    expect(text).toContain("Subject: secret");
    expect(text).not.toContain("The body");
  }
});

test("a delay says until when, and that nothing has to be done", async () => {
  const base = request("delayed").recipients[0];
  if (base === undefined) throw new Error("no recipient");
  const text = await textOf(
    request("delayed", {
      recipients: [{ ...base, reply: reply(451, "4.1", "no"), willRetryUntil: 172_800_000 }],
    }),
  );
  expect(text).toContain("Action: delayed\r\nStatus: 4.4.1");
  expect(text).toContain("Will-Retry-Until: Sat, 03 Jan 1970 00:00:00 +0000");
  expect(text).toContain("do not have to send it again");
});

test("hostile text of a peer makes no field of its own and is capped (H11)", async () => {
  const hostile = `x\r\nAction: delivered\r\n\r\n--=_dsn\u0000\u001b[31m${"z".repeat(1_000_000)}`;
  const base = request("failed").recipients[0];
  if (base === undefined) throw new Error("no recipient");
  const recipients = [{ ...base, reply: reply(550, "1.1", hostile), remoteMta: "a\r\nStatus: 2.0.0" }];
  const text = await textOf(request("failed", { recipients }));
  expect(text.match(/^Action: .*/gm)).toEqual(["Action: failed"]);
  expect(text.match(/^Status: .*/gm)).toEqual(["Status: 5.1.1"]);
  expect(text.length).toBeLessThan(5000);
  expect(Math.max(...text.split("\r\n").map((line) => line.length))).toBeLessThan(998);
  expect(text).not.toMatch(/[^\r]\n|\r[^\n]/);
});

// RFC 3464 §2.3.6
test("what we say of a next hop that cannot be reached is not passed off as its reply", async () => {
  const own = ownReply(421, "4.1", "connect ECONNREFUSED");
  const recipients = request("delayed").recipients.map((one) => ({ ...one, reply: own }));
  const text = await textOf(request("delayed", { recipients }));
  expect(text).toContain("at mx.example.net: 421 4.4.1 connect ECONNREFUSED\r\n");
  expect(text).toContain("Remote-MTA: dns; mx.example.net\r\nDiagnostic-Code: X-OnArrival; 421 4.4.1 ");
  expect(text).not.toContain(" said: ");
});

// RFC 3464 §2.3.5
test.each([
  ["mx.example.net [192.0.2.1]:25", "mx.example.net"],
  ["192.0.2.1:2525", "[192.0.2.1]"],
  ["2001:db8::1:25", "[IPv6:2001:db8::1]"],
  ["/run/lmtp.sock", undefined],
])(
  "Q06 the next hop %s is the Remote-MTA %s, and what it said is its diagnostic code",
  async (remoteMta, name) => {
    const recipients = request("failed").recipients.map((one) => ({ ...one, remoteMta }));
    const text = await textOf(request("failed", { recipients }));
    expect(/^Remote-MTA: dns; (.*)\r$/m.exec(text)?.[1]).toBe(name);
    expect(text).toContain("Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n");
    expect(text).toContain(`${remoteMta} said: 550 5.1.1 No such user\r\n`);
  },
);

test("UTF-8 addresses use the forms of RFC 6533", async () => {
  const recipients = [{ recipient: { address: "jürgen@example.net" }, reply: reply(550, "1.1", "no") }];
  const dsn = composeDsn(request("failed", { recipients }));
  expect(dsn.envelope.smtpUtf8).toBe(true);
  const text = (await dsn.content.toBuffer()).toString();
  expect(text).toContain("message/global-delivery-status");
  expect(text).toContain("Final-Recipient: utf-8;jürgen@example.net");
});

test.each<[string, Recipient["notify"], DsnKind, boolean]>([
  ["a@x.example", undefined, "failed", true],
  ["a@x.example", undefined, "delayed", true],
  ["a@x.example", undefined, "delivered", false],
  ["a@x.example", ["NEVER"], "failed", false],
  ["a@x.example", ["SUCCESS"], "failed", false],
  ["a@x.example", ["SUCCESS"], "relayed", true],
  ["a@x.example", ["FAILURE"], "delayed", false],
  ["a@x.example", ["DELAY", "FAILURE"], "delayed", true],
  ["", ["SUCCESS", "FAILURE", "DELAY"], "failed", false],
])("sender <%s> with NOTIFY %s on %s: report due is %s (N09)", (sender, notify, kind, due) => {
  expect(reportsDue(sender, { address: "b@x.example", notify }, kind)).toBe(due);
});

test("what had to be kept from others is reported so, and neither it nor binary content is returned (RFC 8689)", async () => {
  const base = request("failed").original;
  const secret = request("failed", {
    original: { ...base, envelope: { ...base.envelope, requireTls: true } },
  });
  const binary = request("failed", {
    original: { ...base, envelope: { ...base.envelope, body: "BINARYMIME" } },
  });
  expect(composeDsn(secret).envelope.requireTls).toBe(true);
  expect(composeDsn(request("failed")).envelope.requireTls).toBeUndefined();
  for (const one of [secret, binary]) {
    expect(await textOf(one)).toContain("Subject: secret");
    expect(await textOf(one)).not.toContain("The body");
  }
});
