// Throws arbitrary bytes at every state of a session: the server answers in the grammar of replies, or closes; it never throws,
// never keeps a dead client, and serves the next one.
import { readFileSync } from "node:fs";
import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  nat,
  oneof,
  record,
  string,
  uint8Array,
} from "fast-check";
import { expect } from "vitest";
import { KEYWORDS } from "../../src/core/esmtp-keywords.ts";
import { defaultSmtpServerSettings } from "../../src/smtp/server/settings.ts";
import { type RunningListener, startListener, Talk } from "../unit/smtp/server/support.ts";
import { protocolChain, runParts } from "./protocol-sinks.ts";
import { quickHash } from "./quick-hash.ts";
import { sinkOf } from "./sink-actions.ts";

const pem = (name: string): string =>
  readFileSync(new URL(`../fixtures/tls/${name}.pem`, import.meta.url), "utf8");

const HELLO = "EHLO x\r\n";
const TRANSACTION = `${HELLO}MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.com>\r\n`;

const LMTP = "on an LMTP listener";

/** What is sent first, and how many replies it has. */
export const SESSION_STATES: Readonly<Record<string, readonly [opening: string, replies: number]>> = {
  "before hello": ["", 0],
  "after hello": [HELLO, 1],
  "after MAIL": [`${HELLO}MAIL FROM:<>\r\n`, 2],
  "after RCPT": [TRANSACTION, 3],
  "inside DATA": [`${TRANSACTION}DATA\r\n`, 4],
  "inside a chunk": [`${TRANSACTION}BDAT 40\r\n`, 3],
  "between chunks": [`${TRANSACTION}BDAT 1\r\nx`, 4],
  "inside AUTH PLAIN": [`${HELLO}AUTH PLAIN\r\n`, 2],
  "inside AUTH LOGIN": [`${HELLO}AUTH LOGIN\r\nYWxpY2U=\r\n`, 3],
  authenticated: [`${HELLO}AUTH PLAIN AGFsaWNlAHMzY3JldA==\r\n`, 2],
  "inside a handshake": [`${HELLO}STARTTLS\r\n`, 2],
  "while a sink asks": [`${HELLO}XASK\r\n`, 2],
  "while a sink thinks": [`${HELLO}XLATER\r\n`, 1],
  "behind XCLIENT": [`${HELLO}XCLIENT ADDR=192.0.2.1 LOGIN=ann\r\n`, 2],
  "behind XFORWARD": [`${HELLO}XFORWARD ADDR=192.0.2.1\r\n`, 2],
  [LMTP]: [TRANSACTION.replace("EHLO", "LHLO"), 3],
};

const WORDS =
  "EHLO x|HELO|LHLO x|ETRN example.org|XCLIENT ADDR=[UNAVAILABLE]|MAIL FROM:<a@b.example>|MAIL FROM:<>|MAIL|RCPT TO:<b@example.com>|RCPT TO:<>|DATA|BDAT 3|BDAT 9 LAST|BDAT|BDAT -1|RSET|NOOP|HELP|VRFY x|EXPN y|ETRN z|AUTH PLAIN|AUTH LOGIN|AUTH|STARTTLS|XCLIENT ADDR=::1|XFORWARD NAME=a|XASK|XLATER|XTHROW|*|=|.|..|QUIT";

/** Commands, pieces of commands, separators and bytes, in any order. */
const input = array(
  oneof(
    { weight: 4, arbitrary: constantFrom(...WORDS.split("|").map((line) => `${line}\r\n`)) },
    {
      weight: 2,
      arbitrary: constantFrom(
        "\r\n",
        "\r",
        "\n",
        "\r\n.\r\n",
        "\0",
        " ",
        "\t",
        "SIZE=",
        "\x16\x03\x01",
        "<",
        ">",
        '"',
      ),
    },
    { weight: 1, arbitrary: string({ maxLength: 30, unit: "binary" }) },
    {
      weight: 1,
      arbitrary: uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    },
    { weight: 1, arbitrary: constantFrom("A".repeat(5000), "NOOP\r\n".repeat(120)) },
  ),
  { maxLength: 12 },
);

export async function startFuzzed(state: string): Promise<RunningListener> {
  const sinks = [
    "before XASK: ask 334 well?",
    "before XLATER: later 250 done",
    "after XTHROW: throw",
    "before: watch",
    "after: watch",
  ];
  const chain = protocolChain("OnInboundCommand", sinks.map(sinkOf));
  const server = { name: "default", defaultDomain: "example.com", properties: new Map<string, unknown>() };
  return startListener({
    settings: {
      protocol: state === LMTP ? "lmtp" : "smtp",
      trust: { proxy: [], xclient: ["127.0.0.1"], xforward: ["127.0.0.1"] },
      keywords: KEYWORDS,
      etrnDomains: ["example.org"],
      tls: { certificate: pem("certificate"), key: pem("key"), implicit: [] },
      auth: {
        ...defaultSmtpServerSettings.auth,
        users: { alice: quickHash("s3cret") },
        allowPlaintext: true,
        failureDelayMs: 0,
        lockout: { failures: 0, minutes: 1 },
      },
      maxSessionSize: 100_000,
    },
    startQueues: () => 0,
    protocol: { ...runParts, chain: () => chain, server },
  });
}

/** A client that has said goodbye is not kept; the rest of a talk is cut off after 8 s. */
const CLOSED_WITHIN_MS = 7000;

const REPLIES = /^(?:(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n)*$/;

/** Ends with the client's own end: closes in both directions, or resets. */
async function attack(
  run: RunningListener,
  opening: readonly [string, number],
  pieces: readonly string[],
  cut: number,
  isReset: boolean,
  isSecret: boolean,
): Promise<void> {
  const talk = await Talk.open(run.port);
  await talk.reply();
  if (opening[0] !== "") talk.write(opening[0]);
  for (let index = 0; index < opening[1]; index += 1) await talk.reply();
  const bytes = Buffer.from(pieces.join(""), "latin1");
  const at = Math.min(cut, bytes.length);
  talk.socket.write(bytes.subarray(0, at));
  if (cut % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  talk.socket.write(bytes.subarray(at));
  if (isReset) talk.socket.resetAndDestroy();
  else talk.socket.end();
  const ended = performance.now();
  const heard = await talk.rest();
  expect(performance.now() - ended, "until the server closed").toBeLessThan(CLOSED_WITHIN_MS);
  // What is said inside TLS is no text; what is cut off by a reset may end anywhere.
  if (!isReset && !isSecret && !heard.includes("Ready to start TLS")) expect(heard).toMatch(REPLIES);
}

export async function fuzzState(
  run: RunningListener,
  state: string,
  numRuns: number,
  seed?: number,
): Promise<void> {
  const opening = SESSION_STATES[state];
  if (opening === undefined) throw new Error(`no such state: ${state}`);
  const attempt = record({ pieces: input, cut: nat(200), end: nat(5) });
  await assert(
    asyncProperty(attempt, ({ pieces, cut, end }) =>
      attack(run, opening, pieces, cut, end === 0, state === "inside a handshake"),
    ),
    { numRuns, ...(seed === undefined ? {} : { seed }) },
  );
  const talk = await Talk.open(run.port);
  expect(await talk.greet(state === LMTP ? "LHLO x" : "EHLO x")).toMatch(/^250/);
  await talk.toData();
  expect(await talk.say("still here\r\n.")).toMatch(/^250/);
  talk.socket.destroy();
  await expect.poll(() => run.listener.connections).toBe(0);
}
