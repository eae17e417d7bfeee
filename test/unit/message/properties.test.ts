import { describe, expect, expectTypeOf, test } from "vitest";
import { OnArrivalError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createBinding } from "../../../src/events/binding.ts";
import { SinkChain, createDispatcher } from "../../../src/events/dispatcher.ts";
import { createPropertyBag } from "../../../src/events/sink.ts";
import { Content } from "../../../src/message/content.ts";
import { MailMsg } from "../../../src/message/mail-msg.ts";
import { IMMPID, MESSAGE_PROPERTIES, RECIPIENT_PROPERTIES } from "../../../src/message/properties.ts";
import { recipientFlags } from "../../../src/message/recipient-flags.ts";
import { FLAG_ROWS, MESSAGE_ROWS, RECIPIENT_ROWS } from "../../fixtures/mailmsg-properties.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { allocPropertyIds } from "../../support/property-ids.ts";

const CONTENT = [
  "Message-ID: <m1@example.com>",
  "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
  "From: =?utf-8?Q?J=C3=B6rg?= <joerg@example.com>",
  "Sender: Desk (front) <desk@example.com>",
  "To: b@example.com",
  "Cc: c@example.com",
  "Bcc: d@example.com",
  "X-Priority: 1 (Highest)",
  "Content-Type: multipart/signed; boundary=x",
  "",
  "a line",
  ".",
  "another",
  "",
].join("\r\n");

const ARRIVAL = Date.UTC(2003, 2, 1, 12);

function message(text = CONTENT): MailMsg {
  return new MailMsg(
    "ID",
    {
      via: "smtp",
      arrivalTime: ARRIVAL,
      server: "edge",
      clientAddress: "192.0.2.7",
      heloDomain: "client.example",
      serverAddress: "192.0.2.1",
      serverPort: 587,
      user: "alice",
      authMechanism: "PLAIN",
      mailFromAuth: "alice@example.com",
      pickupFileName: "a.eml",
    },
    {
      sender: "a@example.com",
      recipients: [
        {
          address: "b@example.com",
          notify: ["SUCCESS", "DELAY"],
          originalRecipient: "rfc822;old@example.com",
        },
        { address: "c@other.example" },
      ],
      body: "8BITMIME",
      envelopeId: "E1",
      returnContent: "HDRS",
    },
    Content.fromBuffer(Buffer.from(text)),
    { limits: { maxProperties: 20, maxPropertyBytes: 4096 }, serverVersion: "9.9.9" },
  );
}

/** Calls the sink as the transport does; a fault of it fails the test. */
async function inSink<Answer>(msg: MailMsg, act: (msg: MailMsg) => Answer): Promise<Answer> {
  const found: Answer[] = [];
  const binding = createBinding({ displayName: "sink", event: "OnTransportSubmission", sinkClass: "test" });
  const context = {
    properties: createPropertyBag({}),
    log: silentLogger,
    binding,
    nextMessageId: () => "",
    allocPropertyIds,
  };
  const chain = new SinkChain([
    {
      kind: "native" as const,
      binding,
      rule: undefined,
      context,
      sink: {
        event: "OnTransportSubmission" as const,
        onEvent: (subject: MailMsg) => void found.push(act(subject)),
      },
    },
  ]);
  const dispatcher = createDispatcher({
    runScripts: () => Promise.reject(new Error("no scripts here")),
    clock: new ManualClock(),
    log: silentLogger,
  });
  expect(await dispatcher.dispatch(chain, msg)).toMatchObject({ kind: expect.not.stringMatching("fault") });
  const [answer] = found;
  if (answer === undefined) throw new Error("the sink was not called");
  return answer;
}

/** The code of what is thrown, or "none". */
function codeOf(act: () => unknown): string {
  try {
    act();
    return "none";
  } catch (thrown) {
    return thrown instanceof OnArrivalError ? thrown.code : String(thrown);
  }
}

