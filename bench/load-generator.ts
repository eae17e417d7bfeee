// Sends the same message over and over on parallel sessions: `node bench/load-generator.ts --port 2525 --count 10000`.
// Each command waits for its reply, as smtp-source does; `--pipelining` sends MAIL, RCPT and DATA in one write.
// Forked, it makes one run after the other as it is told.
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { buildMessage, type MessageSize, toWire } from "./messages.ts";
import { monotonicMs } from "./smtp-sink.ts";

export interface LoadOptions {
  readonly host?: string;
  readonly port: number;
  readonly count: number;
  readonly sessions?: number;
  /** false: one connection per message. */
  readonly persistent?: boolean;
  readonly pipelining?: boolean;
  /** The content with its end-of-data line. */
  readonly wire: Buffer;
  readonly from?: string;
  readonly to?: string;
  /** The run ends here even when messages are missing. */
  readonly deadlineMs?: number;
}

export interface LoadResult {
  /** Messages answered with 250. */
  readonly accepted: number;
  readonly refused: number;
  /** Connections that broke before the answer. */
  readonly broken: number;
  /** Monotonic ms of the first connection and the last answer. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly rate: number;
  readonly cpuSeconds: number;
}

type Step = "greeting" | "ehlo" | "mail" | "rcpt" | "data" | "group" | "content" | "reset" | "quit";

const READ_BUFFER_BYTES = 4096;
const LF = 0x0a;
const DASH = 0x2d;

/** What the sessions share: how many messages remain, and how they ended. */
class Run {
  issued = 0;
  accepted = 0;
  refused = 0;
  broken = 0;
  readonly options: Required<LoadOptions>;
  readonly mail: string;
  readonly rcpt: string;
  readonly group: string;

  constructor(options: LoadOptions) {
    this.options = {
      host: "127.0.0.1",
      sessions: 20,
      persistent: true,
      pipelining: false,
      from: "sender@example.com",
      to: "recipient@example.org",
      deadlineMs: 60_000,
      ...options,
    };
    this.mail = `MAIL FROM:<${this.options.from}>\r\n`;
    this.rcpt = `RCPT TO:<${this.options.to}>\r\n`;
    this.group = `${this.mail}${this.rcpt}DATA\r\n`;
  }

  /** Claims the next message; false when all are claimed. */
  next(): boolean {
    if (this.issued >= this.options.count) return false;
    this.issued += 1;
    return true;
  }
}

class LoadSession {
  #run: Run;
  #socket: Socket | undefined;
  #step: Step = "greeting";
  #awaited = 1;
  #code = 0;
  #column = 0;
  #continued = false;
  #claimed = false;
  #finished: () => void;
  readonly #onread = {
    buffer: Buffer.allocUnsafe(READ_BUFFER_BYTES),
    callback: (bytes: number, buffer: Uint8Array): boolean => this.#read(bytes, buffer),
  };

  constructor(run: Run, finished: () => void) {
    this.#run = run;
    this.#finished = finished;
  }

