// A message larger than what is kept in memory goes through byte for byte, and one above the limit is refused early.
import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, send } from "../support/smtp-client.ts";

const MIB = 1024 * 1024;
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Base64 lines that begin with a dot now and then, so that dot-stuffing crosses every kind of chunk border. */
function largeBody(bytes: number): string {
  const lines =
    randomBytes(Math.floor((bytes * 3) / 4))
      .toString("base64")
      .match(/.{1,74}/g) ?? [];
  return lines.map((line, index) => (index % 97 === 0 ? `.${line}` : line)).join("\r\n");
}

test("a message of 5 MiB arrives byte for byte", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({ config: serviceConfig({ smartHostPort: hop.port }) });
  const content = Buffer.from(plainMessage("large", largeBody(5 * MIB)));
  await send(service.port, { data: content });
  const [message] = await hop.received(1, 30_000);
  const body = message?.content.subarray(message.content.indexOf("From: Sender")) ?? Buffer.alloc(0);
  expect(body.length).toBe(content.length);
  expect(sha256(body)).toBe(sha256(content));
});

test("a script edits the header of a message of 5 MiB and its body stays byte for byte", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port }),
    scripts: {
      "tag.js": `export default function onArrival(msg) {
        msg.Subject = "[big] " + msg.Subject;
        msg.DataSource.Save();
      }`,
    },
  });
  const body = largeBody(5 * MIB);
  await send(service.port, { data: Buffer.from(plainMessage("large", body)) });
  const [message] = await hop.received(1, 30_000);
  const content = message?.content ?? Buffer.alloc(0);
  expect(content.subarray(0, 4096).toString("latin1")).toContain("Subject: [big] large");
  expect(content.subarray(content.indexOf("\r\n\r\n") + 4).equals(Buffer.from(`${body}\r\n`))).toBe(true);
});

test("a size above the limit is refused at MAIL, and when it was not announced, at the end of data", async () => {
  await using service = await startService({
    config: serviceConfig({ server: { limits: { maxMessageSize: "100KiB" } } }),
  });
  await using talk = conversation(service.port);
  const tooLarge = Buffer.from(`Subject: too large\r\n\r\n${"x".repeat(998)}\r\n`.repeat(200) + ".\r\n");
  await talk
    .expects(220)
    .sends("EHLO client.example.com")
    .expects(250, /SIZE 102400/)
    .sends("MAIL FROM:<a@example.com> SIZE=102401")
    .expects(552)
    .sends("MAIL FROM:<a@example.com>")
    .expects(250)
    .sends("RCPT TO:<b@localhost>")
    .expects(250)
    .sends("DATA")
    .expects(354)
    .sendsBytes(tooLarge)
    .expects(552)
    .sends("NOOP")
    .expects(250);
  expect(await service.drop()).toEqual([]);
});
