// mac-binhex40: read as other programs write it, written so that they read it, bounded.
import { array, assert, constantFrom, property, string, uint8Array } from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeBinHex, encodeBinHex } from "../../../src/sandbox/worker/content/binhex.ts";
import { ALTERNATIVE, script, WorkerUnderTest } from "./support.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("what is encoded is decoded again, runs and markers included, whatever the name", () => {
  const runs = array(constantFrom(0x90, 0x00, 0x41), { maxLength: 600 }).map((bytes) =>
    Uint8Array.from(bytes),
  );
  assert(
    property(uint8Array({ maxLength: 300 }), runs, string(), (bytes, tail, name) => {
      const content = Buffer.concat([bytes, tail]);
      const encoded = encodeBinHex(content, name);
      expect(hex(decodeBinHex(encoded))).toBe(hex(content));
      for (const line of encoded.toString("latin1").split("\r\n").slice(2))
        expect(line.length).toBeLessThanOrEqual(64);
    }),
  );
  const long = Buffer.concat([Buffer.alloc(1000, 0x90), Buffer.alloc(1000, 7)]);
  expect(decodeBinHex(encodeBinHex(long, "x")).equals(long)).toBe(true);
});

const SAMPLE = encodeBinHex(Buffer.from("Hello, Macintosh"), "hello.txt").toString("latin1");

test("other line ends, text before it and a damaged checksum do not matter", () => {
  const lf = `Some words.\n\n${SAMPLE.replaceAll("\r\n", "\n")}\nbye`;
  expect(decodeBinHex(Buffer.from(lf)).toString()).toBe("Hello, Macintosh");
  const damaged = SAMPLE.replace(/....:\r\n$/, "pqpq:\r\n");
  expect(damaged).not.toBe(SAMPLE);
  expect(decodeBinHex(Buffer.from(damaged)).toString()).toBe("Hello, Macintosh");
});

test("what is cut off gives what is there; what is none stays as it is", () => {
  const whole = encodeBinHex(Buffer.from("abcdefghijklmnopqrstuvwxyz".repeat(20)), "x");
  const cut = decodeBinHex(whole.subarray(0, 300)).toString();
  expect("abcdefghijklmnopqrstuvwxyz".repeat(20).startsWith(cut) && cut.length > 100).toBe(true);
  for (const text of [
    "",
    "no file",
    "BinHex 4",
    "(BinHex 4.0)\n\n",
    "(BinHex 4.0)\n:",
    "(BinHex 4.0)\n::",
    "(BinHex 4.0)\n:!!!!:",
  ])
    expect(decodeBinHex(Buffer.from(text)).toString()).toBe(text);
});

test("M: a small file that claims to be huge is not made so", () => {
  const lie = encodeBinHex(Buffer.alloc(255 * 1000), "x");
  expect(lie.length).toBeLessThan(6000);
  expect(decodeBinHex(lie).length).toBe(255_000);
});

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

test("a part in it is read, written and made by a script", async () => {
  const { outcome, message } = await worker.run(
    script(`const part = msg.Attachments(1);
    part.ContentTransferEncoding = cdoMacBinHex40;
    console.log(part.ContentTransferEncoding, part.GetDecodedContentStream().Read().join());
    const s = part.GetDecodedContentStream(); s.Write(Uint8Array.of(1, 2, 0x90)); s.SetEOS(); s.Flush();
    console.log(part.GetDecodedContentStream().Read().join(), part.GetEncodedContentStream().ReadText(-2));
    msg.DataSource.Save()`),
    { message: ALTERNATIVE },
  );
  expect(outcome.logs.map((line) => line.text.trim())).toEqual([
    "mac-binhex40 77,90,144,0,3,0,0,0",
    "1,2,144 (This file must be converted with BinHex 4.0)",
  ]);
  expect(message).toContain("Content-Transfer-Encoding: mac-binhex40");
});
