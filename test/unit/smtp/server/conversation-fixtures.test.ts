// Plays test/conversations/inbound against the real listener.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DEFAULT_KEYWORDS, KEYWORDS, type Keyword } from "../../../../src/core/esmtp-keywords.ts";
import { defaultSmtpServerSettings, type SmtpServerSettings } from "../../../../src/smtp/server/settings.ts";
import {
  type Dialogue,
  matchesLines,
  readDialogues,
  type Step,
  unescape,
} from "../../../support/conversation-file.ts";
import { protocolChain, runParts } from "../../../support/protocol-sinks.ts";
import { sinkOf } from "../../../support/sink-actions.ts";
import { quickHash } from "../../../support/quick-hash.ts";
import { bodyOf, type RunningListener, startListener, type Talk } from "./support.ts";

const pem = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/tls/${name}.pem`, import.meta.url), "utf8");
const alice = quickHash("s3cret");

/** Orders that set the stage, wherever they stand. */
const STAGE = new Set(["settings", "sink", "deadline", "tls", "users", "queue"]);

class Player {
  readonly #talk: Talk;
  readonly #run: RunningListener;
  readonly #at: (step: Step) => string;
  #taken = 0;
  #isOver = false;

  constructor(run: RunningListener, talk: Talk, at: (step: Step) => string) {
    this.#run = run;
    this.#talk = talk;
    this.#at = at;
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (step.kind === "client") this.#talk.write(bytesOf(step.lines));
      else if (step.kind === "server") await this.#expectReply(step);
      else if (!STAGE.has(step.name)) await this.#obey(step.name, step.argument, this.#at(step));
    }
    if (!this.#isOver) await this.#expectInStep();
  }

  async #expectReply(step: Step & { kind: "server" }): Promise<void> {
    const heard = (await this.#talk.reply()).split("\n");
    if (!matchesLines(step.lines, heard)) expect(heard, this.#at(step)).toEqual(step.lines);
  }

  async #obey(name: string, argument: string, at: string): Promise<void> {
    switch (name) {
      case "handshake":
        return this.#talk.startTls();
      case "closed":
        this.#isOver = true;
        return expect(await this.#talk.rest(), at).toBe("");
      case "leave":
        this.#isOver = true;
        return void this.#talk.socket.destroy();
      case "nothing":
        return expect(this.#run.intake.messages.slice(this.#taken), at).toEqual([]);
      case "taken":
        return this.#expectEnvelope(argument, at);
      case "content":
        return expect(await bodyOf(this.#run.intake.messages[this.#taken - 1]), at).toBe(
          unescape(argument).toString("latin1"),
        );
      case "repeat":
        return this.#talk.write(
          unescape(argument.slice(argument.indexOf(" ") + 1))
            .toString("latin1")
            .repeat(Number.parseInt(argument, 10)),
        );
      default:
        throw new Error(`${at}: no such order: @${name}`);
    }
  }

  #expectEnvelope(argument: string, at: string): void {
    const envelope = this.#run.intake.messages[this.#taken]?.envelope;
    this.#taken += 1;
    const addresses = envelope?.recipients.map(({ address }) => address).join(" ");
    expect(envelope && `<${envelope.sender}> ${addresses}`, at).toBe(argument);
  }

  /** One command, one reply, and nothing that was left over: client and server agree where they stand. */
  async #expectInStep(): Promise<void> {
    this.#talk.write("NOOP in step\r\n");
    const last = await this.#talk.reply();
    expect(last, "the reply to a last NOOP").toMatch(/^[2-5]\d\d/);
    this.#talk.write("QUIT\r\n");
    await this.#talk.reply();
    expect((await this.#talk.rest()).replace(/^(?:\d{3}.*\r\n)$/, ""), "nothing behind QUIT").toBe("");
  }
}

const bytesOf = (lines: readonly string[]): Buffer =>
  Buffer.concat(
    lines.map((line) =>
      line.endsWith("\\")
        ? unescape(line.slice(0, -1))
        : Buffer.concat([unescape(line), Buffer.from("\r\n")]),
    ),
  );

async function startFor(dialogue: Dialogue): Promise<RunningListener> {
  const orders = dialogue.steps.filter((step) => step.kind === "order");
  const all = (name: string): string[] =>
    orders.filter((order) => order.name === name).map(({ argument }) => argument);
  const chain = protocolChain("OnInboundCommand", all("sink").map(sinkOf));
  const settings: Partial<SmtpServerSettings> = Object.assign({}, ...all("settings").map(parseSettings));
  const server = { name: "default", defaultDomain: "example.com", properties: new Map<string, unknown>() };
  const [queue] = all("queue");
  return startListener({
    settings: {
      ...settings,
      ...(all("tls").length > 0
        ? { tls: { certificate: pem("certificate"), key: pem("key"), implicit: [], ...settings.tls } }
        : {}),
      ...(all("users").length > 0 ? { auth: usersOf(settings) } : {}),
    },
    ...(queue === undefined ? {} : { startQueues: () => Number(queue) }),
    protocol: { ...runParts, sinkDeadlineMs: Number(all("deadline")[0] ?? 2000), chain: () => chain, server },
  });
}

/** Keywords are told as changes of the default: `{"keywords": ["-DSN", "+ETRN"]}`. */
function parseSettings(text: string): Record<string, unknown> {
  const settings: Record<string, unknown> = JSON.parse(text);
  const { keywords } = settings;
  if (!Array.isArray(keywords)) return settings;
  const isOffered = (keyword: Keyword): boolean =>
    keywords.includes(`+${keyword}`) ||
    (DEFAULT_KEYWORDS.includes(keyword) && !keywords.includes(`-${keyword}`));
  return { ...settings, keywords: KEYWORDS.filter(isOffered) };
}

const usersOf = (settings: Partial<SmtpServerSettings>): SmtpServerSettings["auth"] => ({
  ...defaultSmtpServerSettings.auth,
  users: { alice },
  allowPlaintext: true,
  failureDelayMs: 1,
  ...settings.auth,
});

const dialogues = readDialogues("inbound");
const files = Map.groupBy(dialogues, ({ file }) => file);

describe.concurrent.each([...files.keys()])("%s", (file) => {
  test.each((files.get(file) ?? []).map((dialogue): [string, Dialogue] => [dialogue.title, dialogue]))(
    "%s",
    async (_, dialogue) => {
      await using run = await startFor(dialogue);
      const talk = await run.open();
      await new Player(run, talk, (step) => `${file}:${step.at}`).play(dialogue.steps);
    },
  );
});

const WHOLE_MATRIX = ["MAIL", "RCPT"];
const VERBS =
  "EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP HELP VRFY EXPN ETRN TURN ATRN AUTH STARTTLS QUIT XCLIENT XFORWARD XFOO _EOD";

test.each(VERBS.split(" "))("%s is played with every place a sink can have", (verb) => {
  const titles = dialogues.map(({ title }) => title).filter((title) => title.startsWith(`${verb}: `));
  const places = ["no sink", "before", "instead", "replaced", "after"];
  const missing = places.filter((place) => !titles.some((title) => title.startsWith(`${verb}: ${place}`)));
  expect(missing).toEqual([]);
  if (WHOLE_MATRIX.includes(verb)) expect(titles.length).toBeGreaterThan(15);
});