/** What a sink reads of the message above; properties that are not here are not there. */
const READ: Readonly<Record<string, unknown>> = {
  MP_SENDER_ADDRESS_SMTP: "a@example.com",
  MP_PICKUP_FILE_NAME: "a.eml",
  MP_CONNECTION_IP_ADDRESS: "192.0.2.7",
  MP_HELO_DOMAIN: "client.example",
  MP_EIGHTBIT_MIME_OPTION: true,
  MP_BINARYMIME_OPTION: false,
  MP_DSN_ENVID_VALUE: "E1",
  MP_DSN_RET_VALUE: "HDRS",
  MP_ARRIVAL_TIME: new Date(ARRIVAL),
  MP_ARRIVAL_FILETIME: new Date(ARRIVAL),
  MP_MESSAGE_STATUS: 0,
  MP_SCANNED_FOR_CRLF_DOT_CRLF: true,
  MP_FOUND_EMBEDDED_CRLF_DOT_CRLF: true,
  MP_MSG_SIZE_HINT: Buffer.byteLength(CONTENT),
  MP_RFC822_MSG_ID: "<m1@example.com>",
  MP_RFC822_MSG_SUBJECT: "Grüße",
  MP_RFC822_FROM_ADDRESS: "Jörg <joerg@example.com>",
  MP_RFC822_TO_ADDRESS: "b@example.com",
  MP_RFC822_CC_ADDRESS: "c@example.com",
  MP_RFC822_BCC_ADDRESS: "d@example.com",
  MP_CONNECTION_SERVER_IP_ADDRESS: "192.0.2.1",
  MP_SERVER_NAME: "edge",
  MP_SERVER_VERSION: "9.9.9",
  MP_NUM_RECIPIENTS: 2,
  MP_X_PRIORITY: 1,
  MP_FROM_ADDRESS: "SMTP:joerg@example.com",
  MP_SENDER_ADDRESS: "SMTP:desk@example.com",
  MP_CONTENT_TYPE: "multipart/signed",
  MP_ENCRYPTION_TYPE: 1,
  MP_CONNECTION_SERVER_PORT: 587,
  MP_CLIENT_AUTH_USER: "alice",
  MP_CLIENT_AUTH_TYPE: "PLAIN",
  MP_INBOUND_MAIL_FROM_AUTH: "alice@example.com",
  RP_DSN_ORCPT_VALUE: "rfc822;old@example.com",
  RP_ADDRESS_SMTP: "b@example.com",
  RP_RECIPIENT_FLAGS: recipientFlags.notifySuccess + recipientFlags.notifyDelay,
};

/** A value of each type that a sink may write, where one of the type alone would not do. */
const WRITTEN: Readonly<Record<string, unknown>> = {
  MP_SENDER_ADDRESS_SMTP: "new@example.com",
  MP_MESSAGE_STATUS: 0,
  MP_DSN_RET_VALUE: "FULL",
  RP_DSN_ORCPT_VALUE: "rfc822;new@example.com",
  RP_ADDRESS_SMTP: "new@example.com",
  RP_RECIPIENT_FLAGS: recipientFlags.failed + recipientFlags.notifyNever,
  RP_SMTP_STATUS_STRING: "550 5.7.1 Not here",
  RP_DSN_PRE_CAT_ADDRESS: "rfc822;before@example.com",
  RP_DOMAIN: "gateway.example",
};
const OF_TYPE: Readonly<Record<string, unknown>> = {
  string: "text",
  dword: 0x8004_0005,
  bool: true,
  filetime: new Date(1_000),
  guid: "{01234567-89ab-cdef-0123-456789abcdef}",
};
const WRONG: Readonly<Record<string, unknown>> = {
  string: 1,
  dword: 1.5,
  bool: "true",
  filetime: 1_000,
  guid: "{no}",
};

interface Access {
  get(key: number | string): unknown;
  has(key: number | string): boolean;
  put(key: number | string, value: never): void;
}

describe.each([
  ["a message", MESSAGE_ROWS, MESSAGE_PROPERTIES, (msg: MailMsg): Access => msg.properties],
  [
    "a recipient",
    RECIPIENT_ROWS,
    RECIPIENT_PROPERTIES,
    (msg: MailMsg): Access => msg.recipients.propertiesOf(0),
  ],
] as const)("the properties of %s", (_whose, rows, table, propertiesOf) => {
  const byName = rows.map(([id, name, type]) => [name, type, id] as const);
  const known = new Map<string, { id: number; type: string; access: string }>(Object.entries(table));

  test("are those of the original, no more and no less but for the marks of new lists", () => {
    const ours = [...known].filter(([name]) => !name.startsWith("RPV_"));
    expect(
      ours.map(([name, { id, type, access }]) => [id, name, access === "obsolete" ? access : type]),
    ).toEqual(rows);
    const ids: Readonly<Record<string, number>> = IMMPID;
    for (const [id, name] of rows) expect(ids[name]).toBe(id);
  });

  test.each(byName)("%s (%s) is read by number and by name", async (name, type, id) => {
    await inSink(message(), (msg) => {
      const properties = propertiesOf(msg);
      const value = READ[name];
      if (value === undefined || type === "obsolete") {
        expect(properties.has(id)).toBe(false);
        expect(codeOf(() => properties.get(id))).toBe("MAILMSG_E_PROPNOTFOUND");
        expect(codeOf(() => properties.get(name))).toBe("MAILMSG_E_PROPNOTFOUND");
      } else {
        expect(properties.get(id)).toEqual(value);
        expect(properties.get(name)).toEqual(value);
      }
      return true;
    });
  });

  test.each(byName)("%s (%s) is written where it may be, and only as its type", async (name, type, id) => {
    await inSink(message(), (msg) => {
      const properties = propertiesOf(msg);
      const value = (WRITTEN[name] ?? OF_TYPE[type] ?? "text") as never;
      if (known.get(name)?.access === "write") {
        expect(codeOf(() => properties.put(id, WRONG[type] as never))).toBe("MAILMSG_PROPERTY_INVALID");
        properties.put(name, value);
        expect(properties.get(id)).toEqual(value);
      } else {
        const before = READ[name];
        expect(codeOf(() => properties.put(id, value))).toBe("MAILMSG_PROPERTY_INVALID");
        expect(properties.has(id)).toBe(before !== undefined);
      }
      return true;
    });
  });
});

