import { describe, expect, test } from "vitest";
import { Content } from "../../../src/message/content.ts";
import { MailMsg } from "../../../src/message/mail-msg.ts";
import { hasUtf8Address } from "../../../src/message/utf8-addresses.ts";

const CONTENT = Buffer.from("From: a@example.com\r\nSubject: hello\r\n\r\nbody\r\n");

function message(...to: string[]): MailMsg {
  const recipients = to.map((address) => ({ address, notify: ["NEVER" as const] }));
  const envelope = { sender: "a@example.com", recipients, envelopeId: "E1" };
  return new MailMsg(
    "ID",
    { via: "smtp", arrivalTime: 0, server: "default" },
    envelope,
    Content.fromBuffer(CONTENT),
  );
}

describe("MailMsg", () => {
  test("reading headers leaves the very same content; an edit leaves the body alone", async () => {
    const msg = message("b@example.com");
    const before = msg.content;
    expect(msg.headers.get("subject")).toBe("hello");
    expect(msg.content).toBe(before);
    msg.headers.add("X-Relay", "edge");
    expect((await msg.content.toBuffer()).toString()).toBe(
      "From: a@example.com\r\nSubject: hello\r\nX-Relay: edge\r\n\r\nbody\r\n",
    );
    expect(msg.headers.get("x-relay")).toBe("edge");
  });

  test("H04 an address in UTF-8 that an edit brings makes the message one for SMTPUTF8, and is taken back with it", () => {
    const msg = message("b@example.com");
    const before = msg.snapshot();
    msg.headers.add("X-Note", "Größe");
    msg.headers.set("From", "Jürgen <j@example.com>");
    expect(msg.envelope.smtpUtf8).toBeUndefined();
    msg.headers.set("Reply-To", "jürgen@example.com");
    expect(msg.envelope.smtpUtf8).toBe(true);
    expect(msg.snapshot().envelope.smtpUtf8).toBe(true);
    msg.restore(before);
    expect(msg.envelope).toBe(before.envelope);
  });

  test("8-bit fields that came undeclared stay undeclared", () => {
    const msg = message("b@example.com");
    const before = Content.fromBuffer(Buffer.from("From: jürgen@example.com\r\n\r\n"));
    const arrived = new MailMsg("ID", msg.origin, msg.envelope, before);
    arrived.headers.add("X-Note", "1");
    expect(arrived.envelope.smtpUtf8).toBeUndefined();
  });

  test("the envelope keeps its DSN parameters when addresses change", () => {
    const msg = message("b@example.com", "c@example.com");
    msg.recipients.replaceAddresses(["C@example.com", "new@example.com"]);
    msg.sender = "";
    expect(msg.envelope).toEqual({
      sender: "",
      envelopeId: "E1",
      recipients: [{ address: "C@example.com", notify: ["NEVER"] }, { address: "new@example.com" }],
    });
  });

  test.each(["x\r\nRCPT TO:<y@z>", "a b@c", "<a@b>", "", `${"a".repeat(400)}@b`])(
    "no recipient can be %j",
    (address) => {
      expect(() => message().recipients.add(address)).toThrow(RangeError);
    },
  );

  test("a list under construction takes effect when it is written", () => {
    const msg = message("b@example.com");
    const list = msg.recipients.newList();
    list.addPrimary("one@example.com");
    expect(list.addSecondary("ONE@example.com")).toBe(false);
    expect(list.addSecondary("two@example.com", msg.recipients.items[0])).toBe(true);
    expect(msg.recipients.items.map((recipient) => recipient.address)).toEqual(["b@example.com"]);
    msg.recipients.writeList(list);
    expect(msg.recipients.items).toEqual([
      { address: "one@example.com" },
      { address: "two@example.com", notify: ["NEVER"] },
    ]);
  });

  test("a snapshot takes everything back that a sink may change", async () => {
    const msg = message("b@example.com");
    msg.properties.set("kept", 1);
    const snapshot = msg.snapshot();
    msg.headers.set("Subject", "other");
    msg.recipients.remove("b@example.com");
    msg.sender = "x@example.com";
    msg.status = 3;
    msg.properties.set("lost", true);
    msg.forkForRecipients("FORK00000000000001", () => true);
    msg.restore(snapshot);
    expect((await msg.content.toBuffer()).equals(CONTENT)).toBe(true);
    expect(msg.headers.get("subject")).toBe("hello");
    expect(msg.envelope.recipients).toHaveLength(1);
    expect(msg.sender).toBe("a@example.com");
    expect(msg.status).toBe(0);
    expect([...msg.properties]).toEqual([["kept", 1]]);
    expect(msg.forks).toEqual([]);
  });
});

test.each([
  [true, "To: žižka@localhost\r\n\r\n"],
  [true, "Resent-Reply-To: x\r\nReply-To: B <b@bücher.example>\r\n\r\n"],
  [false, "Subject: č\r\nFrom: Č <c@example.cz> (č)\r\nX-To: č@b\r\n\r\n"],
  [false, "To: b@localhost\r\n\r\n"],
])("SMTPUTF8 %s: %s", (needed, block) => expect(hasUtf8Address(Buffer.from(block))).toBe(needed));
