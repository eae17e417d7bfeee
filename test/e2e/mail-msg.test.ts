// MailMsg in the running service: what native sinks and scripts see of one message, and of what the other has changed.
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { quickHash } from "../support/quick-hash.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, send, wireOf } from "../support/smtp-client.ts";

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

const SAMPLE = fileURLToPath(new URL("../../docs/sinks/authenticated-senders.ts", import.meta.url));
/** Reports and the mail that the sample is for are left to themselves. */
const ordered = (priority: number): object => ({
  event: "OnArrival",
  sourceProperties: { rule: "MAIL FROM=*@example.com", priority },
});

const BINDINGS = [
  { displayName: "first", sinkClass: "./first.ts", ...ordered(1) },
  {
    displayName: "script",
    sinkClass: "CDO.SS_SMTPOnArrivalSink",
    sinkProperties: { ScriptName: "look.ts" },
    ...ordered(2),
  },
  { displayName: "last", sinkClass: "./last.ts", ...ordered(3) },
  {
    displayName: "sample",
    event: "OnArrival",
    sinkClass: SAMPLE,
    sourceProperties: { rule: "MAIL FROM=*@localhost" },
  },
];

const start = (): Promise<Service> =>
  startService({
    config: serviceConfig({
      bindings: BINDINGS,
      server: {
        auth: { users: [{ name: "alice", passwordHash: quickHash("s3cret") }], allowPlaintext: true },
      },
    }),
    scripts: {
      "look.ts": script,
      "../first.ts": nativeSink("first", FIRST),
      "../last.ts": nativeSink("last", ""),
    },
  });

/** As alice, one after the other. */
async function submit(service: Service, subjects: readonly string[]): Promise<void> {
  const token = Buffer.from("\0alice\0s3cret").toString("base64");
  await using talk = conversation(service.port);
  await talk.expects(220).sends("EHLO client.example").expects(250).sends(`AUTH PLAIN ${token}`).expects(235);
  for (const subject of subjects)
    await talk
      .sends("MAIL FROM:<a@example.com> AUTH=b+40example.com ENVID=E1")
      .expects(250)
      .sends("RCPT TO:<b@localhost>")
      .expects(250)
      .sends("DATA")
      .expects(354)
      .sendsBytes(wireOf(plainMessage(subject)))
      .expects(250);
}

async function pickUp(service: Service): Promise<void> {
  const beside = join(service.folder, "pickup.eml");
  const envelope = "x-sender: p@example.com\r\nx-receiver: q@localhost\r\n";
  await writeFile(beside, `${envelope}${plainMessage("picked up")}`);
  await rename(beside, join(service.mailroot, "Pickup", "letter.eml"));
}

/** Of the message with that Pickup name, in the order of the sinks. */
function seenBy(service: Service, fileName: string): (Record<string, unknown> | undefined)[] {
  const ofFile = (seen: Record<string, unknown> | undefined): boolean =>
    seen?.["pickupfilename"] === fileName;
  const scripts = lines(service, "script").map(({ text }): Record<string, unknown> =>
    JSON.parse(text ?? "{}"),
  );
  const [first, last] = ["first", "last"].map((name) =>
    lines(service, name).find(({ seen }) => ofFile(seen)),
  );
  return [first?.seen, ...scripts.filter(ofFile), last?.seen];
}

test("native sinks and scripts see the same envelope, also as the other left it; marks and statuses take effect", async () => {
  await using service = await start();
  await submit(service, ["ordinary", "abandon"]);
  await pickUp(service);
  await send(service.port, { from: "eve@localhost", to: "c@localhost", data: plainMessage("nobody") });
  await eventually(() => lines(service, "last").length === 2, { what: "two messages at the last sink" });

  for (const [fileName, client, recipient] of [
    ["", "127.0.0.1", "b@localhost"],
    ["letter.eml", "", "q@localhost"],
  ] as const) {
    const [first, scriptBefore, scriptAfter, last] = seenBy(service, fileName);
    expect(scriptBefore).toEqual(first);
    expect(last).toEqual(scriptAfter);
    expect(first).toMatchObject({
      senderemailaddress: "native@example.com",
      recipientlist: `SMTP:first@localhost;SMTP:${recipient};`,
      clientipaddress: client,
      messagestatus: 0,
    });
    expect(last).toEqual({
      ...first,
      senderemailaddress: "script@example.com",
      recipientlist: `SMTP:first@localhost;SMTP:${recipient};SMTP:more@localhost;`,
    });
  }
  expect(lines(service, "facts")[0]).toMatchObject({
    facts: ["client.example", "alice", "PLAIN", "b@example.com", "127.0.0.1", service.port, "default", "E1"],
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    range: 0x8000,
  });

  const report = await eventually(
    async () => (await service.drop()).map(({ content }) => content.toString()).find(isReport),
    { what: "a report in Drop" },
  );
  expect(report).toContain("Final-Recipient: rfc822;c@localhost");
  expect(report).toContain("5.7.1 Authenticate first");
  await eventually(async () => (await service.queue()).length === 1, {
    what: "one message that is left alone",
  });
  expect(await service.queue()).toEqual([
    expect.objectContaining({
      state: "held",
      reason: "first wants it left alone until the service restarts",
    }),
  ]);
});

const isReport = (text: string): boolean => text.includes("multipart/report");