test("each property has the type of its values, by number and by name", () => {
  const { properties, recipients } = message();
  expectTypeOf(properties.get(IMMPID.MP_ARRIVAL_TIME)).toEqualTypeOf<Date>();
  expectTypeOf(properties.get("MP_HELO_DOMAIN")).toEqualTypeOf<string>();
  expectTypeOf(properties.find(IMMPID.MP_X_PRIORITY)).toEqualTypeOf<number | undefined>();
  const id: number = allocPropertyIds("types", 1).first;
  properties.put(id, 1);
  expectTypeOf(properties.get(id)).toEqualTypeOf<string | number | boolean>();
  expectTypeOf(recipients.propertiesOf(0).get(IMMPID.RP_RECIPIENT_FLAGS)).toEqualTypeOf<number>();
  // @ts-expect-error a FILETIME is no number
  expect(codeOf(() => properties.put(IMMPID.MP_EXPIRE_NDR, 1))).toBe("MAILMSG_PROPERTY_INVALID");
});

describe("the flags of a recipient", () => {
  test("are those of the original", () => {
    expect(Object.entries(recipientFlags)).toEqual(FLAG_ROWS);
  });

  test.each(FLAG_ROWS)("%s is set, read and found", async (_name, flag) => {
    await inSink(message(), ({ recipients }) => {
      recipients.propertiesOf("c@other.example").put(IMMPID.RP_RECIPIENT_FLAGS, flag);
      expect(recipients.propertiesOf(1).get(IMMPID.RP_RECIPIENT_FLAGS)).toBe(flag);
      expect(recipients.matching(flag).map(({ address }) => address)).toContain("c@other.example");
      return true;
    });
  });

  test("of NOTIFY are the recipient's NOTIFY, where NEVER stands alone (RFC 3461 §4.1)", () => {
    const { recipients } = message();
    const { notifyFailure, notifyNever, failed } = recipientFlags;
    recipients.propertiesOf(0).put("RP_RECIPIENT_FLAGS", notifyFailure + notifyNever + failed);
    expect(recipients.items[0]).toMatchObject({ notify: ["NEVER"], flags: failed });
    recipients.propertiesOf(0).put("RP_RECIPIENT_FLAGS", 0);
    expect(recipients.items[0]).not.toHaveProperty("notify");
  });

  test("that mean nothing are refused", () => {
    expect(codeOf(() => message().recipients.propertiesOf(0).put(IMMPID.RP_RECIPIENT_FLAGS, 0x1))).toBe(
      "MAILMSG_PROPERTY_INVALID",
    );
  });
});

describe("the class and the encryption of a message", () => {
  const report = (action: string, type = "delivery-status"): string =>
    `Content-Type: multipart/report; report-type=${type}; boundary=x\r\n\r\n--x\r\nAction: ${action}\r\n`;

  test.each([
    ["a report on a failure", report("failed"), 4, 0],
    ["a report on a delivery", report("delivered"), 3, 0],
    ["a report on a failure of SMTPUTF8 mail", report("failed", "global-delivery-status"), 4, 0],
    ["a report on a delivery of SMTPUTF8 mail", report("delivered", "global-delivery-status"), 3, 0],
    ["a report on something else", report("failed", "feedback-report"), undefined, 0],
    [
      "a signed S/MIME message",
      "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\n",
      undefined,
      1,
    ],
    ["an encrypted S/MIME message", "Content-Type: application/x-pkcs7-mime\r\n\r\n", undefined, 2],
    ["an encrypted PGP message", "Content-Type: multipart/encrypted\r\n\r\n", undefined, 2],
    ["an ordinary one", "Subject: x\r\n\r\n", undefined, 0],
  ])("%s", (_name, text, messageClass, encryption) => {
    const { properties } = message(text);
    expect(properties.find(IMMPID.MP_MSGCLASS)).toBe(messageClass);
    expect(properties.get(IMMPID.MP_ENCRYPTION_TYPE)).toBe(encryption);
  });
});

