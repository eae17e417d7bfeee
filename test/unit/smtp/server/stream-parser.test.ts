import { once } from "node:events";
import { array, assert, asyncProperty, constantFrom, nat } from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BareLineEnding,
  type FramingFault,
  StreamParser,
} from "../../../../src/smtp/server/stream-parser.ts";

interface Seen {
  readonly commands: string[];
  readonly lines: Buffer[];
  readonly messages: { content: string; bare: BareLineEnding | undefined }[];
  readonly faults: FramingFault[];
  pauses: number;
  parser: StreamParser;
}

/** DATA starts content; everything else is only kept. */
function watch(maxCommandLength = 4096, maxAuthLineLength = 4096): Seen {
  let content: Buffer[] = [];
  const client = {
    onCommand(line: string): void {
      seen.commands.push(line);
      if (line === "DATA") seen.parser.expectData();
      if (line === "ASK") seen.parser.expectLine();
      if (line === "WAIT") {
        seen.parser.hold();
        void Promise.resolve().then(() => seen.parser.release());
      }
      if (line.startsWith("BDAT ")) seen.parser.expectBytes(Number(line.slice(5)));
    },
    onLine(line: Buffer): void {
      seen.lines.push(Buffer.from(line));
    },
    onData(chunk: Buffer): undefined {
      content.push(Buffer.from(chunk));
    },
    onDataEnd(bare: BareLineEnding | undefined): void {
      seen.messages.push({ content: Buffer.concat(content).toString("latin1"), bare });
      content = [];
    },
    onFault(fault: FramingFault): void {
      seen.faults.push(fault);
    },
    onPause(): void {
      seen.pauses++;
    },
    onInputEnd: () => undefined,
  };
  const seen: Seen = {
    commands: [],
    lines: [],
    messages: [],
    faults: [],
    pauses: 0,
    parser: new StreamParser(client, { maxCommandLength, maxAuthLineLength }),
  };
  return seen;
}

async function feed(seen: Seen, chunks: readonly (string | Buffer)[]): Promise<Seen> {
  for (const chunk of chunks) {
    const bytes = Buffer.from(typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk);
    if (!seen.parser.write(bytes)) await once(seen.parser, "drain");
    if (seen.faults.length > 0) break;
  }
  return seen;
}

const eachByte = (text: string): string[] => text.split("");
const outcome = ({ commands, messages, faults }: Seen): unknown => ({ commands, messages, faults });

// FAULTS S11: content, whether the first bytes already end the message, and what counts as its first bare line ending.
const END_VARIANTS: [text: string, content: string, bare: BareLineEnding | undefined][] = [
  ["x\n.\ny", "x\n.\ny", "LF"],
  ["x\n.\r\ny", "x\n.\r\ny", "LF"],
  ["x\r\n.\ny", "x\r\n\ny", "LF"],
  ["x\r.\ry", "x\r.\ry", "CR"],
  ["x\r.\r\ny", "x\r.\r\ny", "CR"],
  ["x\r.\ny", "x\r.\ny", "CR"],
  ["x\n.\ry", "x\n.\ry", "LF"],
  ["x\r\n.\ry", "x\r\n\ry", "CR"],
  ["x\r\n\0.\r\ny", "x\r\n\0.\r\ny", undefined],
  ["x\r\n.\0\r\ny", "x\r\n\0\r\ny", undefined],
  ["x\r\n.\r\r\ny", "x\r\n\r\r\ny", "CR"],
  ["x\r\n..\r\ny", "x\r\n.\r\ny", undefined],
  ["..\r\ny", ".\r\ny", undefined],
  ["x\r\n.\r.\r\ny", "x\r\n\r.\r\ny", "CR"],
];

describe("end of data", () => {
  test.each(END_VARIANTS)(
    "S11 %j does not end the data, wherever the chunks are cut",
    async (text, content, bare) => {
      const dialogue = `DATA\r\n${text}\r\n.\r\nNEXT\r\n`;
      const expected = {
        commands: ["DATA", "NEXT"],
        messages: [{ content: `${content}\r\n`, bare }],
        faults: [],
      };
      for (let cut = 0; cut <= dialogue.length; cut++) {
        expect(outcome(await feed(watch(), [dialogue.slice(0, cut), dialogue.slice(cut)]))).toEqual(expected);
      }
      expect(outcome(await feed(watch(), eachByte(dialogue)))).toEqual(expected);
    },
  );

  test("a dot on the first line ends an empty message", async () => {
    for (const chunks of [["DATA\r\n.\r\nNEXT\r\n"], eachByte("DATA\r\n.\r\nNEXT\r\n")]) {
      const seen = await feed(watch(), chunks);
      expect(seen.messages).toEqual([{ content: "", bare: undefined }]);
      expect(seen.commands).toEqual(["DATA", "NEXT"]);
    }
  });
});

