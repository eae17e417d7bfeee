// The only door to smtp-server: its sockets, TLS upgrade and closing, with our own parser and conversation in place of its own.
// The members relied on are private to the library: test/unit/smtp/server/library-contract.test.ts fails when they change.
/* oxlint-disable no-underscore-dangle -- the names are the library's */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { randomUUID } from "node:crypto";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { SMTPConnection, type SMTPConnectionOptions } from "smtp-server/lib/smtp-connection.js";
import { readProxiedClient } from "./proxy-socket.ts";
import {
  type BareLineEnding,
  type FramingFault,
  type LineLimits,
  type ParserClient,
  StreamParser,
} from "./stream-parser.ts";
import type { Conversation, Wire } from "./wire.ts";

type LibraryParser = ReturnType<SMTPConnection["_createParser"]>;

/** What may change while the server listens. */
export interface ConnectionLimits extends LineLimits {
  readonly idleTimeoutMs: number;
}

export interface LibraryOptions {
  readonly hostName: string;
  readonly limits: ConnectionLimits;
  /** The handshake comes before the first byte of SMTP. */
  readonly isImplicitTls: boolean;
  readonly tls: { readonly certificate: string; readonly key: string } | undefined;
  /** Whose connections begin with a header of the PROXY protocol. */
  readonly isProxy: (address: string) => boolean;
  /** Whether one more socket may be on its way to a session. */
  readonly mayBegin: (address: string) => boolean;
}

/** Answers the conversation of a new client. */
export type OpenConversation = (wire: Wire) => Conversation;

export class LibraryServer extends SMTPServer {
  /** Of sessions that begin from now on. */
  lineLimits: LineLimits;
  readonly #open: OpenConversation;
  readonly #isProxy: LibraryOptions["isProxy"];
  readonly #mayBegin: LibraryOptions["mayBegin"];

  constructor(options: LibraryOptions, open: OpenConversation) {
    super(libraryOptions(options));
    this.lineLimits = options.limits;
    this.#open = open;
    this.#isProxy = options.isProxy;
    this.#mayBegin = options.mayBegin;
    // The library hands a plain socket on one turn later; a reset in between must not be an unhandled error.
    this.server.on("connection", (socket) => socket.on("error", () => undefined));
    // Failed handshakes and sockets that broke: each is told to its own conversation, the server goes on.
    this.on("error", () => undefined);
  }

  override connect(socket: Socket | TLSSocket, socketOptions?: SMTPConnectionOptions | null): void {
    if (socket.destroyed) return;
    // Who has said all that it will may still wait for our answers: a message of which it never hears comes again.
    if (!(socket instanceof TLSSocket)) socket.allowHalfOpen = true;
    const connection = new LibraryConnection(this, socket, socketOptions, this.#open);
    this.connections.add(connection);
    connection.on("error", () => undefined);
    connection.init();
  }

  /** Sockets on their way to a session: their handshake, or their header of the PROXY protocol, is not complete. */
  get beginning(): number {
    return this._pendingSockets.size;
  }

  beginningOf(address: string): number {
    let count = 0;
    for (const { remoteAddress } of this._pendingSockets.keys())
      if (plainAddress(remoteAddress ?? "") === address) count += 1;
    return count;
  }

  // They are no session that could be told that it is one too many.
  override _acceptSocket(socket: Socket, handshake: boolean): (() => void) | false {
    const isDirect = !handshake && !this._expectsProxyHeader(socket);
    if (isDirect || this.#mayBegin(plainAddress(socket.remoteAddress ?? "")))
      return super._acceptSocket(socket, handshake);
    socket.destroy();
    return false;
  }

  override _expectsProxyHeader(socket: Socket): boolean {
    return this.#isProxy(plainAddress(socket.remoteAddress ?? ""));
  }

  // The library reads version 1 only. A header that is none ends the connection without a word: nobody is there to read it.
  override _handleProxy(socket: Socket, callback: ProxyCallback): void {
    // Its own ids ask the kernel for entropy at each connection; randomUUID keeps some.
    const id = randomUUID();
    if (!this._expectsProxyHeader(socket)) {
      setImmediate(() => callback(socket.destroyed ? new Error("closed before its session") : null, { id }));
      return;
    }
    readProxiedClient(socket, (error, client) => {
      if (client === undefined) {
        socket.destroy();
        callback(error);
      } else if (client.remoteAddress === undefined || client.localAddress === undefined) {
        // The balancer speaks for itself.
        callback(null, { id });
      } else callback(null, { ...client, id });
    });
  }

  start(host: string, port: number): Promise<{ host: string; port: number }> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen({ host, port }, () => {
        this.server.off("error", reject);
        const bound = this.server.address();
        const isSocket = bound !== null && typeof bound !== "string";
        resolve(isSocket ? { host: bound.address, port: bound.port } : { host, port });
      });
    });
  }

  updateLimits(limits: ConnectionLimits): void {
    this.lineLimits = limits;
    this.options.socketTimeout = limits.idleTimeoutMs;
  }

  updateTls(tls: { readonly certificate: string; readonly key: string }): void {
    this.updateSecureContext({ cert: tls.certificate, key: tls.key });
  }

  /** Takes no further client. Sockets still in a handshake have no session that could say goodbye. */
  stopListening(): Promise<void> {
    for (const socket of this._pendingSockets.values()) socket.destroy();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
    });
  }
}

