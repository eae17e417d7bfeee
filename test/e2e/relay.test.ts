// The way through: what goes in at one end comes out at the smart host.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CaptureServer, startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, send, sendAll } from "../support/smtp-client.ts";

/** The message without the trace field that we put in front. */
function withoutReceived(content: Buffer): Buffer {
  const text = content.toString("latin1");
  const received = /^Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*/.exec(text);
  expect(received, "a Received field in front").not.toBeNull();
  return Buffer.from(text.slice(received?.[0].length ?? 0), "latin1");
}

const AWKWARD_MESSAGES: readonly (readonly [title: string, content: Buffer])[] = [
  ["plain text", Buffer.from(plainMessage("plain"))],
  ["lines that begin with dots", Buffer.from(plainMessage("dots", ".\r\n..\r\n...three\r\n.x"))],
  [
    "8-bit bytes that are no UTF-8",
    Buffer.concat([Buffer.from(plainMessage("bytes")), Buffer.from([0xff, 0xfe, 0x80, 13, 10])]),
  ],
  [
    "a header that is oddly folded and spelled",
    Buffer.from("fRoM:a@example.com\r\nSUBJECT :  odd\r\n\t\r\n  folded\r\nX-Empty:\r\n\r\nbody\r\n"),
  ],
  ["no header at all", Buffer.from("\r\nonly a body\r\n")],
  [
    "a multipart without its last boundary",
    Buffer.from('Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\ntext\r\n'),
  ],
  ["a line of 2,000 characters", Buffer.from(plainMessage("long", "x".repeat(2000)))],
];

describe("byte for byte behind our Received field", () => {
  let hop: CaptureServer;
  let service: Service;
  beforeAll(async () => {
    hop = await startCaptureServer();
    service = await startService({ config: serviceConfig({ smartHostPort: hop.port }) });
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await hop[Symbol.asyncDispose]();
  });

  test.for(AWKWARD_MESSAGES)("%s arrives at the next hop", async ([, content]) => {
    const before = hop.messages.length;
    await send(service.port, {
      from: "a@example.com",
      to: ["b@example.org", "c@example.net"],
      data: content,
    });
    const message = (await hop.received(before + 1)).at(before);
    expect(message?.from).toBe("a@example.com");
    expect([...(message?.to ?? [])].sort()).toEqual(["b@example.org", "c@example.net"]);
    expect(withoutReceived(message?.content ?? Buffer.alloc(0)).equals(content)).toBe(true);
  });
});

test("twenty sessions with fifty messages each arrive whole, once, and over few connections", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({ config: serviceConfig({ smartHostPort: hop.port }) });
  const sessions = Array.from({ length: 20 }, (_, session) =>
    sendAll(
      service.port,
      Array.from({ length: 50 }, (_unused, number) => ({ data: plainMessage(`s${session}m${number}.`) })),
    ),
  );
  await Promise.all(sessions);
  const messages = await hop.received(1000, 30_000);
  const subjects = new Set(
    messages.map((message) => /^Subject: (.*)\r$/m.exec(message.content.toString("latin1"))?.[1]),
  );
  expect(messages).toHaveLength(1000);
  expect(subjects.size).toBe(1000);
  expect(hop.connections).toBeLessThanOrEqual(40);
});

test("a message for a local domain and a remote one is dropped here and relayed there", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, localDomains: ["example.com"] }),
  });
  await send(service.port, { to: ["here@example.com", "there@example.org"], data: plainMessage("both") });
  const [relayed] = await hop.received(1);
  const [dropped] = await service.dropped(1);
  expect(relayed?.to).toEqual(["there@example.org"]);
  expect(dropped?.content.toString("latin1")).toMatch(/^x-receiver: here@example\.com\r$/im);
  expect(dropped?.content.toString("latin1")).not.toMatch(/^x-receiver: there@/im);
});

test("a client outside the relay networks may send to local domains only", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({
      smartHostPort: hop.port,
      localDomains: ["example.com"],
      server: { relay: { networks: ["192.0.2.0/24"] } },
    }),
  });
  await using talk = conversation(service.port);
  await talk
    .expects(220)
    .sends("EHLO client.example.com")
    .expects(250)
    .sends("MAIL FROM:<a@example.net>")
    .expects(250)
    .sends("RCPT TO:<there@example.org>")
    .expects(550)
    .sends("RCPT TO:<here@example.com>")
    .expects(250)
    .sends("QUIT")
    .expects(221);
});

test("the null sender and the parameters of RFC 3461 reach a next hop that offers DSN", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({ config: serviceConfig({ smartHostPort: hop.port }) });
  await send(service.port, {
    from: "",
    to: "b@example.org",
    data: plainMessage("dsn"),
    mailParameters: "RET=HDRS ENVID=QQ314159",
    rcptParameters: "NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@example.org",
  });
  const [message] = await hop.received(1);
  expect(message?.from).toBe("");
  expect(message?.mailParameters).toMatch(/RET=HDRS/);
  expect(message?.mailParameters).toMatch(/ENVID=QQ314159/);
  expect(message?.rcptParameters[0]).toMatch(/NOTIFY=(FAILURE,DELAY|DELAY,FAILURE)/);
  expect(message?.rcptParameters[0]).toMatch(/ORCPT=rfc822;b@example\.org/);
});

test("H04 an address in UTF-8 that a script writes goes to a host with SMTPUTF8, and comes back from one without", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    scripts: {
      "answer.js": 'function onArrival(msg) { msg.ReplyTo = "jürgen@example.com"; msg.DataSource.Save(); }',
    },
    config: serviceConfig({
      smartHostPort: hop.port,
      bindings: [
        {
          event: "OnArrival",
          displayName: "answer",
          sinkClass: "CDO.SS_SMTPOnArrivalSink",
          sinkProperties: { ScriptName: "answer.js" },
          sourceProperties: { rule: "MAIL FROM=*@localhost" },
        },
      ],
    }),
  });
  const message = { from: "a@localhost", to: ["b@example.org"], data: plainMessage("utf8") };
  await send(service.port, message);
  const [report] = await eventually(
    async () => {
      const files = await service.drop();
      return files.length > 0 && files;
    },
    { what: "the report" },
  );
  expect(report?.content.toString()).toContain("5.6.7");
  expect(hop.messages).toHaveLength(0);
  hop.script.extensions.push("SMTPUTF8");
  await hop.stop();
  await hop.listen();
  await send(service.port, message);
  const [sent] = await hop.received(1);
  expect(sent?.mailParameters).toContain("SMTPUTF8");
  expect(sent?.content.toString()).toContain("\r\nReply-To: jürgen@example.com\r\n");
});
