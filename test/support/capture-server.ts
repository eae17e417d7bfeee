// A next hop for tests: keeps every message byte for byte with its envelope, and refuses, delays or drops on demand.
import { createServer, type Server, type Socket } from "node:net";
import { eventually } from "./eventually.ts";

const END_OF_DATA = Buffer.from("\r\n.\r\n");
const CRLF = Buffer.from("\r\n");

export interface CapturedMessage {
  readonly from: string;
  /** Everything behind the path of MAIL, as "SIZE=120 BODY=8BITMIME". */
  readonly mailParameters: string;
  readonly to: readonly string[];
  readonly rcptParameters: readonly string[];
  /** The content with dot-stuffing undone. */
  readonly content: Buffer;
  readonly session: number;
}

/** What the server answers. Each may be changed while it runs; undefined means yes. */
export interface CaptureScript {
  greeting?: string | undefined;
  /** EHLO keywords, without SIZE and PIPELINING the client has to do without them. */
  extensions: string[];
  /** A reply line instead of 250, as "550 5.1.1 no such user". */
  mail?: ((from: string) => string | undefined) | undefined;
  rcpt?: ((address: string) => string | undefined) | undefined;
  data?: (() => string | undefined) | undefined;
  /** The answer to the content. `"drop"` closes the connection after the content was kept; `"drop-before"` keeps nothing. */
  content?: ((message: CapturedMessage) => string | undefined) | undefined;
  /** Milliseconds before the answer to the content. */
  contentDelayMs: number;
}

export interface CaptureServer extends AsyncDisposable {
  readonly port: number;
  readonly messages: CapturedMessage[];
  readonly script: CaptureScript;
  /** All verbs received, in order, for questions about how the client spoke. */
  readonly commands: string[];
  readonly connections: number;
  /** Resolves when at least `count` messages are there. */
  received(count: number, timeoutMs?: number): Promise<readonly CapturedMessage[]>;
  /** Stops listening and drops all connections; `listen` begins again on the same port. */
  stop(): Promise<void>;
  listen(): Promise<void>;
}

interface Transaction {
  from: string;
  mailParameters: string;
  to: string[];
  rcptParameters: string[];
}

const emptyTransaction = (): Transaction => ({ from: "", mailParameters: "", to: [], rcptParameters: [] });

/** RFC 5321 §4.5.2, undone. */
export function unstuff(content: Buffer): Buffer {
  const text = content.toString("latin1");
  return Buffer.from(text.replace(/^\./, "").replaceAll("\r\n.", "\r\n"), "latin1");
}

class CaptureSession {
  #socket: Socket;
  #server: Capture;
  #number: number;
  #rest: Buffer = Buffer.alloc(0);
  #data: Buffer[] | undefined;
  #transaction = emptyTransaction();
  #work: Promise<void> = Promise.resolve();

  constructor(socket: Socket, server: Capture, number: number) {
    this.#socket = socket;
    this.#server = server;
    this.#number = number;
    socket.on("data", (chunk: Buffer) => {
      // One after the other: a delayed answer must not be overtaken by the next command.
      this.#work = this.#work.then(() => this.#read(chunk));
    });
  }

