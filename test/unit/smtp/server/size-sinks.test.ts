// MaxMsgSize: sinks let messages above the limit pass, at MAIL, at the end of DATA and by BDAT.
import { expect, test } from "vitest";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import type { MessageSizeContext } from "../../../../src/events/contexts/size-contexts.ts";
import { SystemSinks } from "../../../../src/events/system-chain.ts";
import type { SizeSinks } from "../../../../src/smtp/server/size-sinks.ts";
import { systemChain } from "../../transport/transport-house.ts";
import { bodyOf, type RunningListener, startListener, type Talk } from "./support.ts";

const TOO_LARGE = /^552 5\.3\.4/;
const body = (bytes: number): string => `Subject: x\r\n\r\n${"a".repeat(bytes)}\r\n`;

function sizeSinks(...sinks: ((context: MessageSizeContext) => void | Promise<void>)[]): SizeSinks {
  const chain = systemChain("MaxMsgSize", sinks);
  return {
    chain: () => chain,
    sinks: new SystemSinks({ clock: systemClock, log: silentLogger, sinkDeadlineMs: 2000 }),
  };
}

async function start(
  sinks: SizeSinks,
  settings: object = {},
): Promise<{ run: RunningListener; talk: Talk; offer: string }> {
  const run = await startListener({
    settings: { maxMessageSize: 1000, inlineBytes: 500, ...settings },
    sizeSinks: sinks,
  });
  const talk = await run.open();
  return { run, talk, offer: await talk.greet() };
}

async function sendData(talk: Talk, bytes: number): Promise<string> {
  await talk.toData();
  talk.write(`${body(bytes)}.\r\n`);
  return talk.reply();
}

test("a sink that raises the limit lets a message pass at MAIL and at the end of data, others are refused as before", async () => {
  const seen: MessageSizeContext[] = [];
  const { run, talk, offer } = await start(
    sizeSinks((context) => {
      seen.push({ ...context });
      if (context.sender === "a@example.net") context.limit = 4000;
    }),
  );
  await using _ = run;
  // RFC 1870 §4: with a number there clients would send nothing larger.
  expect(offer).toMatch(/^250-SIZE$/m);
  expect(await talk.say("MAIL FROM:<other@example.net> SIZE=2000")).toMatch(TOO_LARGE);
  expect(await talk.say("MAIL FROM:<a@example.net> SIZE=5000")).toMatch(TOO_LARGE);
  expect(await talk.say("MAIL FROM:<a@example.net> SIZE=3000")).toMatch(/^250/);
  await talk.say("RSET");
  expect(await sendData(talk, 3000)).toMatch(/^250/);
  expect(await bodyOf(run.intake.messages[0])).toBe(body(3000));
  expect(seen.at(-1)).toMatchObject({
    stage: "data",
    server: "default",
    sender: "a@example.net",
    recipients: ["b@example.com"],
    limit: 1000,
  });
  expect(await sendData(talk, 5000)).toMatch(TOO_LARGE);
  expect(run.intake.messages).toHaveLength(1);
});

test("what a sink allows is allowed by promise as well, and in chunks", async () => {
  const { run, talk } = await start(
    sizeSinks(async (context) => {
      await Promise.resolve();
      context.limit = Number.POSITIVE_INFINITY;
    }),
  );
  await using _ = run;
  await talk.say("MAIL FROM:<a@example.net> SIZE=3000");
  await talk.say("RCPT TO:<b@example.com>");
  const text = body(3000);
  talk.write(`BDAT ${text.length} LAST\r\n${text}`);
  expect(await talk.reply()).toMatch(/^250/);
  expect(await bodyOf(run.intake.messages[0])).toBe(text);
});

test.each([
  ["that lowers the limit", (context: MessageSizeContext) => void (context.limit = 10)],
  ["that sets no number", (context: MessageSizeContext) => void (context.limit = Number.NaN)],
  ["that looks on", () => undefined],
])("a sink %s leaves the limit as it is", async (_name, sink) => {
  const { run, talk } = await start(sizeSinks(sink));
  await using _ = run;
  expect(await sendData(talk, 500)).toMatch(/^250/);
  expect(await sendData(talk, 2000)).toMatch(TOO_LARGE);
});

test("the limit of the session stands whatever a sink says", async () => {
  const all = (context: MessageSizeContext): void => void (context.limit = Number.POSITIVE_INFINITY);
  const { run, talk } = await start(sizeSinks(all), { maxSessionSize: 5000 });
  await using _ = run;
  expect(await sendData(talk, 6000)).toMatch(/^421 4\.3\.4/);
});

test("a client that leaves while a sink is asked leaves nothing behind", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const { run, talk } = await start(
    sizeSinks((context) => {
      context.limit = Number.POSITIVE_INFINITY;
      asked.resolve();
      return answer.promise;
    }),
  );
  await using _ = run;
  await talk.toData();
  talk.write(body(3000));
  await asked.promise;
  talk.socket.destroy();
  await talk.rest();
  answer.resolve();
  await new Promise(setImmediate);
  expect(run.intake.messages).toEqual([]);
});

test("without a sink EHLO offers the limit, and nothing above it is taken", async () => {
  const { run, talk, offer } = await start(sizeSinks());
  await using _ = run;
  expect(offer).toContain("250-SIZE 1000");
  expect(await talk.say("MAIL FROM:<a@example.net> SIZE=2000")).toMatch(TOO_LARGE);
});
