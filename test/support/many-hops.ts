// Many next hops on one port: which one a client has reached is told by the loopback address. Each keeps the tokens of what it took.
import { type Server, type Socket, createServer } from "node:net";
import { TOKEN_HEADER } from "./ledger.ts";

export type Manner =
  | "healthy"
  /** Each reply takes two seconds. */
  | "slow"
  /** Takes connections and says nothing. */
  | "mute"
  /** Refuses every recipient. */
  | "refusing";

const SLOW_MS = 2000;
const END_OF_DATA = Buffer.from("\r\n.\r\n");
const CRLF = Buffer.from("\r\n");
const TOKEN = new RegExp(`${TOKEN_HEADER}: (\\S+)\r\n`);

export class ManyHops implements AsyncDisposable {
  /** How often each token was taken. */
  readonly taken = new Map<string, number>();
  onTaken: ((token: string) => void) | undefined;
  port = 0;
  readonly #servers = new Map<string, Server>();
  readonly #sockets = new Set<Socket>();

  /** The first one chooses the port of all. */
  async add(host: string, manner: Manner): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      if (manner !== "mute") new HopSession(socket, manner, (token) => this.#take(token)).greet();
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port: this.port, backlog: 1024 }, resolve);
    });
    const address = server.address();
    if (address !== null && typeof address !== "string") this.port = address.port;
    this.#servers.set(host, server);
  }

  /** The same host behaves otherwise from now on. */
  async change(host: string, manner: Manner): Promise<void> {
    const before = this.#servers.get(host);
    for (const socket of this.#sockets) if (socket.localAddress === host) socket.destroy();
    await new Promise<void>((resolve) => (before === undefined ? resolve() : before.close(() => resolve())));
    await this.add(host, manner);
  }

  #take(token: string): void {
    this.taken.set(token, (this.taken.get(token) ?? 0) + 1);
    this.onTaken?.(token);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      [...this.#servers.values()].map(
        (server) => new Promise<void>((resolve) => server.close(() => resolve())),
      ),
    );
  }
}

class HopSession {
  readonly #socket: Socket;
  readonly #manner: Manner;
  readonly #take: (token: string) => void;
  #rest: Buffer = Buffer.alloc(0);
  #inData = false;

  constructor(socket: Socket, manner: Manner, take: (token: string) => void) {
    this.#socket = socket;
    this.#manner = manner;
    this.#take = take;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  greet(): void {
    this.#answer("220 hop.example ESMTP\r\n");
  }

  #answer(text: string): void {
    if (this.#manner !== "slow") this.#socket.write(text, "latin1");
    else setTimeout(() => this.#socket.writable && this.#socket.write(text, "latin1"), SLOW_MS);
  }

  #read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let replies = "";
    for (;;) {
      const end = this.#rest.indexOf(this.#inData ? END_OF_DATA : CRLF);
      if (end < 0) break;
      const text = this.#rest.toString("latin1", 0, end + 2);
      if (this.#inData) {
        const token = TOKEN.exec(text)?.[1];
        if (token !== undefined) this.#take(token);
        this.#inData = false;
        this.#rest = this.#rest.subarray(end + END_OF_DATA.length);
        replies += "250 2.0.0 taken\r\n";
      } else {
        replies += this.#command(text.slice(0, 4).toUpperCase());
        // The CRLF of the DATA line stays: content that is only "." ends at once.
        this.#rest = this.#rest.subarray(this.#inData ? end : end + 2);
      }
    }
    if (replies !== "") this.#answer(replies);
  }

  #command(verb: string): string {
    if (verb === "EHLO") return "250-hop.example\r\n250-PIPELINING\r\n250 SIZE 0\r\n";
    if (verb === "QUIT") return "221 2.0.0 bye\r\n";
    if (verb === "RCPT" && this.#manner === "refusing") return "550 5.1.1 no such user\r\n";
    if (verb !== "DATA") return "250 2.0.0 ok\r\n";
    if (this.#manner === "refusing") return "554 5.5.1 no valid recipients\r\n";
    this.#inData = true;
    return "354 go on\r\n";
  }
}