  async #read(chunk: Buffer): Promise<void> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const more = this.#data === undefined ? this.#readCommand() : await this.#readData();
      if (!more || this.#socket.destroyed) return;
    }
  }

  #readCommand(): boolean {
    const end = this.#rest.indexOf(CRLF);
    if (end < 0) return false;
    const line = this.#rest.toString("utf8", 0, end);
    this.#rest = this.#rest.subarray(end + 2);
    this.#command(line);
    return true;
  }

  async #readData(): Promise<boolean> {
    const data = this.#data;
    if (data === undefined) return false;
    // The searched bytes begin with the CRLF of the DATA line, so that "." alone is found too.
    const end = this.#rest.indexOf(END_OF_DATA);
    if (end < 0) {
      const keep = this.#rest.length - 4;
      if (keep > 0) {
        data.push(this.#rest.subarray(0, keep));
        this.#rest = this.#rest.subarray(keep);
      }
      return false;
    }
    data.push(this.#rest.subarray(0, end + 2));
    this.#rest = this.#rest.subarray(end + END_OF_DATA.length);
    this.#data = undefined;
    const content = unstuff(Buffer.concat(data).subarray(2));
    const message = { ...this.#transaction, content, session: this.#number };
    this.#transaction = emptyTransaction();
    const { script } = this.#server;
    if (script.contentDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, script.contentDelayMs));
    const answer = script.content?.(message);
    if (answer === "drop-before") this.#socket.destroy();
    else if (answer === undefined || answer === "drop" || answer.startsWith("2"))
      this.#server.messages.push(message);
    if (answer === "drop") this.#socket.destroy();
    if (!this.#socket.destroyed) this.#answer(answer ?? "250 2.0.0 kept");
    return true;
  }

  #answer(text: string): void {
    this.#socket.write(`${text}\r\n`);
  }

  #command(line: string): void {
    const verb = (line.split(" ", 1)[0] ?? "").toUpperCase();
    this.#server.commands.push(line);
    switch (verb) {
      case "EHLO":
        this.#answer(
          ["250-capture.example", ...this.#server.script.extensions.map((e) => `250-${e}`), "250 HELP"].join(
            "\r\n",
          ),
        );
        return;
      case "MAIL":
        this.#mail(line);
        return;
      case "RCPT":
        this.#recipient(line);
        return;
      case "DATA":
        this.#startData();
        return;
      case "QUIT":
        this.#socket.end("221 2.0.0 bye\r\n");
        return;
      case "RSET":
        this.#transaction = emptyTransaction();
        this.#answer("250 2.0.0 ok");
        return;
      default:
        this.#answer("250 2.0.0 ok");
    }
  }

  #mail(line: string): void {
    const from = /<([^>]*)>/.exec(line)?.[1] ?? "";
    const refusal = this.#server.script.mail?.(from);
    if (refusal === undefined) {
      this.#transaction = {
        ...emptyTransaction(),
        from,
        mailParameters: line.slice(line.indexOf(">") + 1).trim(),
      };
    }
    this.#answer(refusal ?? "250 2.1.0 ok");
  }

  #recipient(line: string): void {
    const address = /<([^>]*)>/.exec(line)?.[1] ?? "";
    const refusal = this.#server.script.rcpt?.(address);
    if (refusal === undefined) {
      this.#transaction.to.push(address);
      this.#transaction.rcptParameters.push(line.slice(line.indexOf(">") + 1).trim());
    }
    this.#answer(refusal ?? "250 2.1.5 ok");
  }

  #startData(): void {
    const refusal = this.#server.script.data?.();
    const noRecipients = this.#transaction.to.length === 0 ? "554 5.5.1 no valid recipients" : undefined;
    if (refusal !== undefined || noRecipients !== undefined) {
      this.#answer(refusal ?? noRecipients ?? "");
      return;
    }
    this.#data = [];
    this.#rest = Buffer.concat([CRLF, this.#rest]);
    this.#answer("354 go on");
  }
}

class Capture implements CaptureServer {
  port = 0;
  connections = 0;
  readonly messages: CapturedMessage[] = [];
  readonly commands: string[] = [];
  readonly script: CaptureScript = {
    extensions: ["PIPELINING", "8BITMIME", "SIZE 0", "ENHANCEDSTATUSCODES", "DSN"],
    contentDelayMs: 0,
  };
  #server: Server | undefined;
  #sockets = new Set<Socket>();

  async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#connected(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address !== null && typeof address !== "string") this.port = address.port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async received(count: number, timeoutMs = 15_000): Promise<readonly CapturedMessage[]> {
    const what = `the arrival of ${count} messages at the next hop`;
    try {
      return await eventually(() => this.messages.length >= count && this.messages, { timeoutMs, what });
    } catch (error) {
      throw new Error(`${what}: only ${this.messages.length} came`, { cause: error });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #connected(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const session = new CaptureSession(socket, this, this.connections);
    void session;
    socket.write(`${this.script.greeting ?? "220 capture.example ESMTP"}\r\n`);
  }
}

export async function startCaptureServer(script: Partial<CaptureScript> = {}): Promise<CaptureServer> {
  const capture = new Capture();
  Object.assign(capture.script, script);
  await capture.listen();
  return capture;
}
