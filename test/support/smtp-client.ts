// SMTP from the client's side: `conversation` line by line with a transcript on failure, `send` for a whole message.
import { connect, type Socket } from "node:net";

const REPLY_TIMEOUT_MS = 15_000;

export interface SmtpReply {
  readonly code: number;
  /** All lines, without codes, joined by a line feed. */
  readonly text: string;
}

/** Every step is queued; `await` runs them in order. A step that fails throws with the transcript so far. */
export class Conversation implements AsyncDisposable, PromiseLike<SmtpReply> {
  #socket: Socket;
  #received = "";
  #transcript: string[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  #last: SmtpReply = { code: 0, text: "" };
  #steps: Promise<void> = Promise.resolve();

  constructor(port: number, host = "127.0.0.1") {
    this.#socket = connect({ port, host, noDelay: true });
    this.#socket.setEncoding("utf8");
    this.#socket.on("data", (text: string) => {
      this.#received += text;
      this.#wake?.();
    });
    const ended = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    this.#socket.on("error", ended);
    this.#socket.on("close", ended);
  }

  /** A command line; CRLF is added. */
  sends(line: string): this {
    return this.sendsBytes(Buffer.from(`${line}\r\n`), line);
  }

  /** Bytes as they are. */
  sendsBytes(bytes: Buffer, shown = `(${bytes.length} bytes)`): this {
    return this.#then(() => {
      this.#transcript.push(`C: ${shown}`);
      this.#socket.write(bytes);
      return Promise.resolve();
    });
  }

  /** The next reply has this code (or its first digit) and, when given, a text that matches. */
  expects(code: number, pattern?: RegExp | string): this {
    return this.#then(async () => {
      const answer = await this.#nextReply();
      const codeFits = code < 10 ? Math.floor(answer.code / 100) === code : answer.code === code;
      const textFits =
        pattern === undefined ||
        (typeof pattern === "string" ? answer.text.includes(pattern) : pattern.test(answer.text));
      if (!codeFits || !textFits)
        throw this.#failure(`expected ${code} ${pattern ?? ""}, got ${answer.code} ${answer.text}`);
    });
  }

  /** The server closes the connection. */
  expectsEnd(): this {
    return this.#then(async () => {
      while (!this.#ended) await this.#more();
    });
  }

  /** Resets the connection without a word, as a broken client does. */
  drops(): this {
    return this.#then(() => {
      this.#socket.resetAndDestroy();
      return Promise.resolve();
    });
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting a conversation is what it is for
  then<A = SmtpReply, B = never>(
    fulfilled?: ((reply: SmtpReply) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#steps.then(() => this.#last).then(fulfilled, rejected);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    return this.#steps.catch(() => undefined);
  }

  #then(step: () => Promise<void>): this {
    this.#steps = this.#steps.then(step);
    // The failure is reported to whoever awaits; without this, an un-awaited rest of the chain would end the process.
    this.#steps.catch(() => undefined);
    return this;
  }

  async #nextReply(): Promise<SmtpReply> {
    for (;;) {
      const reply = this.#parseReply();
      if (reply !== undefined) {
        this.#last = reply;
        return reply;
      }
      if (this.#ended) throw this.#failure("the server closed the connection");
      await this.#more();
    }
  }

  #parseReply(): SmtpReply | undefined {
    const match = /^(?:\d{3}-[^\n]*\n)*(\d{3})(?: [^\n]*)?\r?\n/.exec(this.#received);
    if (match === null) return undefined;
    this.#received = this.#received.slice(match[0].length);
    const lines = match[0].trimEnd().split(/\r?\n/);
    for (const line of lines) this.#transcript.push(`S: ${line}`);
    return { code: Number(match[1]), text: lines.map((line) => line.slice(4)).join("\n") };
  }

  async #more(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(this.#failure(`no reply within ${REPLY_TIMEOUT_MS} ms`)),
        REPLY_TIMEOUT_MS,
      );
      this.#wake = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #failure(what: string): Error {
    return new Error(`${what}\n${this.#transcript.slice(-40).join("\n")}`);
  }
}

export function conversation(port: number, host?: string): Conversation {
  return new Conversation(port, host);
}

export interface OutgoingMessage {
  readonly from?: string;
  readonly to?: string | readonly string[];
  readonly data: string | Buffer;
  /** Behind MAIL FROM:<…>, as "RET=HDRS ENVID=x". */
  readonly mailParameters?: string;
  /** Behind each RCPT TO:<…>, as "NOTIFY=NEVER". */
  readonly rcptParameters?: string;
}

/** Bare LF becomes CRLF in text; bytes are taken as they are. Dots are doubled, the end-of-data line is added. */
export function wireOf(data: string | Buffer): Buffer {
  const text =
    typeof data === "string"
      ? Buffer.from(data.replaceAll(/\r?\n/g, "\r\n")).toString("latin1")
      : data.toString("latin1");
  const stuffed = text.replaceAll(/(^|\r\n)\./g, "$1..");
  return Buffer.from(`${stuffed}${stuffed.endsWith("\r\n") ? "" : "\r\n"}.\r\n`, "latin1");
}

/** Sends one message and answers with the reply to the content. Throws when an earlier step is refused. */
export async function send(port: number, message: OutgoingMessage): Promise<SmtpReply> {
  return sendAll(port, [message]);
}

/** Sends messages one after the other on one connection; the answer is the reply to the last content. */
export async function sendAll(port: number, messages: readonly OutgoingMessage[]): Promise<SmtpReply> {
  await using talk = conversation(port);
  let last: SmtpReply = { code: 0, text: "" };
  talk.expects(220).sends("EHLO client.example.com").expects(250);
  for (const message of messages) {
    const to = message.to ?? "recipient@example.org";
    const mailParameters = message.mailParameters === undefined ? "" : ` ${message.mailParameters}`;
    const rcptParameters = message.rcptParameters === undefined ? "" : ` ${message.rcptParameters}`;
    talk.sends(`MAIL FROM:<${message.from ?? "sender@example.com"}>${mailParameters}`).expects(250);
    for (const address of typeof to === "string" ? [to] : to)
      talk.sends(`RCPT TO:<${address}>${rcptParameters}`).expects(250);
    last = await talk.sends("DATA").expects(354).sendsBytes(wireOf(message.data)).expects(250);
  }
  await talk.sends("QUIT").expects(221);
  return last;
}

/** A small plain message. `extra` are header lines without CRLF. */
export function plainMessage(subject: string, body = "Hello.", extra: readonly string[] = []): string {
  return [
    "From: Sender <sender@example.com>",
    "To: Recipient <recipient@example.org>",
    `Subject: ${subject}`,
    "Date: Mon, 16 Nov 2026 10:00:00 +0000",
    `Message-ID: <${subject.replaceAll(/[^A-Za-z0-9]/g, ".")}@example.com>`,
    ...extra,
    "",
    body,
    "",
  ].join("\r\n");
}