  start(): void {
    if (!this.#claimed && !this.#run.next()) {
      this.#finished();
      return;
    }
    this.#claimed = true;
    this.#step = "greeting";
    this.#awaited = 1;
    const { host, port } = this.#run.options;
    const socket = connect({ host, port, noDelay: true, onread: this.#onread });
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#closed());
    this.#socket = socket;
  }

  abort(): void {
    this.#step = "quit";
    this.#claimed = false;
    this.#socket?.destroy();
  }

  #closed(): void {
    if (this.#step !== "quit") {
      this.#run.broken += 1;
      this.#claimed = false;
    }
    this.start();
  }

  /** Counts final reply lines byte by byte: replies are short, and this needs no string. */
  #read(bytes: number, buffer: Uint8Array): boolean {
    for (let i = 0; i < bytes; i += 1) {
      const byte = buffer[i] ?? 0;
      if (byte === LF) {
        this.#column = 0;
        if (!this.#continued) this.#reply(this.#code);
      } else {
        if (this.#column === 0) this.#code = (byte - 0x30) * 100;
        if (this.#column === 3) this.#continued = byte === DASH;
        this.#column += 1;
      }
    }
    return true;
  }

  #send(text: string, step: Step): void {
    this.#step = step;
    this.#awaited = 1;
    this.#socket?.write(text, "latin1");
  }

  #reply(code: number): void {
    this.#awaited -= 1;
    if (code >= 400) {
      this.#refused();
      return;
    }
    if (this.#awaited > 0) return;
    switch (this.#step) {
      case "greeting":
        this.#send("EHLO client.example.com\r\n", "ehlo");
        return;
      case "ehlo":
      case "reset":
        this.#begin();
        return;
      case "mail":
        this.#send(this.#run.rcpt, "rcpt");
        return;
      case "rcpt":
        this.#send("DATA\r\n", "data");
        return;
      case "data":
      case "group":
        this.#step = "content";
        this.#awaited = 1;
        this.#socket?.write(this.#run.options.wire);
        return;
      case "content":
        this.#run.accepted += 1;
        this.#claimed = false;
        this.#nextMessage();
        return;
      case "quit":
        this.#socket?.end();
        return;
    }
  }

  /** A refused group may still owe replies: a new connection is simpler than counting them. */
  #refused(): void {
    this.#run.refused += 1;
    this.#claimed = false;
    this.#step = "quit";
    this.#socket?.end("QUIT\r\n", "latin1");
  }

  #nextMessage(): void {
    if (this.#run.options.persistent && this.#run.next()) {
      this.#claimed = true;
      this.#begin();
      return;
    }
    this.#send("QUIT\r\n", "quit");
  }

  #begin(): void {
    if (!this.#run.options.pipelining) {
      this.#send(this.#run.mail, "mail");
      return;
    }
    this.#send(this.#run.group, "group");
    this.#awaited = 3;
  }
}

export async function generateLoad(options: LoadOptions): Promise<LoadResult> {
  const run = new Run(options);
  const cpu = process.cpuUsage();
  const startedAt = monotonicMs();
  let deadline: NodeJS.Timeout | undefined;
  const sessions: LoadSession[] = [];
  await new Promise<void>((resolve) => {
    let open = run.options.sessions;
    const finished = (): void => {
      open -= 1;
      if (open === 0) resolve();
    };
    for (let i = 0; i < run.options.sessions; i += 1) sessions.push(new LoadSession(run, finished));
    deadline = setTimeout(() => {
      run.issued = run.options.count;
      for (const session of sessions) session.abort();
    }, run.options.deadlineMs);
    for (const session of sessions) session.start();
  });
  clearTimeout(deadline);
  const endedAt = monotonicMs();
  const used = process.cpuUsage(cpu);
  return {
    accepted: run.accepted,
    refused: run.refused,
    broken: run.broken,
    startedAt,
    endedAt,
    rate: run.accepted / ((endedAt - startedAt) / 1000),
    cpuSeconds: (used.user + used.system) / 1e6,
  };
}

/** A run, as the parent of the process asks for it. */
export interface LoadOrder extends Omit<LoadOptions, "wire"> {
  readonly size: MessageSize;
}

function takeOrders(): void {
  process.on("message", ({ size, ...options }: LoadOrder) => {
    const wire = toWire(buildMessage(size));
    void generateLoad({ ...options, wire }).then((load) => process.send?.({ load }));
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "2525" },
      count: { type: "string", default: "1000" },
      sessions: { type: "string", default: "20" },
      size: { type: "string", default: "4k" },
      file: { type: "string" },
      from: { type: "string" },
      to: { type: "string" },
      conn: { type: "boolean", default: false },
      pipelining: { type: "boolean", default: false },
    },
  });
  const message =
    values.file === undefined
      ? buildMessage(values.size === "50k" ? "50k" : "4k")
      : readFileSync(values.file);
  const result = await generateLoad({
    port: Number(values.port),
    count: Number(values.count),
    sessions: Number(values.sessions),
    persistent: !values.conn,
    pipelining: values.pipelining,
    wire: toWire(message),
    ...(values.from === undefined ? {} : { from: values.from }),
    ...(values.to === undefined ? {} : { to: values.to }),
  });
  console.log(JSON.stringify(result));
}

if (import.meta.main) {
  if (process.send === undefined) await main();
  else takeOrders();
}
