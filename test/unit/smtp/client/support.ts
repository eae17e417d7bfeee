// A peer for the outbound client: real sockets, driven by a table of answers; it can lie, stall, split and hang up.
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import { systemClock } from "../../../../src/core/clock.ts";
import type { Envelope } from "../../../../src/core/envelope.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { Content } from "../../../../src/message/content.ts";
import { createDestination, type DestinationOptions } from "../../../../src/smtp/client/connection-pool.ts";
import type {
  DeliveryOutcome,
  DeliveryReport,
  Destination,
  OutboundMessage,
} from "../../../../src/smtp/client/destination.ts";

export const DROP = Symbol("hang up");
/** No answer to this one command. */
export const SILENCE = Symbol("say nothing");
/** No answer from here on. */
export const STALL = Symbol("say nothing any more");

export type Said = string | typeof DROP | typeof SILENCE | typeof STALL;
export type Answer = Said | ((line: string, session: PeerSession) => Said);

/** Answers by verb; "greeting", "." for the end of data, "*" for lines that are no command (AUTH). */
export interface PeerScript {
  readonly answers?: Readonly<Record<string, Answer>>;
  /** Writes each answer in pieces of so many bytes. */
  readonly splitEvery?: number;
  /** False: BDAT is a line like others. */
  readonly readsChunks?: boolean;
  /** TLS from the first byte. */
  readonly implicitTls?: boolean;
  /** Bytes sent in clear together with the answer to STARTTLS. */
  readonly afterStartTls?: string;
}

export interface PeerSession {
  readonly number: number;
  readonly lines: string[];
  /** Content as on the wire, end included. */
  readonly messages: string[];
  /** Contents of BDAT, chunk by chunk. */
  readonly chunks: string[];
  encrypted: boolean;
  /** Of the open transaction: "MAIL" and each "RCPT" that was accepted. */
  accepted: string[];
  readonly socket: Socket;
}

export interface Peer extends AsyncDisposable {
  readonly port: number;
  readonly sessions: PeerSession[];
}

export const certificate = readFileSync(new URL("./fixtures/certificate.pem", import.meta.url), "utf8");
const key = readFileSync(new URL("./fixtures/key.pem", import.meta.url), "utf8");

const DEFAULT_ANSWERS: Record<string, Answer> = {
  greeting: "220 peer.example ESMTP",
  EHLO: "250-peer.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000000\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES",
  LHLO: "250-peer.example\r\n250 PIPELINING",
  HELO: "250 peer.example",
  MAIL: "250 2.1.0 Ok",
  RCPT: (_line, { accepted }) => (accepted.includes("MAIL") ? "250 2.1.5 Ok" : "503 5.5.1 MAIL first"),
  DATA: (_line, { accepted }) => (accepted.includes("RCPT") ? "354 Go ahead" : "503 5.5.1 RCPT first"),
  ".": "250 2.0.0 Ok: queued",
  BDAT: "250 2.0.0 Ok: queued",
  XFORWARD: "250 2.0.0 Ok",
  RSET: "250 2.0.0 Ok",
  STARTTLS: "220 2.0.0 Ready",
  QUIT: "221 2.0.0 Bye",
};

