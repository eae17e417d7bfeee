// The running service's side of the control socket: JSON lines over a Unix socket that only the service's user may open.
import { existsSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../core/clock.ts";
import { describeError, OnArrivalError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { ControlMethods, Params } from "./control-methods.ts";
import { chooseSocketPath, findSocketPath, removePointer } from "./control-path.ts";

/** A request of 100,000 ids fits; more is refused and the connection closed. */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024;
const MAX_CONNECTIONS = 32;
const IDLE_MS = 60_000;
/** How often we look whether the socket is still there. */
const LOOK_MS = 5000;
const NEWLINE = 0x0a;

export interface ControlServer {
  readonly socketPath: string;
  close(): Promise<void>;
}

export interface ControlServerOptions {
  readonly mailroot: string;
  readonly methods: ControlMethods;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Request {
  readonly id: unknown;
  readonly method: string;
  readonly params: Params;
}

export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const server = new RunningServer(options);
  await server.open();
  return server;
}

class RunningServer implements ControlServer {
  readonly #options: ControlServerOptions;
  readonly #sockets = new Set<Socket>();
  #server = createServer();
  #path = "";
  #isGone = false;
  #isClosed = false;
  #cancelLook: () => void = () => undefined;
  #looking: Promise<void> | undefined;

  constructor(options: ControlServerOptions) {
    this.#options = options;
  }

  get socketPath(): string {
    return this.#path;
  }

  /** The mailroot's lock is held by the caller: a socket that is still there belongs to a service that ended badly. */
  async open(): Promise<void> {
    const { mailroot, methods, log } = this.#options;
    this.#path = await chooseSocketPath(mailroot);
    if (await answers(this.#path))
      throw new OnArrivalError("MAILROOT_LOCKED", `another service answers on ${this.#path}`);
    await rm(this.#path, { force: true });
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      serveConnection(socket, methods, log);
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
    await listen(this.#server, this.#path);
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#cancelLook = this.#options.clock.after(LOOK_MS, () => void (this.#looking = this.#look()));
  }

  /** Who tidies up may take the socket away: no command would reach the service any more. */
  async #look(): Promise<void> {
    const { mailroot, log } = this.#options;
    try {
      if ((await findSocketPath(mailroot)) === this.#path && existsSync(this.#path)) {
        this.#lookLater();
        return;
      }
      if (!this.#isGone) log.warn({ mailroot }, "the control socket is gone; it is made again");
      this.#isGone = true;
      // First: it removes what lies at its path.
      this.#server.close();
      await this.open();
      this.#isGone = false;
    } catch {
      this.#lookLater();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelLook();
    await this.#looking;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await removePointer(this.#options.mailroot);
  }
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function listen(server: Server, socketPath: string): Promise<void> {
  // The socket must never exist with wider rights: bind() makes it, at once, under this umask.
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(socketPath, resolve);
      process.umask(before);
    });
    await chmod(socketPath, 0o600);
  } catch (error) {
    throw new OnArrivalError("MAILROOT_UNUSABLE", `control socket ${socketPath}: ${describeError(error)}`, {
      cause: error,
    });
  } finally {
    process.umask(before);
  }
}

function serveConnection(socket: Socket, methods: ControlMethods, log: Logger): void {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  const take = (line: Buffer): void => {
    answer(line, methods, log).then(
      (text) => socket.writable && socket.write(text),
      () => socket.destroy(),
    );
  };
  socket.on("data", (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      take(Buffer.concat([...pending, chunk.subarray(start, end)]));
      [pending, pendingBytes, start] = [[], 0, end + 1];
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    if (pendingBytes > MAX_REQUEST_BYTES) socket.destroy();
  });
}

async function answer(line: Buffer, methods: ControlMethods, log: Logger): Promise<string> {
  const request = parseRequest(line);
  const id = request?.id ?? null;
  try {
    if (request === undefined)
      throw new OnArrivalError("WRONG_USE", "a request is one line of JSON with a method");
    const method = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
    if (method === undefined)
      throw new OnArrivalError("WRONG_USE", `no method ${request.method.slice(0, 100)}`);
    const result: unknown = await method(request.params);
    return `${JSON.stringify({ id, result: result ?? null })}\n`;
  } catch (error) {
    const code = error instanceof OnArrivalError ? error.code : "INTERNAL";
    if (code === "INTERNAL") log.error({ method: request?.method, err: error }, "control method failed");
    return `${JSON.stringify({ id, error: { code, message: describeError(error) } })}\n`;
  }
}

function parseRequest(line: Buffer): Request | undefined {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    if (!isObject(value) || typeof value["method"] !== "string") return undefined;
    const { id, method, params } = value;
    return {
      id: typeof id === "number" || typeof id === "string" ? id : null,
      method,
      params: isObject(params) ? params : {},
    };
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Params =>
  typeof value === "object" && value !== null && !Array.isArray(value);
