import { describe, expect, test } from "vitest";
import { type BareLineEnding, StreamParser } from "../../../../src/smtp/server/stream-parser.ts";
import { bodyOf, startListener } from "./support.ts";

interface Ended {
  readonly content: string;
  readonly bare: BareLineEnding | undefined;
  /** What runs as commands behind the content. */
  readonly commands: readonly string[];
}

/** What RFC 5321 §4.1.1.4 and §4.5.2 say, written down as plain text work. */
function expected(text: string): Ended {
  const whole = `\r\n${text}`;
  const end = whole.indexOf("\r\n.\r\n");
  const raw = whole.slice(2, end + 2);
  const content = whole
    .slice(0, end + 2)
    .replaceAll("\r\n.", "\r\n")
    .slice(2);
  const first = raw.search(/(?<!\r)\n|\r(?!\n)/);
  const commands = whole.slice(end + 5).split("\r\n");
  const bare = first < 0 ? undefined : raw[first] === "\n" ? "LF" : "CR";
  return { content, bare, commands: commands.slice(0, -1) };
}

function parse(chunks: readonly string[]): Ended {
  const content: string[] = [];
  const commands: string[] = [];
  let bare: BareLineEnding | undefined;
  const parser: StreamParser = new StreamParser(
    {
      onCommand: (line) =>
        void (line === "DATA" && content.length === 0 ? parser.expectData() : commands.push(line)),
      onLine: () => undefined,
      onData: (chunk) => void content.push(chunk.toString("latin1")),
      onDataEnd: (found) => (bare = found),
      onFault: (fault) => void commands.push(fault),
      onPause: () => undefined,
      onInputEnd: () => undefined,
    },
    { maxCommandLength: 4096, maxAuthLineLength: 4096 },
  );
  for (const chunk of chunks) if (chunk !== "") parser.write(Buffer.from(chunk, "latin1"));
  return { content: content.join(""), bare, commands };
}

const ALPHABET = ["\r", "\n", ".", "a"];

function* combinations(length: number): Generator<string> {
  if (length === 0) yield "";
  else for (const rest of combinations(length - 1)) for (const letter of ALPHABET) yield letter + rest;
}

/** Behind an early end the rest of the combination runs as commands: those with a bare LF are faults, and not compared. */
const isComparable = ({ commands }: Ended): boolean => commands.every((line) => !line.includes("\n"));

test("S11 S13 every combination of CR, LF, dot and text up to six bytes ends where the RFC says, split at every byte", () => {
  let compared = 0;
  for (let length = 0; length <= 6; length += 1) {
    for (const text of combinations(length)) {
      const dialogue = `DATA\r\n${text}\r\n.\r\nNEXT\r\n`;
      const wanted = expected(`${text}\r\n.\r\nNEXT\r\n`);
      if (!isComparable(wanted)) continue;
      const cuts =
        length < 6 ? Array.from({ length: text.length + 8 }, (_, at) => at + 6) : [0, 7, 8, 9, 10, 11, 12];
      for (const cut of cuts) {
        const found = parse([dialogue.slice(0, cut), dialogue.slice(cut)]);
        compared += 1;
        if (JSON.stringify(found) !== JSON.stringify(wanted))
          expect(found, `${JSON.stringify(text)} cut at ${cut}`).toEqual(wanted);
      }
    }
  }
  expect(compared).toBeGreaterThan(30_000);
});

const VARIANTS = [
  "\n.\n",
  "\n.\r\n",
  "\r\n.\n",
  "\r.\r",
  "\r.\n",
  "\n.\r",
  "\r.\r\n",
  "\r\n.\r",
  "\r\n\0.\r\n",
  "\r\n.\0\r\n",
  "\r\n.\r\r\n",
];

describe("smuggling by DATA and by BDAT", () => {
  test.each(VARIANTS)("S11 %j never makes two messages of one, whichever setting", async (ending) => {
    const smuggled = `hello${ending}MAIL FROM:<evil@example.net>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nevil\r\n`;
    for (const bareLineEndings of ["reject", "allow"] as const) {
      await using run = await startListener({ settings: { bareLineEndings } });
      const talk = await run.open();
      await talk.greet();
      await talk.toData();
      const said = await talk.say(`${smuggled}.`);
      expect(await talk.say("NOOP")).toMatch(/^250/);
      const messages = run.intake.messages.map(({ envelope }) => envelope.sender);
      expect(messages).toEqual(said.startsWith("250") ? ["a@example.net"] : []);
      if (said.startsWith("250")) expect(await bodyOf(run.intake.messages[0])).toContain("MAIL FROM:<evil");
      await talk.say("RSET");
      await talk.say("MAIL FROM:<a@example.net>");
      await talk.say("RCPT TO:<b@example.com>");
      talk.write(`BDAT ${Buffer.byteLength(smuggled)} LAST\r\n${smuggled}`);
      await talk.reply();
      expect(await talk.say("NOOP")).toMatch(/^250/);
      expect(run.intake.messages.every(({ envelope }) => envelope.sender === "a@example.net")).toBe(true);
    }
  });
});
