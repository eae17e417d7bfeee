// A private workerd to compare script calls with: one worker behind HTTP on loopback, the message as the body of the request. It is not
// among our dependencies: WORKERD names a folder where `npm install workerd postal-mime` was run.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { freePort } from "./postfix.ts";
import { end, sleep } from "./subject.ts";

const PORT_TIMEOUT_MS = 10_000;

const folder = (): string => process.env["WORKERD"] ?? "";
const program = (): string => join(folder(), "node_modules/workerd/bin/workerd");

/** Why workerd cannot take part here, or undefined when it can. */
export function workerdMissing(): string | undefined {
  const packages = [program(), join(folder(), "node_modules/postal-mime/package.json")];
  if (packages.every((path) => existsSync(path))) return undefined;
  return "the environment variable WORKERD does not name a folder with the packages workerd and postal-mime";
}

/** What a worker does with a message: looks at one header, or parses all of it. */
const WORKERS = {
  header: `export default {
  async fetch(request) {
    const start = new Uint8Array(await request.arrayBuffer()).subarray(0, 8192);
    const text = new TextDecoder("latin1").decode(start);
    const header = text.slice(0, text.indexOf("\\r\\n\\r\\n"));
    const subject = /^subject:(.*(?:\\r\\n[ \\t].*)*)/im.exec(header);
    return new Response(/lottery/i.test(subject?.[1] ?? "") ? "refused" : "passed");
  },
};
`,
  bodies: `import PostalMime from "postal-mime";
export default {
  async fetch(request) {
    const message = await PostalMime.parse(await request.arrayBuffer());
    const isSpam = /lottery/i.test(message.subject ?? "") || /lottery/i.test(message.text ?? "");
    return new Response(isSpam ? "refused" : "passed " + message.attachments.length);
  },
};
`,
};

export type WorkerKind = keyof typeof WORKERS;

const configuration = (port: number): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.mjs", esModule = embed "worker.mjs")],
  compatibilityDate = "2026-01-01",
);
`;

async function connected(port: number): Promise<Socket> {
  for (const until = Date.now() + PORT_TIMEOUT_MS; Date.now() < until; await sleep(50)) {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    if (isOpen) return socket;
  }
  throw new Error(`workerd does not listen on port ${port}`);
}

/** One request at a time on a kept connection; the answer is complete when as much has come as it says. */
class Session {
  readonly #socket: Socket;
  #received = "";
  #answered: ((status: string) => void) | undefined;
  #broken: ((error: Error) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => this.#take(text));
    socket.on("error", (error) => this.#broken?.(error));
    socket.on("close", () => this.#broken?.(new Error("workerd closed the connection")));
  }

  #take(text: string): void {
    this.#received += text;
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const length = Number(/^content-length: *(\d+)/im.exec(this.#received)?.[1]);
    if (this.#received.length < headEnd + 4 + length) return;
    const status = this.#received.slice(9, 12);
    this.#received = "";
    this.#answered?.(status);
  }

  async ask(request: Buffer): Promise<void> {
    const status = await new Promise<string>((resolve, reject) => {
      this.#answered = resolve;
      this.#broken = reject;
      this.#socket.write(request);
    });
    if (status !== "200") throw new Error(`workerd answered ${status}`);
  }

  close(): void {
    this.#broken = undefined;
    this.#socket.destroy();
  }
}

export interface Workerd {
  /** So many messages over all sessions, each waiting for its answer. */
  callMany(messages: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startWorkerd(kind: WorkerKind, message: Buffer, sessions: number): Promise<Workerd> {
  const home = mkdtempSync(join(tmpdir(), "workerd-bench-"));
  const port = await freePort();
  await build({
    stdin: { contents: WORKERS[kind], resolveDir: folder() },
    bundle: true,
    format: "esm",
    outfile: join(home, "worker.mjs"),
  });
  writeFileSync(join(home, "config.capnp"), configuration(port));
  const child = spawn(program(), ["serve", join(home, "config.capnp")], { stdio: "ignore" });
  const open: Session[] = [];
  const stop = async (): Promise<void> => {
    for (const session of open) session.close();
    await end(child);
    rmSync(home, { recursive: true, force: true });
  };
  try {
    while (open.length < sessions) open.push(new Session(await connected(port)));
  } catch (error) {
    await stop();
    throw error;
  }
  const head = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: message/rfc822\r\nContent-Length: ${message.length}\r\n\r\n`;
  const request = Buffer.concat([Buffer.from(head), message]);
  const callMany = async (messages: number): Promise<void> => {
    const lane = async (session: Session): Promise<void> => {
      for (let done = 0; done < messages / sessions; done += 1) await session.ask(request);
    };
    await Promise.all(open.map(lane));
  };
  return { callMany, stop };
}
