// Cuts the bytes of a client into command lines and message content. Pure framing: it sends nothing, and of verbs knows only that lines of AUTH may be longer.
import { EventEmitter } from "node:events";

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;
/** First byte of a TLS record: a client that speaks TLS to a plain port never sends a line end we could wait for. */
const TLS_HANDSHAKE = 0x16;
const CR_BYTES = Buffer.from("\r");
const AUTH_START = "AUTH ";

/** So much may wait behind a piece of content or a command that is being worked at before the socket is read no further. */
const HIGH_WATER_BYTES = 16 * 1024;
/** One chunk of 64 KiB can hold ten thousand commands; other sessions get their turn in between. */
const COMMANDS_PER_TURN = 100;

export type BareLineEnding = "CR" | "LF";
export type FramingFault = "line-too-long" | "bare-line-feed" | "not-smtp";

/** Called by the parser, one at a time and in the order of the bytes. */
export interface ParserClient {
  onCommand(line: string): void;
  /** The line that was asked for by expectLine. */
  onLine(line: Buffer): void;
  /** Content without dot-stuffing. Nothing more is parsed until an answered promise resolves; it must not reject. */
  onData(chunk: Buffer): Promise<void> | undefined;
  /** `bare` names the first line ending of the content that was not CRLF. */
  onDataEnd(bare: BareLineEnding | undefined): void;
  /** The framing is lost: nothing that follows is parsed. */
  onFault(fault: FramingFault): void;
  /** All input so far is handled, or has to wait: the moment to write the collected replies. */
  onPause(): void;
  /** The client has said all that it will, and all of it is handled. */
  onInputEnd(): void;
}

// Where the scan stands in the content. Only CRLF leads to LINE_START, so only there a dot is special
// (RFC 5321 §4.1.1.4, §4.5.2): a dot after a bare LF or CR is how messages are smuggled.
const LINE_START = 0;
const IN_LINE = 1;
const AFTER_CR = 2;
const AFTER_DOT = 3;
const AFTER_DOT_CR = 4;

/** In bytes, CRLF included. */
export interface LineLimits {
  readonly maxCommandLength: number;
  /** Of AUTH and of lines that are asked for, when it is more. */
  readonly maxAuthLineLength: number;
}

type Mode = "command" | "line" | "data" | "counted";

const NOTHING = Buffer.alloc(0);

/**
 * What `socket.pipe()` needs of its target, and no more: a Writable would cost a tick and a round of its state per chunk.
 * Unpiped and told `isClosed` by the connection when the session ends or turns to TLS: what is left is dropped.
 */
export class StreamParser extends EventEmitter {
  isClosed = false;
  readonly #client: ParserClient;
  readonly #limits: LineLimits;
  #mode: Mode = "command";
  #chunk: Buffer = NOTHING;
  #position = 0;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #owesDrain = false;
  #partialLine: Buffer | undefined;
  #holds = 0;
  #isRunning = false;
  #hasYielded = false;
  /** Of this turn: a hold that lasts no longer than a promise ends a run, not the turn. */
  #stepsLeft = COMMANDS_PER_TURN;
  #lineState = LINE_START;
  #bare: BareLineEnding | undefined;
  #isDataComplete = false;
  #countedBytes = 0;
  #isEnded = false;

  constructor(client: ParserClient, limits: LineLimits) {
    super();
    this.#client = client;
    this.#limits = limits;
  }

  /** The next line is no command and is handed on as it is. */
  expectLine(): void {
    this.#mode = "line";
  }

  /** The bytes that follow are content up to CRLF.CRLF. */
  expectData(): void {
    this.#mode = "data";
    this.#lineState = LINE_START;
    this.#bare = undefined;
  }

  /** The next `count` bytes are content, whatever they are (RFC 3030 §2). */
  expectBytes(count: number): void {
    this.#mode = "counted";
    this.#countedBytes = count;
    this.#bare = undefined;
    this.#isDataComplete = count === 0;
  }

  /** Stops before the next command or piece of content until as many releases as holds came. */
  hold(): void {
    this.#holds++;
  }

  /** A hold of the parser that STARTTLS retired may be released on the new one, which has none. */
  release(): void {
    this.#holds = Math.max(0, this.#holds - 1);
    this.#run();
  }