export async function startPeer(script: PeerScript = {}): Promise<Peer> {
  const sessions: PeerSession[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    const session: PeerSession = {
      number: sessions.length + 1,
      lines: [],
      messages: [],
      chunks: [],
      encrypted: false,
      accepted: [],
      socket,
    };
    sessions.push(session);
    if (script.implicitTls === true) converse(script, session, secureSocket(session, socket), true);
    else converse(script, session, socket, true);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("not bound to a port");
  return {
    port: bound.port,
    sessions,
    async [Symbol.asyncDispose]() {
      for (const { socket } of sessions) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function secureSocket(session: PeerSession, socket: Socket): TLSSocket {
  const secured = new TLSSocket(socket, {
    isServer: true,
    secureContext: createSecureContext({ key, cert: certificate }),
  });
  secured.on("error", () => undefined);
  session.encrypted = true;
  return secured;
}

function converse(script: PeerScript, session: PeerSession, socket: Socket, greet: boolean): void {
  const answers = { ...DEFAULT_ANSWERS, ...script.answers };
  let pending = "";
  let inContent = false;
  /** Bytes of a chunk that are still to come, and the line that announced them. */
  let announced: { readonly line: string; readonly bytes: number } | undefined;
  let stopped = false;
  const say = (said: Said): void => {
    if (said === DROP) socket.destroy();
    else if (said === STALL) stopped = true;
    else if (said !== SILENCE) write(`${said}\r\n`);
  };
  const write = (text: string): void => {
    const length = script.splitEvery ?? text.length;
    for (let at = 0; at < text.length; at += length) socket.write(text.slice(at, at + length), "utf8");
  };
  const answer = (verb: string, line: string): Said => {
    const found = answers[verb] ?? answers["*"] ?? "500 5.5.2 What?";
    const said = typeof found === "function" ? found(line, session) : found;
    say(said);
    return said;
  };
  const secure = (): void => {
    stopped = true;
    socket.removeAllListeners("data");
    converse(script, session, secureSocket(session, socket), false);
  };
  const onLine = (line: string): void => {
    session.lines.push(line);
    const verb = line.split(" ")[0]?.toUpperCase() ?? "";
    if (verb === "BDAT" && script.readsChunks !== false) {
      announced = { line, bytes: Number(line.split(" ")[1]) };
      return;
    }
    if (verb === "STARTTLS" && typeof answers.STARTTLS === "string" && answers.STARTTLS.startsWith("220")) {
      write(`${answers.STARTTLS}\r\n${script.afterStartTls ?? ""}`);
      secure();
      return;
    }
    follow(verb, answer(verb, line));
  };
  const follow = (verb: string, said: Said): void => {
    if (verb === "DATA" && typeof said === "string" && said.includes("354")) inContent = true;
    if (verb === "QUIT") socket.end();
    if (verb === "RSET") session.accepted = [];
    if (typeof said === "string" && said.startsWith("2")) session.accepted.push(verb);
  };
  const onContent = (): boolean => {
    const end = pending.startsWith(".\r\n") ? 0 : pending.indexOf("\r\n.\r\n");
    if (end < 0) return false;
    const length = end === 0 && pending.startsWith(".\r\n") ? 3 : end + 5;
    session.messages.push(pending.slice(0, length));
    pending = pending.slice(length);
    inContent = false;
    session.accepted = [];
    answer(".", ".");
    return true;
  };
  const onChunk = (wanted: { readonly line: string; readonly bytes: number }): boolean => {
    if (pending.length < wanted.bytes) return false;
    session.chunks.push(pending.slice(0, wanted.bytes));
    pending = pending.slice(wanted.bytes);
    announced = undefined;
    answer("BDAT", wanted.line);
    return true;
  };
  const onCommand = (): boolean => {
    const end = pending.indexOf("\r\n");
    if (end < 0) return false;
    const line = pending.slice(0, end);
    pending = pending.slice(end + 2);
    onLine(line);
    return true;
  };
  socket.on("error", () => undefined);
  const step = (): boolean =>
    !stopped && (announced !== undefined ? onChunk(announced) : inContent ? onContent() : onCommand());
  socket.on("data", (chunk: Buffer) => {
    pending += chunk.toString("latin1");
    while (step());
  });
  if (greet) answer("greeting", "");
}

export type OpenDestination = Destination & AsyncDisposable;

export function destinationTo(
  peer: { port: number },
  options: Partial<DestinationOptions> = {},
): OpenDestination {
  const destination = createDestination(
    { nextHops: [{ host: "127.0.0.1", port: peer.port }], heloName: "relay.example", ...options },
    silentLogger,
    systemClock,
  );
  return {
    deliver: (message) => destination.deliver(message),
    get capacity() {
      return destination.capacity;
    },
    close: () => destination.close(),
    [Symbol.asyncDispose]: () => destination.close(),
  };
}

export interface MessageParts extends Partial<Omit<Envelope, "recipients">> {
  readonly to?: readonly (string | Envelope["recipients"][number])[];
  readonly text?: string | Buffer;
  readonly content?: Content;
}

export function messageOf(parts: MessageParts = {}): OutboundMessage {
  const { to = ["bob@example.net"], text = "Subject: hello\r\n\r\nHello\r\n", content, ...rest } = parts;
  const recipients = to.map((one) => (typeof one === "string" ? { address: one } : one));
  const envelope: Envelope = { sender: "alice@example.com", recipients, ...rest };
  return {
    id: "m1",
    sender: envelope.sender,
    recipients,
    envelope,
    content: content ?? Content.fromBuffer(Buffer.from(text)),
  };
}

export function reportOf(outcome: DeliveryOutcome): DeliveryReport {
  if (outcome.kind !== "report") throw new Error(`unreachable: ${outcome.reason}`);
  return outcome.report;
}

export const codesOf = (outcome: DeliveryOutcome): number[] =>
  reportOf(outcome).replies.map((one) => one.code);

export function unreachableOf(outcome: DeliveryOutcome): Extract<DeliveryOutcome, { kind: "unreachable" }> {
  if (outcome.kind !== "unreachable") throw new Error(`report: ${JSON.stringify(outcome.report.replies)}`);
  return outcome;
}
