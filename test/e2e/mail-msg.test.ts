// MailMsg in the running service: what native sinks and scripts see of one message, and of what the other has changed.
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { quickHash } from "../support/quick-hash.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, wireOf } from "../support/smtp-client.ts";

const ENVELOPE_FIELDS = `({
  arrivaltime: new Date(field("arrivaltime")).getTime(), clientipaddress: field("clientipaddress"),
  messagestatus: field("messagestatus"), pickupfilename: field("pickupfilename"),
  senderemailaddress: field("senderemailaddress"), recipientlist: field("recipientlist") })`;

const PROPERTIES = `({
  arrivaltime: properties.get(IMMPID.MP_ARRIVAL_TIME).getTime(),
  clientipaddress: properties.find(IMMPID.MP_CONNECTION_IP_ADDRESS) ?? "",
  messagestatus: properties.get(IMMPID.MP_MESSAGE_STATUS),
  pickupfilename: properties.find(IMMPID.MP_PICKUP_FILE_NAME) ?? "",
  senderemailaddress: properties.get(IMMPID.MP_SENDER_ADDRESS_SMTP),
  recipientlist: recipients.items.map((_one, index) =>
    "SMTP:" + recipients.propertiesOf(index).get(IMMPID.RP_ADDRESS_SMTP) + ";").join("") })`;

const nativeSink = (name: string, change: string): string => `import { IMMPID, defineSink } from "onarrival";
export default defineSink({ event: "OnTransportSubmission", onEvent(msg, { log, allocPropertyIds }) {
  const { properties, recipients } = msg;
  ${change}
  log.info({ seen: ${PROPERTIES} }, "${name}");
} });`;

const script = `export default function onArrival(msg) {
  const field = (name) => msg.EnvelopeFields("http://schemas.microsoft.com/cdo/smtpenvelope/" + name).Value;
  console.log(JSON.stringify(${ENVELOPE_FIELDS}));
  msg.EnvelopeFields("http://schemas.microsoft.com/cdo/smtpenvelope/senderemailaddress").Value = "script@example.com";
  msg.EnvelopeFields("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value += "SMTP:more@localhost;";
  msg.EnvelopeFields.Update();
  console.log(JSON.stringify(${ENVELOPE_FIELDS}));
}`;

const FIRST = `
  properties.put("MP_SENDER_ADDRESS_SMTP", "native@example.com");
  const list = recipients.newList();
  list.addPrimary("first@localhost", recipients.items[0]);
  for (const { address } of recipients) list.addSecondary(address);
  recipients.writeList(list);
  if (msg.headers.get("subject") === "abandon") msg.status = 6;
  log.info({ facts: ["MP_HELO_DOMAIN", "MP_CLIENT_AUTH_USER", "MP_CLIENT_AUTH_TYPE", "MP_INBOUND_MAIL_FROM_AUTH",
    "MP_CONNECTION_SERVER_IP_ADDRESS", "MP_CONNECTION_SERVER_PORT", "MP_SERVER_NAME", "MP_DSN_ENVID_VALUE"].map((name) =>
    properties.find(name) ?? null), version: properties.get(IMMPID.MP_SERVER_VERSION),
    range: allocPropertyIds("e2e", 4).first }, "facts");`;

interface Seen {
  readonly seen?: Record<string, unknown>;
  readonly facts?: unknown[];
  readonly version?: string;
  readonly range?: number;
  readonly text?: string;
  readonly msg: string;
}

/** The log lines with that message, parsed. */
const lines = (service: Service, msg: string): Seen[] =>
  service.log.filter((line) => line.includes(`"msg":"${msg}"`)).map((line): Seen => JSON.parse(line));

test("native sinks and scripts see the same envelope, also as the other left it; 6 keeps a message where it is", async () => {
  const bindings = [
    { displayName: "first", event: "OnArrival", sinkClass: "./first.ts", sourceProperties: { priority: 1 } },
    {
      displayName: "script",
      event: "OnArrival",
      sinkClass: "CDO.SS_SMTPOnArrivalSink",
      sinkProperties: { ScriptName: "look.ts" },
      sourceProperties: { priority: 2 },
    },
    { displayName: "last", event: "OnArrival", sinkClass: "./last.ts", sourceProperties: { priority: 3 } },
  ];
  const auth = { users: [{ name: "alice", passwordHash: quickHash("s3cret") }], allowPlaintext: true };
  await using service = await startService({
    config: serviceConfig({ bindings, server: { auth } }),
    scripts: {
      "look.ts": script,
      "../first.ts": nativeSink("first", FIRST),
      "../last.ts": nativeSink("last", ""),
    },
  });
  const token = Buffer.from("\0alice\0s3cret").toString("base64");
  await using talk = conversation(service.port);
  await talk.expects(220).sends("EHLO client.example").expects(250).sends(`AUTH PLAIN ${token}`).expects(235);
  for (const subject of ["ordinary", "abandon"])
    await talk
      .sends("MAIL FROM:<a@example.com> AUTH=b+40example.com ENVID=E1")
      .expects(250)
      .sends("RCPT TO:<b@localhost>")
      .expects(250)
      .sends("DATA")
      .expects(354)
      .sendsBytes(wireOf(plainMessage(subject)))
      .expects(250);
  const beside = join(service.folder, "pickup.eml");
  await writeFile(
    beside,
    `x-sender: p@example.com\r\nx-receiver: q@localhost\r\n${plainMessage("picked up")}`,
  );
  await rename(beside, join(service.mailroot, "Pickup", "letter.eml"));
  await eventually(() => lines(service, "last").length === 2, { what: "two messages at the last sink" });

  const scripts = lines(service, "script").map(({ text }): Record<string, unknown> =>
    JSON.parse(text ?? "{}"),
  );
  const [first, last] = [lines(service, "first"), lines(service, "last")];
  for (const { seen } of last) {
    const { pickupfilename } = seen ?? {};
    const sawFirst = first.find((line) => line.seen?.["pickupfilename"] === pickupfilename)?.seen;
    const [before, after] = scripts.filter((one) => one["pickupfilename"] === pickupfilename);
    expect(before).toEqual(sawFirst);
    expect(after).toEqual(seen);
    const original = pickupfilename === "letter.eml" ? "q@localhost" : "b@localhost";
    expect(before).toMatchObject({
      senderemailaddress: "native@example.com",
      recipientlist: `SMTP:first@localhost;SMTP:${original};`,
      clientipaddress: pickupfilename === "letter.eml" ? "" : "127.0.0.1",
    });
    expect(seen).toMatchObject({
      senderemailaddress: "script@example.com",
      recipientlist: `SMTP:first@localhost;SMTP:${original};SMTP:more@localhost;`,
    });
  }
  const [bySmtp] = lines(service, "facts");
  expect(bySmtp).toMatchObject({
    facts: ["client.example", "alice", "PLAIN", "b@example.com", "127.0.0.1", service.port, "default", "E1"],
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    range: 0x8000,
  });
  await eventually(async () => (await service.queue()).some(({ state }) => state === "held"), {
    what: "a held message",
  });
  expect(await service.queue()).toEqual([
    expect.objectContaining({ reason: "first wants it left alone until the service restarts" }),
  ]);
});
