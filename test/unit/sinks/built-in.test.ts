import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { messageStatus, sinkResult } from "../../../src/core/status.ts";
import { type SinkProperties, createBinding } from "../../../src/events/binding.ts";
import { type SinkContext, createPropertyBag } from "../../../src/events/sink.ts";
import { Content } from "../../../src/message/content.ts";
import { MailMsg } from "../../../src/message/mail-msg.ts";
import addHeader from "../../../src/sinks/add-header.ts";
import limitRecipients from "../../../src/sinks/limit-recipients.ts";
import { allocPropertyIds } from "../../support/property-ids.ts";

const context = (properties: SinkProperties): SinkContext => ({
  properties: createPropertyBag(properties),
  log: silentLogger,
  binding: createBinding({ displayName: "x", event: "OnTransportSubmission", sinkClass: "x" }),
  nextMessageId: () => "ID",
  allocPropertyIds,
});

const message = (recipients: number): MailMsg =>
  new MailMsg(
    "ID",
    { via: "smtp", arrivalTime: 0, server: "inbound" },
    {
      sender: "a@example.com",
      recipients: Array.from({ length: recipients }, (_, index) => ({ address: `u${index}@example.com` })),
    },
    Content.fromBuffer(Buffer.from("Subject: x\r\n\r\nbody\r\n")),
  );

const headerOf = (msg: MailMsg): string => msg.content.header.toString("latin1");

describe("add-header", () => {
  test("adds the name of the virtual server as X-Relay by default", () => {
    const msg = message(1);
    expect(addHeader.onEvent(msg, context({}))).toBe(sinkResult.runNext);
    expect(headerOf(msg)).toContain("X-Relay: inbound\r\n");
    expect(headerOf(msg)).toContain("Subject: x\r\n");
  });

  test("adds the field that its properties name, beside one that is there", () => {
    const msg = message(1);
    const choice = context({ name: "X-Seen", value: "yes" });
    void addHeader.onEvent(msg, choice);
    void addHeader.onEvent(msg, choice);
    expect(headerOf(msg).match(/X-Seen: yes/g)).toHaveLength(2);
  });
});

describe("limit-recipients", () => {
  test("lets a message with as many recipients as allowed pass", () => {
    const msg = message(50);
    expect(limitRecipients.onEvent(msg, context({}))).toBe(sinkResult.runNext);
    expect(msg.status).toBe(messageStatus.success);
  });

  test("sends one with more to Badmail, or discards it when told to", () => {
    const toBadmail = message(51);
    expect(limitRecipients.onEvent(toBadmail, context({}))).toBe(sinkResult.skipRemaining);
    expect(toBadmail.status).toBe(messageStatus.badMail);
    const discarded = message(3);
    void limitRecipients.onEvent(discarded, context({ maxRecipients: 2, action: "discard" }));
    expect(discarded.status).toBe(messageStatus.abortDelivery);
  });

  test("writes the count where it is asked for", () => {
    const msg = message(3);
    void limitRecipients.onEvent(msg, context({ countHeader: "X-Count" }));
    expect(headerOf(msg)).toContain("X-Count: 3\r\n");
  });

  test("refuses a limit that is no number", () => {
    expect(() => limitRecipients.onEvent(message(1), context({ maxRecipients: "many" }))).toThrow(RangeError);
  });
});
