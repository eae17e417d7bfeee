import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { ProtocolLog } from "../../../../src/composition/observation/protocol-log.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { RotatingLog } from "../../../../src/observe/rotating-log.ts";
import { w3cText } from "../../../../src/observe/w3c-log.ts";
import { peerReply } from "../../../../src/smtp/client/reply-reader.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const CLOCK = new ManualClock(Date.UTC(2026, 10, 22, 12));
const WIRE = { remoteAddress: "192.0.2.1", remotePort: 25, localAddress: "192.0.2.9" };

/** The lines that a conversation leaves, as "method query status". */
async function logged(talk: (log: ProtocolLog) => void): Promise<string[]> {
  await using temp = await tempFolder("protocol");
  const settings = { enabled: true, folder: temp.path, maxSize: 1e6, keepDays: 36_500 };
  const parts = { what: "test", prefix: "ex", extension: "log", flushMs: 1, clock: CLOCK, log: silentLogger };
  const file = new RotatingLog(settings, parts);
  const fields = ["cs-method", "cs-uri-query", "sc-status"] as const;
  talk(new ProtocolLog({ site: "default", hostName: "mx.test", fields, log: file, clock: CLOCK }));
  await file.close();
  const [name = ""] = await readdir(temp.path);
  return (await readFile(path.join(temp.path, name), "utf8")).trimEnd().split("\n");
}

test("secrets of AUTH at a next hop are not written, whichever way they go", async () => {
  const lines = await logged((log) => {
    log.sent(WIRE, "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n");
    log.received(WIRE, peerReply(235, "2.7.0 ok"));
    log.sent(WIRE, "AUTH LOGIN\r\n");
    log.received(WIRE, peerReply(334, "VXNlcm5hbWU6"));
    log.sent(WIRE, "c2VjcmV0\r\n");
    log.received(WIRE, peerReply(334, "UGFzc3dvcmQ6"));
    log.sent(WIRE, "c2VjcmV0\r\n");
    log.received(WIRE, peerReply(535, "5.7.8 no"));
    log.sent(WIRE, "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
  });
  expect(lines.join("\n")).not.toMatch(/c2VjcmV0|AHVzZX|VXNlcm/);
  expect(lines.filter((line) => !line.startsWith("- "))).toEqual([
    "AUTH PLAIN 0",
    "AUTH LOGIN 0",
    "*** - 0",
    "*** - 0",
    "MAIL FROM:<a@x.test> 0",
    "RCPT TO:<b@y.test> 0",
    "DATA - 0",
  ]);
});

test("of an inbound AUTH only the mechanism is written", async () => {
  const exchange = {
    session: {},
    code: 235,
    reply: "235 ok",
    bytesIn: 20,
    elapsedMs: 1,
    client: "",
    local: "",
    localPort: 25,
  };
  const lines = await logged((log) =>
    log.exchanged({
      ...exchange,
      verb: "AUTH",
      argument: "plain c2VjcmV0",
      heloDomain: undefined,
      user: "u",
    }),
  );
  expect(lines).toEqual(["AUTH PLAIN 235"]);
});

test.each([
  ["", "-"],
  ["two words", "two+words"],
  ["user+tag@x.test", "user+tag@x.test"],
  ["a\r\nb", "a%0D%0Ab"],
  ["\u001B[31m", "%1B[31m"],
  ["\u202E", "%E2%80%AE"],
  ["100%", "100%25"],
])("H08 %j is written as %s", (text, expected) => {
  expect(w3cText(text)).toBe(expected);
});

test("H08 a text without end is cut", () => {
  expect(w3cText("x".repeat(100_000)).length).toBe(1000);
});
