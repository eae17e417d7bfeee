// A conversation over a real socket, and an intake that keeps what it was given.
import { mkdtemp, open, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type Clock, systemClock } from "../../../../src/core/clock.ts";
import type { Envelope, Origin } from "../../../../src/core/envelope.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { Content } from "../../../../src/message/content.ts";
import type { Intake, Spool } from "../../../../src/smtp/server/intake.ts";
import type { InboundProtocol } from "../../../../src/smtp/server/command-run.ts";
import { defaultSmtpServerSettings, type SmtpServerSettings } from "../../../../src/smtp/server/settings.ts";
import type { StartQueues } from "../../../../src/smtp/server/session-parts.ts";
import type { SizeSinks } from "../../../../src/smtp/server/size-sinks.ts";
import {
  createSmtpListener,
  type ReverseLookup,
  type SmtpListener,
} from "../../../../src/smtp/server/smtp-listener.ts";

export interface Taken {
  readonly id: string;
  readonly origin: Origin;
  readonly envelope: Envelope;
  readonly content: Content;
}

export interface KeptIntake extends Intake {
  readonly messages: Taken[];
  spools: number;
  /** Called before a message counts as taken. */
  before: () => Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export function keepingIntake(): KeptIntake {
  let folder: Promise<string> | undefined;
  let created = 0;
  const intake: KeptIntake = {
    messages: [],
    spools: 0,
    before: () => Promise.resolve(),
    nextId: () => `m${intake.messages.length + 1}`,
    async createSpool() {
      folder ??= mkdtemp(join(tmpdir(), "spool-"));
      intake.spools++;
      return fileSpool(join(await folder, String(++created)), () => intake.spools--);
    },
    async submit(id, origin, envelope, content) {
      await intake.before();
      intake.messages.push({ id, origin, envelope, content });
    },
    async [Symbol.asyncDispose]() {
      if (folder !== undefined) await rm(await folder, { recursive: true, force: true });
    },
  };
  return intake;
}

async function fileSpool(path: string, onDiscard: () => void): Promise<Spool> {
  const file = await open(path, "w");
  let length = 0;
  return {
    async write(chunk) {
      await file.appendFile(chunk);
      length += chunk.length;
    },
    async finish(start) {
      await file.close();
      return Content.fromFile(start, { path, offset: 0, length });
    },
    async discard() {
      await file.close();
      await rm(path);
      onDiscard();
    },
  };
}

export interface RunningListener {
  readonly listener: SmtpListener;
  readonly intake: KeptIntake;
  readonly port: number;
  readonly ports: readonly number[];
  open(): Promise<Talk>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface StartOptions {
  readonly settings?: Partial<SmtpServerSettings>;
  readonly clock?: Clock;
  readonly lookUp?: ReverseLookup;
  readonly protocol?: InboundProtocol;
  readonly sizeSinks?: SizeSinks;
  readonly domainFlags?: (domain: string) => number;
  readonly startQueues?: StartQueues;
}

export async function startListener({
  settings,
  clock = systemClock,
  lookUp,
  protocol,
  sizeSinks,
  domainFlags,
  startQueues,
}: StartOptions = {}): Promise<RunningListener> {
  const intake = keepingIntake();
  const all: SmtpServerSettings = {
    ...defaultSmtpServerSettings,
    hostName: "mx.example.com",
    listen: [{ host: "127.0.0.1", port: 0 }],
    localDomains: ["example.com"],
    defaultDomain: "example.com",
    ...settings,
  };
  const listener = createSmtpListener({
    settings: all,
    intake,
    logger: silentLogger,
    clock,
    lookUp,
    protocol,
    sizeSinks,
    domainFlags,
    startQueues,
  });
  const ports = (await listener.listen()).map((bound) => bound.port);
  const port = ports[0] ?? 0;
  const talks: Talk[] = [];
  return {
    listener,
    intake,
    port,
    ports,
    async open() {
      const talk = await Talk.open(port);
      talks.push(talk);
      return talk;
    },
    async [Symbol.asyncDispose]() {
      for (const talk of talks) talk.socket.destroy();
      await listener.close(0);
      await intake[Symbol.asyncDispose]();
    },
  };
}

const DEADLINE_MS = 8000;

/** One client. Replies are read one by one; a deadline ends a wait with the transcript. */
export class Talk {
  socket: Socket;
  #received = "";
  #transcript = "";
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#listen(socket);
  }

  static open(port: number, host = "127.0.0.1"): Promise<Talk> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true });
      const talk = new Talk(socket);
      socket.once("connect", () => resolve(talk));
      socket.once("error", reject);
    });
  }

  static openTls(port: number): Promise<Talk> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
      const talk = new Talk(socket);
      socket.once("secureConnect", () => resolve(talk));
      socket.once("error", reject);
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  write(bytes: string | Buffer): void {
    this.#transcript += `C: ${JSON.stringify(bytes.toString("latin1").slice(0, 300))}\n`;
    this.socket.write(bytes);
  }

  /** One whole reply, its lines joined by "\n". */
  async reply(): Promise<string> {
    const deadline = setTimeout(() => this.socket.destroy(new Error("deadline")), DEADLINE_MS);
    try {
      for (;;) {
        const match = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n/.exec(this.#received);
        if (match !== null) {
          this.#received = this.#received.slice(match[0].length);
          this.#transcript += `S: ${match[0]}`;
          return match[0].trimEnd().replaceAll("\r\n", "\n");
        }
        if (this.#isClosed)
          throw new Error(
            `closed before a reply; rest ${JSON.stringify(this.#received)}\n${this.#transcript}`,
          );
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  async say(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  /** Everything up to the end of the connection. */
  async rest(): Promise<string> {
    const deadline = setTimeout(() => this.socket.destroy(new Error("deadline")), DEADLINE_MS);
    while (!this.#isClosed) await new Promise<void>((resolve) => (this.#wake = resolve));
    clearTimeout(deadline);
    return this.#received;
  }

  async greet(verb = "EHLO client.example.net"): Promise<string> {
    await this.reply();
    return this.say(verb);
  }

  /** A transaction up to the point where content is expected. */
  async toData(recipients: readonly string[] = ["b@example.com"]): Promise<void> {
    await this.say("MAIL FROM:<a@example.net>");
    for (const recipient of recipients) await this.say(`RCPT TO:<${recipient}>`);
    const go = await this.say("DATA");
    if (!go.startsWith("354")) throw new Error(`${go}\n${this.#transcript}`);
  }

  async startTls(): Promise<void> {
    const plain = this.socket;
    plain.removeAllListeners("data").removeAllListeners("close");
    const secure: TLSSocket = connectTls({ socket: plain, rejectUnauthorized: false });
    this.socket = secure;
    this.#listen(secure);
    await new Promise<void>((resolve, reject) => {
      secure.once("secureConnect", () => resolve());
      secure.once("error", reject);
    });
  }

  #listen(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      this.#wake();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake();
    });
  }
}

/** What arrived, without our trace field. */
export async function bodyOf(taken: Taken | undefined): Promise<string> {
  if (taken === undefined) return "(nothing)";
  const whole = (await taken.content.toBuffer()).toString("latin1");
  return whole.replace(/^Received: [^\r]*\r\n(?:\t[^\r]*\r\n)*/, "");
}
