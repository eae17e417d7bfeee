// Streams over a host that decodes as the worker does: what is written is read back, however it is cut into reads.
import { assert, constantFrom, integer, nat, property, array, string } from "fast-check";
import { expect, test } from "vitest";
import { Host } from "../../../runtime/host.ts";
import { Stream } from "../../../runtime/cdo/stream.ts";
import { RequestNumbers } from "../../../src/sandbox/worker/calls/open-requests.ts";
import { createHostFunction } from "../../../src/sandbox/worker/calls/host-calls.ts";
import { CallState } from "../../../src/sandbox/worker/call-state.ts";
import { JobDocument } from "../../../src/sandbox/worker/content/job-document.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { bufferSource } from "../../../src/mime/source.ts";
import { NO_ENVELOPE } from "../../support/no-envelope.ts";

function openStream(charset: string): Stream {
  const document = new JobDocument(bufferSource(Buffer.from("\r\n")));
  const state = new CallState(
    { ...DEFAULT_SCRIPT_LIMITS, hostCalls: 1e9, growthBytes: 1e9 },
    document,
    NO_ENVELOPE,
    NO_ENVELOPE,
    new RequestNumbers(),
  );
  const call = createHostFunction({ state, secretAtLoad: () => undefined });
  const host = new Host(
    (operation, a, b, c, place, bytes) => call(operation, a, b, c, place, bytes),
    1e9,
    () => 0,
  );
  const stream = new Stream(() => host);
  stream.Open();
  stream.Charset = charset;
  return stream;
}

const charsets = constantFrom("Unicode", "utf-8", "utf-16", "shift_jis", "gb18030", "iso-8859-1");
const text = string({ unit: "grapheme-ascii", maxLength: 60 });
const rich = string({ unit: "grapheme", maxLength: 60 });

test("text in any charset comes back whole and in pieces of any length, and its end is the end of the stream", () => {
  assert(
    property(
      charsets,
      array(text),
      array(integer({ min: 1, max: 9 }), { minLength: 1 }),
      (charset, lines, cuts) => {
        const stream = openStream(charset);
        for (const line of lines) stream.WriteText(line, 1);
        const whole = lines.map((line) => `${line}\r\n`).join("");
        stream.Position = 0;
        expect(stream.ReadText()).toBe(whole);
        stream.Position = 0;
        let pieces = "";
        for (let at = 0; !stream.EOS; at++) pieces += stream.ReadText(cuts[at % cuts.length]);
        expect(pieces).toBe(whole);
        expect(stream.Position).toBe(stream.Size);
      },
    ),
  );
});

test("a place told in the middle of a Unicode text is the place to read on from", () => {
  assert(
    property(constantFrom("Unicode", "utf-8", "gb18030"), rich, nat(60), (charset, written, cut) => {
      const value = written.replace(/^\ufeff/, "");
      const stream = openStream(charset);
      stream.WriteText(value);
      stream.Position = 0;
      const head = stream.ReadText(cut);
      // Half of a surrogate pair has no place of its own.
      if (!head.isWellFormed()) return;
      const place = stream.Position;
      const rest = stream.ReadText();
      expect(head + rest).toBe(value);
      stream.Position = 0;
      stream.Position = place;
      expect(stream.ReadText()).toBe(place === 0 ? value : rest);
    }),
  );
});

test("a place in a text with invalid UTF-8 is that of its bytes", () => {
  // Beginnings of characters, overlong forms, surrogates, marks and what continues them.
  const byte = constantFrom(
    0x41,
    0x80,
    0xbf,
    0xc1,
    0xc3,
    0xe0,
    0xe2,
    0xed,
    0xa0,
    0x9f,
    0xf0,
    0x90,
    0xf4,
    0x8f,
    0xf5,
    0xef,
    0xbb,
  );
  assert(
    property(array(byte, { maxLength: 40 }), nat(40), (bytes, cut) => {
      const stream = openStream("utf-8");
      stream.Type = 1;
      stream.Write(Uint8Array.from(bytes));
      stream.Position = 0;
      stream.Type = 2;
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      const head = stream.ReadText(cut);
      if (!head.isWellFormed()) return;
      const place = stream.Position;
      const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
      const start = hasMark ? 3 : 0;
      if (place > 0) expect(decoder.decode(Uint8Array.from(bytes.slice(start, place)))).toBe(head);
      const rest = stream.ReadText();
      expect(rest).toBe(decoder.decode(Uint8Array.from(bytes.slice(Math.max(start, place)))));
      expect(stream.Position).toBe(bytes.length);
    }),
    { numRuns: 2000 },
  );
});

test("bytes come back as they were written, over one another and behind the end", () => {
  assert(
    property(
      array(array(integer({ min: 0, max: 255 }), { maxLength: 600 }), { maxLength: 8 }),
      array(nat(700), { minLength: 8, maxLength: 8 }),
      (writes, places) => {
        const stream = openStream("us-ascii");
        stream.Type = 1;
        let expected = Buffer.alloc(0);
        for (const [index, write] of writes.entries()) {
          const place = places[index] ?? 0;
          stream.Position = place;
          stream.Write(Uint8Array.from(write));
          const grown = Buffer.alloc(Math.max(expected.length, place + write.length));
          expected.copy(grown);
          grown.set(write, place);
          expected = grown;
        }
        stream.Position = 0;
        expect(Buffer.from(stream.Read() ?? []).toString("hex")).toBe(expected.toString("hex"));
      },
    ),
  );
});