test.each([
  ["MP_SENDER_ADDRESS_SMTP", "a b@c"],
  ["MP_DSN_ENVID_VALUE", "line\r\nbreak"],
  ["MP_DSN_RET_VALUE", "BODY"],
  ["MP_MESSAGE_STATUS", 7],
] as const)("%s is not %j", (name, value) => {
  const msg = message();
  expect(codeOf(() => msg.properties.put(name, value))).toBe("MAILMSG_PROPERTY_INVALID");
  expect(msg.envelope).toEqual(message().envelope);
});

describe("private properties", () => {
  test("are kept by number from 0x8000 on and by name, and belong to forks as well", () => {
    const msg = message();
    const range = allocPropertyIds("{01234567-89ab-cdef-0123-456789abcdef}", 2);
    msg.properties.put(range.id(1), "by number");
    msg.properties.set("spam.score", 3);
    msg.recipients.propertiesOf(0).put(range.id(0), true);
    const fork = msg.forkForRecipients("FORK00000000000001", ({ address }) => address === "b@example.com");
    expect(fork.properties.get(range.id(1))).toBe("by number");
    expect(fork.properties.get("spam.score")).toBe(3);
    expect(fork.recipients.propertiesOf(0).get(range.id(0))).toBe(true);
    expect(msg.properties.get("not there")).toBeUndefined();
    expect(codeOf(() => msg.properties.get(range.id(0)))).toBe("MAILMSG_E_PROPNOTFOUND");
    expect(msg.properties.delete(range.id(1))).toBe(true);
    expect(msg.properties.has(range.id(1))).toBe(false);
  });

  test.each([0x7fff, 0x1_0000_0000, -1, 1.5])("cannot have the number %s", (id) => {
    expect(codeOf(() => message().properties.put(id, 1))).toBe("MAILMSG_PROPERTY_INVALID");
    expect(codeOf(() => message().recipients.propertiesOf(0).put(id, 1))).toBe("MAILMSG_PROPERTY_INVALID");
  });

  test("are bounded in number and size, and what is replaced or deleted makes room", () => {
    const { properties, recipients } = message();
    for (let index = 0; index < 20; index += 1) properties.put(0x8000 + index, index);
    expect(codeOf(() => properties.put(0x9000, 1))).toBe("MAILMSG_PROPERTY_LIMIT");
    properties.put(0x8000, "replaced");
    properties.delete(0x8001);
    properties.put(0x9000, "x".repeat(3_000));
    expect(codeOf(() => properties.put(0x9000, "x".repeat(4_096)))).toBe("MAILMSG_PROPERTY_LIMIT");
    expect(codeOf(() => recipients.propertiesOf(0).put("name", "x".repeat(4_096)))).toBe(
      "MAILMSG_PROPERTY_LIMIT",
    );
    expect(properties.size).toBe(20);
  });

  test("of a failed sink are taken back, with those of recipients and the status", () => {
    const msg = message();
    msg.properties.set("before", 1);
    const snapshot = msg.snapshot();
    msg.properties.put(IMMPID.MP_MSG_GUID, "G");
    msg.properties.delete("before");
    msg.properties.put(IMMPID.MP_MESSAGE_STATUS, 3);
    msg.properties.put(IMMPID.MP_DEFERRED_DELIVERY_FILETIME, new Date(5_000));
    msg.recipients.propertiesOf(0).put(IMMPID.RP_DISPLAY_NAME, "Bob");
    msg.restore(snapshot);
    expect([...msg.properties]).toEqual([["before", 1]]);
    expect(msg.status).toBe(0);
    expect(msg.deferredDeliveryTime).toBeUndefined();
    expect(msg.recipients.propertiesOf(0).has("RP_DISPLAY_NAME")).toBe(false);
  });

  test("under the name of a fact of the arrival do not hide the fact", () => {
    const msg = message();
    msg.properties.takeBack([["MP_HELO_DOMAIN", "forged.example"]]);
    expect(msg.properties.get(IMMPID.MP_HELO_DOMAIN)).toBe("client.example");
  });
});