type ProxyCallback = Parameters<SMTPServer["_handleProxy"]>[1];

const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "");

function libraryOptions(options: LibraryOptions): SMTPServerOptions {
  return {
    logger: false,
    // Without a name the library asks the system for one at each connection.
    name: options.hostName,
    secure: options.isImplicitTls,
    hideSTARTTLS: options.tls === undefined,
    socketTimeout: options.limits.idleTimeoutMs,
    ...(options.tls === undefined ? {} : { cert: options.tls.certificate, key: options.tls.key }),
  };
}

class LibraryConnection extends SMTPConnection implements ParserClient, Wire {
  declare readonly _server: LibraryServer;
  readonly #conversation: Conversation;
  #replies = "";

  constructor(
    server: LibraryServer,
    socket: Socket | TLSSocket,
    socketOptions: SMTPConnectionOptions | null | undefined,
    open: OpenConversation,
  ) {
    super(server, socket, socketOptions);
    this.#conversation = open(this);
  }

  /** Called by the library's constructor, before the fields of this class exist, and again for the TLS session. */
  override _createParser(): LibraryParser {
    const parser: unknown = new StreamParser(this, this._server.lineLimits);
    // The library pipes into it, unpipes it and sets isClosed; the rest of its own parser is only used by what we replace.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its class has members by the dozen that nobody calls
    return parser as LibraryParser;
  }

  get #parser(): StreamParser | undefined {
    const parser: unknown = this._parser;
    return parser instanceof StreamParser ? parser : undefined;
  }

  // The library would wait 100 ms, look up the name of every client and greet by itself.
  override init(): void {
    this._setListeners(() => {
      this.#conversation.onConnect();
      this.#flush();
    });
  }

  override _resetSession(): void {
    // The conversation holds the state of the session.
  }

  override _onTimeout(): void {
    if (this._closing) {
      this.destroy();
      return;
    }
    this.#conversation.onIdle();
    this.#flush();
    if (!this._closing) this._armTimeout();
  }

  override _onError(): void {
    this.close();
  }

  override _onClose(): void {
    const isFirst = !this._closed;
    super._onClose();
    if (isFirst) this.#conversation.onClose();
  }

  override close(): void {
    this.#flush();
    super.close();
  }

  onCommand(line: string): void {
    this.#conversation.onCommand(line);
  }

  onLine(line: Buffer): void {
    this.#conversation.onLine(line);
  }

  onData(chunk: Buffer): Promise<void> | undefined {
    return this.#conversation.onData(chunk);
  }

  onDataEnd(bare: BareLineEnding | undefined): void {
    this.#conversation.onDataEnd(bare);
  }

  onFault(fault: FramingFault): void {
    this.#conversation.onFault(fault);
  }

  onPause(): void {
    this.#flush();
  }

  onInputEnd(): void {
    this.close();
  }

  get isSecure(): boolean {
    return this.secure;
  }

  get hasPendingInput(): boolean {
    return this.#parser?.hasPendingInput ?? false;
  }

  get isInsideLine(): boolean {
    return this.#parser?.isInsideLine ?? false;
  }

  reply(lines: string): void {
    this.#replies += lines;
  }

  hold(): void {
    this.#parser?.hold();
  }

  release(): void {
    this.#parser?.release();
  }

  expectLine(): void {
    this.#parser?.expectLine();
  }

  expectData(): void {
    this.#parser?.expectData();
  }

  expectBytes(count: number): void {
    this.#parser?.expectBytes(count);
  }

  startTls(): void {
    // A client that has ended its half, now or before, is none to shake hands with.
    if (this._socket.readableEnded) return this.close();
    this.#flush();
    this._socket.allowHalfOpen = false;
    this.upgrade(
      () => undefined,
      () => this.#conversation.onSecured(),
    );
  }

  destroy(): void {
    this._socket.destroy();
  }

  /** All replies of a pipelined group in one write. */
  #flush(): void {
    if (this.#replies === "") return;
    const replies = this.#replies;
    this.#replies = "";
    // During the handshake the socket below still is the plain one.
    if (this._upgrading || !this._socket.writable) return;
    if (this._socket.write(replies, "latin1") || this._closing) return;
    // A client that never reads its replies is not read either: they would pile up in memory.
    this.hold();
    this._socket.once("drain", () => this.release());
  }
}
