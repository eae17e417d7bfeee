// What is kept of the text of strangers, for as long as a recipient waits: a part of a text holds the whole of it in memory.
import { expect, test } from "vitest";
import { ReplyReader } from "../../../src/smtp/client/reply-reader.ts";
import { parseMail, parseRcpt } from "../../../src/smtp/server/path-command.ts";
import { KEYWORDS } from "../../../src/core/esmtp-keywords.ts";
import { collectGarbage } from "../../support/collect-garbage.ts";

const COUNT = 1000;

/** Bytes that stay in memory of each of what `make` answers. */
async function keptBytes(make: (at: number) => unknown): Promise<number> {
  await collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: COUNT }, (_, at) => make(at));
  await collectGarbage();
  return (process.memoryUsage().heapUsed - before) / kept.length;
}

const scope = { defaultDomain: "example.com", keywords: new Set(KEYWORDS), isSecure: true };

test.each([
  [
    "the sender",
    (at: number) => parseMail(`MAIL FROM:<somebody-${at}@example.net>${" ".repeat(8000)}`, scope),
  ],
  [
    "an envelope id",
    (at: number) => parseMail(`MAIL FROM:<>${" ".repeat(8000)}ENVID=the-envelope-number-${at}`, scope),
  ],
  [
    "a recipient",
    (at: number) =>
      parseRcpt(
        `RCPT TO:<somebody-${at}@example.org>${" ".repeat(8000)}ORCPT=rfc822;somebody-else-${at}@example.org`,
        scope,
        false,
      ),
  ],
])("of a padded command line: %s", async (_, make) => {
  expect(make(0).ok).toBe(true);
  expect(await keptBytes(make)).toBeLessThan(2500);
});

test.each([
  ["many lines", (at: number) => `${`450-${"x".repeat(900)}\r\n`.repeat(60)}450 ${at}\r\n`],
  ["many short lines", (at: number) => `${"450-some text\r\n".repeat(4000)}450 ${at}\r\n`],
  ["a long line", (at: number) => `450 ${at} ${"x".repeat(8000)}\r\n`],
])("of a reply of %s: its text", async (_, replyOf) => {
  const textOf = (at: number): string => {
    let kept = "";
    const reader = new ReplyReader(({ text }) => (kept = text));
    expect(reader.push(Buffer.from(replyOf(at)))).toBeUndefined();
    return kept;
  };
  expect(textOf(0)).toHaveLength(500);
  expect(await keptBytes(textOf)).toBeLessThan(4000);
});
