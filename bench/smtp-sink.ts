// A next hop that accepts everything and counts: `node bench/smtp-sink.ts --port 0`, or `listen` in process.
// Under `fork` it answers { until: n } with { reached, at } (milliseconds of the monotonic clock) and { count: true }.
import { createServer, type Server, type Socket } from "node:net";
import { parseArgs } from "node:util";

const END_OF_DATA = Buffer.from("\r\n.\r\n");
const CRLF = Buffer.from("\r\n");
const MAX_HEAD_BYTES = 64 * 1024;
const EHLO_REPLY = "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n";

export interface SinkOptions {
  readonly host?: string;
  readonly port?: number;
  /** Name of a header field whose value is passed to `onMessage`. */
  readonly recordHeader?: string;
  readonly onMessage?: (value: string | undefined) => void;
}

export interface SmtpSink {
  readonly port: number;
  readonly count: number;
  /** Resolves with the monotonic time in ms at which the total reached `count`. */
  until(count: number): Promise<number>;
  close(): Promise<void>;
}

/** Milliseconds of the machine's monotonic clock: comparable between processes. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

class Session {
  #socket: Socket;
  #inData = false;
  #rest: Buffer = Buffer.alloc(0);
  #head: Buffer[] | undefined;
  #headBytes = 0;
  #deliver: (head: Buffer | undefined) => void;

  constructor(socket: Socket, keepHead: boolean, deliver: (head: Buffer | undefined) => void) {
    this.#socket = socket;
    this.#deliver = deliver;
    if (keepHead) this.#head = [];
  }

  read(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let replies = "";
    for (;;) {
      if (this.#inData) {
        const end = bytes.indexOf(END_OF_DATA);
        if (end < 0) break;
        this.#keep(bytes.subarray(0, end + 2));
        this.#finish();
        bytes = bytes.subarray(end + END_OF_DATA.length);
        replies += "250 2.0.0 Ok\r\n";
      } else {
        const end = bytes.indexOf(CRLF);
        if (end < 0) break;
        replies += this.#command(bytes[0] ?? 0, bytes[1] ?? 0);
        // The CRLF of the DATA line stays: content that is only "." ends at once.
        bytes = bytes.subarray(this.#inData ? end : end + CRLF.length);
      }
    }
    if (this.#inData && bytes.length > 4) {
      this.#keep(bytes.subarray(0, -4));
      bytes = bytes.subarray(-4);
    }
    this.#rest = bytes;
    if (replies !== "") this.#socket.write(replies, "latin1");
  }

  /** Two letters tell the verbs apart; upper and lower case differ in bit 5. */
  #command(first: number, second: number): string {
    switch (String.fromCharCode(first & 0xdf, second & 0xdf)) {
      case "EH":
        return EHLO_REPLY;
      case "HE":
        return "250 sink\r\n";
      case "DA":
        this.#inData = true;
        return "354 go on\r\n";
      case "QU":
        this.#socket.end("221 2.0.0 Bye\r\n", "latin1");
        return "";
      default:
        return "250 2.0.0 Ok\r\n";
    }
  }

  #keep(bytes: Buffer): void {
    if (this.#head === undefined || this.#headBytes > MAX_HEAD_BYTES) return;
    this.#head.push(Buffer.from(bytes));
    this.#headBytes += bytes.length;
  }

  #finish(): void {
    this.#inData = false;
    if (this.#head === undefined) {
      this.#deliver(undefined);
      return;
    }
    this.#deliver(Buffer.concat(this.#head));
    this.#head = [];
    this.#headBytes = 0;
  }
}

function headerValue(head: Buffer, name: string): string | undefined {
  const text = head.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  const block = `\r\n${end < 0 ? text : text.slice(0, end)}\r\n`;
  const at = block.toLowerCase().indexOf(`\r\n${name.toLowerCase()}:`);
  if (at < 0) return undefined;
  const start = at + name.length + 3;
  return block.slice(start, block.indexOf("\r\n", start)).trim();
}

class CountingSink implements SmtpSink {
  port = 0;
  count = 0;
  #server: Server;
  #sockets = new Set<Socket>();
  #waiting: { count: number; resolve: (at: number) => void }[] = [];

  constructor(options: SinkOptions) {
    const { recordHeader, onMessage } = options;
    const deliver = (head: Buffer | undefined): void => {
      this.#received();
      if (onMessage === undefined) return;
      onMessage(
        head === undefined || recordHeader === undefined ? undefined : headerValue(head, recordHeader),
      );
    };
    this.#server = createServer({ noDelay: true }, (socket) => {
      const session = new Session(socket, recordHeader !== undefined, deliver);
      this.#sockets.add(socket);
      socket.on("data", (chunk: Buffer) => session.read(chunk));
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      socket.write("220 sink ESMTP\r\n", "latin1");
    });
  }

  listen(host: string, port: number): Promise<this> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        const address = this.#server.address();
        if (address !== null && typeof address !== "string") this.port = address.port;
        resolve(this);
      });
    });
  }

  until(count: number): Promise<number> {
    if (this.count >= count) return Promise.resolve(monotonicMs());
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #received(): void {
    this.count += 1;
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter((one) => one.count <= this.count);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => one.count > this.count);
    for (const one of due) one.resolve(monotonicMs());
  }
}

export function listen(options: SinkOptions = {}): Promise<SmtpSink> {
  return new CountingSink(options).listen(options.host ?? "127.0.0.1", options.port ?? 0);
}

interface SinkQuestion {
  readonly until?: number;
  readonly count?: boolean;
}

const tell = (answer: object): void => void process.send?.(answer);

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
  const sink = await listen({ port: Number(values.port) });
  if (process.send === undefined) {
    console.log(`sink listens on 127.0.0.1:${sink.port}`);
    setInterval(() => console.log(`${sink.count} messages`), 1000).unref();
    return;
  }
  process.on("message", (question: SinkQuestion) => {
    const cpu = process.cpuUsage();
    if (question.count === true) tell({ count: sink.count, cpuSeconds: (cpu.user + cpu.system) / 1e6 });
    if (question.until !== undefined)
      void sink.until(question.until).then((at) => tell({ reached: sink.count, at }));
  });
  process.on("disconnect", () => process.exit(0));
  tell({ port: sink.port });
}

if (import.meta.main) await main();
