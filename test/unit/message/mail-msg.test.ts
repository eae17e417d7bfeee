import { describe, expect, test } from "vitest";
import { Content } from "../../../src/message/content.ts";
import { MailMsg } from "../../../src/message/mail-msg.ts";

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