test("a line that is asked for comes as it was sent, in any cut; the next one is a command again", async () => {
  const sent = Buffer.from([0, 1, 0x2e, 0xff, 0xc3, 0x0d, 0x20, 0x80]);
  const wire = Buffer.concat([Buffer.from("ASK\r\n"), sent, Buffer.from("\r\nNOOP\r\n")]);
  for (let cut = 0; cut <= wire.length; cut += 1) {
    const seen = await feed(watch(), [wire.subarray(0, cut), wire.subarray(cut)]);
    expect(seen.lines).toEqual([sent]);
    expect(seen.commands).toEqual(["ASK", "NOOP"]);
  }
});

test("S14 what was stuffed comes back byte for byte, in any cut", async () => {
  const piece = constantFrom("\r\n", ".", "..", "a", "\r\n.", "\r\n..", "\0", "é", " ");
  await assert(
    asyncProperty(
      array(piece, { maxLength: 40 }),
      array(nat(120), { maxLength: 6 }),
      async (pieces, cuts) => {
        const content = `${pieces.join("")}\r\n`;
        const stuffed = content.replaceAll(/(^|\r\n)\./g, "$1..");
        const wire = Buffer.from(`DATA\r\n${stuffed}.\r\nQUIT\r\n`, "latin1");
        const places = [...new Set(cuts.map((cut) => Math.min(cut, wire.length)))].sort((a, b) => a - b);
        const chunks = [0, ...places].map((from, index) => wire.subarray(from, places[index] ?? wire.length));
        const seen = await feed(watch(), chunks);
        expect(seen.messages).toEqual([
          { content: Buffer.from(content, "latin1").toString("latin1"), bare: undefined },
        ]);
        expect(seen.commands).toEqual(["DATA", "QUIT"]);
      },
    ),
    { numRuns: 300 },
  );
});

test("S14 a million stuffed lines are taken in one pass per chunk", async () => {
  const lines = Buffer.from("..\r\n".repeat(1_000_000));
  const seen = watch();
  await feed(seen, ["DATA\r\n"]);
  const started = performance.now();
  for (let at = 0; at < lines.length; at += 65_536) await feed(seen, [lines.subarray(at, at + 65_536)]);
  await feed(seen, [".\r\n"]);
  expect(seen.messages[0]?.content).toHaveLength(3_000_000);
  // FAULTS S14 allows two seconds; quadratic work would take minutes.
  expect(performance.now() - started).toBeLessThan(5000);
});

test("a message in one chunk is handed on as one slice of that chunk", () => {
  const chunks: Buffer[] = [];
  const parser: StreamParser = new StreamParser(
    {
      onCommand: () => parser.expectData(),
      onLine: () => undefined,
      onData: (chunk) => void chunks.push(chunk),
      onDataEnd: () => undefined,
      onFault: () => undefined,
      onPause: () => undefined,
      onInputEnd: () => undefined,
    },
    { maxCommandLength: 4096, maxAuthLineLength: 4096 },
  );
  const input = Buffer.from("DATA\r\nSubject: x\r\n\r\n..body\r\n.\r\n");
  parser.write(input);
  expect(chunks.map(String)).toEqual(["Subject: x\r\n\r\n.body\r\n"]);
  expect(chunks[0]?.buffer).toBe(input.buffer);
});

