// One TCP or TLS connection to a peer: whole replies in, bytes out, one deadline for the stage in hand.
import { connect as connectTcp, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import { describeError } from "../../core/errors.ts";
import type { NextHop, TlsPolicy } from "./destination.ts";
import { harmlessText, peerReply, ReplyReader, type PeerReply } from "./reply-reader.ts";
import { identityProblem, tlsOptions } from "./tls-options.ts";
import type { WireLog } from "./wire-log.ts";

export interface WireListener {
  onReply(reply: PeerReply): void;
  /** The connection is gone; nothing more comes. */
  onLost(reason: string): void;
}

/** A lost connection answers like a peer that closes the channel (RFC 5321 §3.8); RFC 3463: 4.1 no answer, 4.2 bad connection. */
const lostReply = (reason: string, spoken: boolean): PeerReply => ({
  ...peerReply(421, `4.4.${spoken ? 2 : 1} ${reason}`),
  own: true,
});

/** Bytes read at a time from a plain socket. */
const READ_BYTES = 4096;

const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;

export class Wire {
  readonly host: string;
  readonly remote: string;
  /** Chunks received so far: two replies of one chunk were sent together. */
  chunks = 0;
  encrypted = false;
  /** The host has proven to be the one meant: its certificate is trusted and names it, or is pinned. */
  verified = false;
  /** Who gets the replies. Without a listener a reply is unsolicited, and the two sides no longer agree. */
  listener: WireListener | undefined;
  #socket: Socket;
  #reader: ReplyReader;
  #lost: string | undefined;
  #onClosed: () => void;
  #stage = "connect";
  #limitMs: number;
  /** Undefined until the stage is looked at for the first time: stages are many, looks are few. */
  #deadline: number | undefined;
  #onDrained: (() => void) | undefined;
  readonly #log: WireLog | undefined;

  /** Starts to connect; the first reply is the greeting. `onClosed` is called once, at the very end. */
  constructor(
    hop: NextHop,
    address: string,
    tls: TlsPolicy,
    limits: { connectMs: number; greetingMs: number },
    onClosed: () => void,
    log?: WireLog,
  ) {
    const { host, port, socketPath } = hop;
    this.host = host;
    this.remote = socketPath ?? (host === address ? `${host}:${port}` : `${host} [${address}]:${port}`);
    this.#onClosed = onClosed;
    this.#log = log;
    this.#limitMs = limits.connectMs;
    this.#reader = this.#newReader();
    const target = socketPath === undefined ? { host: address, port, noDelay: true } : { path: socketPath };
    const greet = (): void => this.startStage("greeting", limits.greetingMs);
    if (tls.implicit === true) {
      const secured = connectTls({ ...tlsOptions(tls, host), ...target });
      this.#socket = secured;
      secured.once("secureConnect", () => this.#secured(secured, tls, greet));
    } else {
      this.#socket = connectTcp({ ...target, onread: this.#ownBuffer() });
      this.#socket.once("connect", greet);
    }
    this.#attach();
  }

  get lost(): string | undefined {
    return this.#lost;
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? "";
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? "";
  }

  get remotePort(): number {
    return this.#socket.remotePort ?? 0;
  }

  /** Whether the other end is a program of this machine. */
  get isOnMachine(): boolean {
    const { remoteAddress } = this.#socket;
    // A Unix domain socket has no address.
    return remoteAddress === undefined || LOOPBACK.test(remoteAddress);
  }

  /** From now on the peer has `limitMs` for what is named, whatever bytes it sends meanwhile (FAULTS N01). */
  startStage(stage: string, limitMs: number): void {
    this.#stage = stage;
    this.#limitMs = limitMs;
    this.#deadline = undefined;
  }

  /** Called now and then. A stage has its limit from the first call on. */
  checkDeadline(now: number): void {
    this.#deadline ??= now + this.#limitMs;
    if (now >= this.#deadline)
      this.fail(`no answer in stage "${this.#stage}" within ${this.#limitMs / 1000} s`);
  }

  /** Whether more may be written at once. */
  write(data: string | Buffer): boolean {
    if (this.#log !== undefined && typeof data === "string") this.#log.sent(this, data);
    return this.#socket.write(data);
  }

  /** Content, its end, and commands behind it, in one system call. */
  writeAll(chunks: readonly Buffer[], end: Buffer, commands?: string): void {
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    this.#socket.write(end);
    if (commands !== undefined) this.write(commands);
    this.#socket.uncork();
  }

  /** Resolves when the written bytes have left, or the connection is lost. */
  drained(): Promise<void> {
    if (this.#lost !== undefined || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
    });
  }

  /** The next reply, after sending `command` if there is one. A lost connection answers 421. */
  ask(command: string | undefined, stage?: string, limitMs = Infinity): Promise<PeerReply> {
    if (this.#lost !== undefined) return Promise.resolve(lostReply(this.#lost, this.chunks > 0));
    if (stage !== undefined) this.startStage(stage, limitMs);
    return new Promise((resolve) => {
      const answer = (reply: PeerReply): void => {
        this.listener = undefined;
        resolve(reply);
      };
      this.listener = { onReply: answer, onLost: (reason) => answer(lostReply(reason, this.chunks > 0)) };
      if (command !== undefined) this.write(`${command}\r\n`);
    });
  }

  /** The next replies, so many, each shown to `look` as it comes; fewer when the connection is lost in between. */
  collect(count: number, look: (reply: PeerReply) => void): Promise<PeerReply[]> {
    const replies: PeerReply[] = [];
    if (this.#lost !== undefined || count === 0) return Promise.resolve(replies);
    return new Promise((resolve) => {
      const finish = (): void => {
        this.listener = undefined;
        resolve(replies);
      };
      const onReply = (reply: PeerReply): void => {
        replies.push(reply);
        look(reply);
        if (replies.length === count) finish();
      };
      this.listener = { onReply, onLost: finish };
    });
  }

  /** Turns to TLS after the peer's 220. Answers why not, when it fails; the connection is lost then. */
  secure(policy: TlsPolicy, limitMs: number): Promise<string | undefined> {
    if (this.#lost !== undefined) return Promise.resolve(this.#lost);
    // FAULTS N06, RFC 3207 §6: what came in clear behind the 220 could have been put there by anybody.
    if (this.#reader.midReply) {
      this.fail("data in clear after the reply to STARTTLS");
      return Promise.resolve(this.#lost);
    }
    this.startStage("TLS negotiation", limitMs);
    const plain = this.#socket;
    plain.removeAllListeners("drain");
    this.#reader = this.#newReader();
    return new Promise((resolve) => {
      this.listener = { onReply: () => undefined, onLost: resolve };
      const secured = connectTls({ socket: plain, ...tlsOptions(policy, this.host) });
      this.#socket = secured;
      secured.once("secureConnect", () =>
        this.#secured(secured, policy, () => {
          this.listener = undefined;
          resolve(undefined);
        }),
      );
      this.#attach();
    });
  }

  #secured(socket: TLSSocket, policy: TlsPolicy, goOn: () => void): void {
    const problem = identityProblem(socket, policy);
    // node:tls has refused what it checks itself; a pin is checked here.
    if (problem !== undefined && policy.pins !== undefined) return this.fail(problem);
    this.encrypted = true;
    this.verified = problem === undefined;
    return goOn();
  }

  /** QUIT without waiting for the answer; the peer has `limitMs` to close. */
  quit(limitMs: number): void {
    this.startStage("QUIT", limitMs);
    this.listener = { onReply: () => undefined, onLost: () => undefined };
    this.#log?.sent(this, "QUIT\r\n");
    this.#socket.end("QUIT\r\n");
  }

  /** The dialogue is over; the peer has `limitMs` to close. */
  end(limitMs: number): void {
    if (this.#lost !== undefined) return;
    this.startStage("close", limitMs);
    this.listener = { onReply: () => undefined, onLost: () => undefined };
    this.#socket.end();
  }

  fail(reason: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = harmlessText(reason);
    this.#deadline = Infinity;
    this.#reader.stop();
    this.#socket.destroy();
    this.#onDrained?.();
    const listener = this.listener;
    this.listener = undefined;
    listener?.onLost(this.#lost);
    this.#onClosed();
  }

  #attach(): void {
    const socket = this.#socket;
    // Of a plain socket the bytes come through its own buffer.
    if (socket instanceof TLSSocket) socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => {
      const resume = this.#onDrained;
      this.#onDrained = undefined;
      resume?.();
    });
    // Stays for the whole life: an error after the end must not end the process (FAULTS S26).
    socket.on("error", (error) => this.fail(describeError(error) || "connection failed"));
    socket.on("end", () => this.fail("the peer closed the connection"));
    socket.on("close", () => this.fail("the connection was closed"));
  }

  /** Replies are short and read at once: a buffer for all of them costs less than a stream with one for each. */
  #ownBuffer(): OnReadOpts {
    const callback = (bytes: number, buffer: Uint8Array): boolean => {
      this.#receive(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
      return true;
    };
    return { buffer: Buffer.allocUnsafe(READ_BYTES), callback };
  }

  /** The chunk is only valid during the call. */
  #receive(chunk: Buffer): void {
    this.chunks += 1;
    const fault = this.#reader.push(chunk);
    if (fault !== undefined) this.fail(fault);
  }

  #newReader(): ReplyReader {
    return new ReplyReader((reply) => {
      this.#log?.received(this, reply);
      // FAULTS N04: a reply that nobody asked for shifts all later ones; only a new connection is safe.
      if (this.listener === undefined) this.fail(`unsolicited reply ${reply.code} ${reply.text}`);
      else this.listener.onReply(reply);
    });
  }
}