  /** Whether the client has sent more than what was handed on. */
  get hasPendingInput(): boolean {
    return this.#position < this.#chunk.length || this.#partialLine !== undefined || this.#waiting.length > 0;
  }

  get isInsideLine(): boolean {
    return this.#partialLine !== undefined;
  }

  /** false: it takes no more until it emits "drain". */
  write(chunk: Buffer): boolean {
    if (this.#chunk === NOTHING) {
      this.#chunk = chunk;
      this.#stepsLeft = COMMANDS_PER_TURN;
      this.#run();
    } else {
      this.#waiting.push(chunk);
      this.#waitingBytes += chunk.length;
    }
    if (this.#chunk.length + this.#waitingBytes < HIGH_WATER_BYTES) return true;
    this.#owesDrain = true;
    return false;
  }

  /** Called when the client has sent all that it will: what it sent is still worked at. */
  end(): void {
    this.#isEnded = true;
    this.#run();
  }

  /** A loop, not a recursion: a client of the parser may hold and release inside its own call. */
  #run(): void {
    if (this.#isRunning || this.#hasYielded) return;
    this.#isRunning = true;
    while (
      this.#holds === 0 &&
      !this.isClosed &&
      (this.#isDataComplete || this.#position < this.#chunk.length || this.#takeWaiting())
    ) {
      if (this.#stepsLeft-- === 0) {
        this.#yield();
        break;
      }
      this.#step();
    }
    this.#isRunning = false;
    if (!this.isClosed) this.#client.onPause();
    if ((this.#holds === 0 && !this.#hasYielded) || this.isClosed) this.#finish();
  }

  #step(): void {
    if (this.#isDataComplete) this.#endData();
    else if (this.#mode === "data") this.#scanData();
    else if (this.#mode === "counted") this.#takeCounted();
    else this.#scanLine();
  }

  #yield(): void {
    this.#hasYielded = true;
    this.#stepsLeft = COMMANDS_PER_TURN;
    setImmediate(() => {
      this.#hasYielded = false;
      this.#run();
    });
  }

  #takeWaiting(): boolean {
    const next = this.#waiting.shift();
    if (next === undefined) return false;
    this.#waitingBytes -= next.length;
    this.#chunk = next;
    this.#position = 0;
    return true;
  }

  #finish(): void {
    this.#chunk = NOTHING;
    this.#position = 0;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    if (this.#isEnded && !this.isClosed) this.#client.onInputEnd();
    if (!this.#owesDrain) return;
    this.#owesDrain = false;
    this.emit("drain");
  }

  #scanLine(): void {
    const chunk = this.#chunk;
    const start = this.#position;
    const partial = this.#partialLine;
    if (partial === undefined && chunk[start] === TLS_HANDSHAKE) return this.#fail("not-smtp");
    const end = chunk.indexOf(LF, start);
    const length = (partial?.length ?? 0) + (end < 0 ? chunk.length : end + 1) - start;
    if (this.#isTooLong(length, partial)) return this.#fail("line-too-long");
    if (end < 0) return this.#keepStart(partial, chunk.subarray(start));
    this.#position = end + 1;
    this.#partialLine = undefined;
    const beforeEnd = end > start ? chunk[end - 1] : partial?.[partial.length - 1];
    if (beforeEnd !== CR) return this.#fail("bare-line-feed");
    if (this.#mode === "line" || partial !== undefined) this.#joinedLine(partial ?? NOTHING, start, end);
    else this.#client.onCommand(chunk.toString("utf8", start, end - 1));
  }

  /** RFC 4954 §4: what proves who a client is may be longer than a command; access tokens are, and come with the command as well. */
  #isTooLong(length: number, partial: Buffer | undefined): boolean {
    const { maxCommandLength, maxAuthLineLength } = this.#limits;
    if (length <= maxCommandLength) return false;
    if (length > maxAuthLineLength) return true;
    if (this.#mode === "line") return false;
    const rest = this.#chunk.subarray(this.#position, this.#position + AUTH_START.length);
    const start = Buffer.concat([partial ?? NOTHING, rest]).toString("latin1", 0, AUTH_START.length);
    return start.toUpperCase() !== AUTH_START;
  }

  #keepStart(partial: Buffer | undefined, rest: Buffer): void {
    // A copy: a kept slice would pin the whole read buffer of 64 KiB for one byte.
    this.#partialLine = partial === undefined ? Buffer.from(rest) : Buffer.concat([partial, rest]);
    this.#position = this.#chunk.length;
  }

  /** One whose first bytes came in an earlier chunk, or that has to be kept as it is; the LF is at `end`, the CR may stand in either chunk. */
  #joinedLine(partial: Buffer, start: number, end: number): void {
    const line = Buffer.concat([partial, this.#chunk.subarray(start, end)]).subarray(0, -1);
    if (this.#mode === "line") {
      this.#mode = "command";
      this.#client.onLine(line);
    } else this.#client.onCommand(line.toString("utf8"));
  }

  #fail(fault: FramingFault): void {
    this.#client.onFault(fault);
    this.isClosed = true;
  }

  #takeCounted(): void {
    const start = this.#position;
    const end = Math.min(this.#chunk.length, start + this.#countedBytes);
    this.#position = end;
    this.#countedBytes -= end - start;
    this.#isDataComplete = this.#countedBytes === 0;
    this.#emit(this.#chunk.subarray(start, end));
  }

  /**
   * One pass over the chunk. Stuffed dots are closed over in place (the read buffer is ours alone), so whatever
   * the chunk holds of the message is handed on as one slice of it.
   */
  // oxlint-disable-next-line complexity -- calls per byte or per line would cost more than the branches
  #scanData(): void {
    const chunk = this.#chunk;
    const length = chunk.length;
    const start = this.#position;
    const owesCr = this.#lineState === AFTER_DOT_CR && chunk[start] !== LF;
    let state = this.#lineState;
    let at = start;
    let from = start;
    let kept = start;
    let isEnd = false;
    while (at < length) {
      let byte = chunk[at++] ?? 0;
      if (state === IN_LINE) {
        // The tight loop: nearly every byte of a message is above CR and inside a line.
        while (byte > CR && at < length) byte = chunk[at++] ?? 0;
        if (byte > CR) break;
        if (byte === CR) state = AFTER_CR;
        else if (byte === LF) this.#bare ??= "LF";
        continue;
      }
      if (byte === LF && state === AFTER_DOT_CR) {
        isEnd = true;
        break;
      }
      if (byte === DOT && state === LINE_START) {
        const before = at - 1;
        if (kept !== from && before > from) chunk.copyWithin(kept, from, before);
        kept += before - from;
        from = at;
        state = AFTER_DOT;
        continue;
      }
      state = this.#nextLineState(state, byte);
    }
    // The CR of a possible end is content only when no LF follows: it is owed to the next chunk.
    const end = isEnd ? from : state === AFTER_DOT_CR ? Math.max(from, at - 1) : at;
    if (kept !== from && end > from) chunk.copyWithin(kept, from, end);
    kept += end - from;
    this.#lineState = state;
    this.#position = at;
    this.#isDataComplete = isEnd;
    this.#emitScanned(owesCr, start, kept);
  }

  #emitScanned(owesCr: boolean, start: number, end: number): void {
    const bytes = this.#chunk.subarray(start, end);
    if (owesCr) this.#emit(bytes.length === 0 ? CR_BYTES : Buffer.concat([CR_BYTES, bytes]));
    else if (bytes.length > 0) this.#emit(bytes);
  }

  #nextLineState(state: number, byte: number): number {
    if (byte === LF) {
      if (state === AFTER_CR) return LINE_START;
      this.#bare ??= "LF";
      return IN_LINE;
    }
    if (state === AFTER_CR || state === AFTER_DOT_CR) this.#bare ??= "CR";
    if (byte !== CR) return IN_LINE;
    return state === AFTER_DOT ? AFTER_DOT_CR : AFTER_CR;
  }

  #emit(bytes: Buffer): void {
    const pending = this.#client.onData(bytes);
    if (pending === undefined) return;
    this.hold();
    void pending.then(() => this.release());
  }

  #endData(): void {
    this.#isDataComplete = false;
    this.#mode = "command";
    this.#client.onDataEnd(this.#bare);
  }
}