describe("command lines", () => {
  test("S01 a line without an end is refused at the cap, cut or not", async () => {
    const long = "a".repeat(5000);
    expect((await feed(watch(), [long])).faults).toEqual(["line-too-long"]);
    expect((await feed(watch(), [`${long}\r\n`])).faults).toEqual(["line-too-long"]);
    expect((await feed(watch(), eachByte(long))).faults).toEqual(["line-too-long"]);
    expect((await feed(watch(), [`${"a".repeat(4094)}\r\n`])).faults).toEqual([]);
  });

  test.each([
    ["AUTH with what proves the client", "Auth XOAUTH2 "],
    ["an answer that was asked for", "ASK\r\n"],
  ])("RFC 4954 §4: %s may be longer than a command, up to its own cap", async (_, start) => {
    const rest = (length: number): string => `${start}${"a".repeat(length - start.length)}\r\n`;
    for (const cut of [(text: string) => [text], eachByte]) {
      const seen = await feed(watch(100, 300), cut(`${rest(290)}NOOP\r\n`));
      expect(seen.faults).toEqual([]);
      expect(seen.commands.at(-1)).toBe("NOOP");
      expect((await feed(watch(100, 300), cut(rest(310)))).faults).toEqual(["line-too-long"]);
    }
  });

  test("the longer cap is for AUTH alone, and never the shorter one", async () => {
    const long = "a".repeat(200);
    expect((await feed(watch(100, 300), [`AUTHX ${long}\r\n`])).faults).toEqual(["line-too-long"]);
    expect((await feed(watch(300, 100), [`AUTH ${long}\r\nASK\r\n${long}\r\n`])).faults).toEqual([]);
  });

  test("S23 a bare line feed breaks the framing and nothing behind it runs", async () => {
    const seen = await feed(watch(), ["NOOP\r\nNOOP\nQUIT\r\n"]);
    expect(seen.commands).toEqual(["NOOP"]);
    expect(seen.faults).toEqual(["bare-line-feed"]);
  });

  test("a bare carriage return stays in the line", async () => {
    expect((await feed(watch(), ["NOOP\rQUIT\r\n"])).commands).toEqual(["NOOP\rQUIT"]);
  });

  test("S24 a TLS record is recognised by its first byte", async () => {
    expect((await feed(watch(), ["\x16\x03\x01"])).faults).toEqual(["not-smtp"]);
  });

  test("S05 a hundred thousand pipelined commands neither overflow the stack nor keep the loop", async () => {
    const seen = watch();
    let turns = 0;
    const count = setInterval(() => turns++, 0);
    await feed(seen, ["NOOP\r\n".repeat(100_000)]);
    clearInterval(count);
    expect(seen.commands).toHaveLength(100_000);
    expect(turns).toBeGreaterThan(0);
  });

  test("a hold stops before the next command until its release", async () => {
    const seen = watch();
    seen.parser.hold();
    const fed = feed(seen, ["NOOP\r\nQUIT\r\n"]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen.commands).toEqual([]);
    seen.parser.release();
    await fed;
    expect(seen.commands).toEqual(["NOOP", "QUIT"]);
  });
});

test("a client that pipelines behind a command in work is read no further, however small its pieces", async () => {
  const seen = watch();
  seen.parser.hold();
  const piece = Buffer.from("NOOP\r\n".repeat(100));
  let taken = 1;
  while (seen.parser.write(piece)) taken++;
  expect(taken).toBe(Math.ceil((16 * 1024) / piece.length));
  const drained = once(seen.parser, "drain");
  seen.parser.release();
  await drained;
  expect(seen.commands).toHaveLength(taken * 100);
  expect(seen.parser.write(piece)).toBe(true);
});

test("counted content is taken as it is, whatever it looks like", async () => {
  const dialogue = "BDAT 6\r\nx\r\n.\r\nBDAT 0\r\nNOOP\r\n";
  for (const chunks of [[dialogue], eachByte(dialogue)]) {
    const seen = await feed(watch(), chunks);
    expect(seen.messages.map((message) => message.content)).toEqual(["x\r\n.\r\n", ""]);
    expect(seen.commands).toEqual(["BDAT 6", "BDAT 0", "NOOP"]);
  }
});

test.each(["NOOP", "WAIT"])(
  "thousands of %s in one chunk leave other sessions their turns",
  async (command) => {
    const seen = watch();
    seen.parser.write(Buffer.from(`${command}\r\n`.repeat(5000)));
    await new Promise((resolve) => void setImmediate(resolve));
    expect(seen.commands.length).toBeLessThan(1000);
    while (seen.commands.length < 5000) await new Promise((resolve) => void setImmediate(resolve));
  },
);
