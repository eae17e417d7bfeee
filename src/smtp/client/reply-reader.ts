// Cuts the peer's byte stream into replies (RFC 5321 §4.2). Whatever it sends, what comes out is bounded and harmless.
import type { Reply } from "../../core/reply.ts";

export interface PeerReply extends Reply {
  /** Texts of a multi-line reply, line by line; empty for a reply of one line. */
  readonly lines: readonly string[];
}

/** A reply's text is quoted in logs and reports: no more than this many characters of it. */
export const MAX_REPLY_TEXT = 500;
/** RFC 5321 §4.5.3.1.5 allows 512 octets per line. */
const MAX_LINE_BYTES = 8 * 1024;
/** FAULTS H12: a reply that never ends must not fill the memory. */
const MAX_REPLY_BYTES = 64 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const DIGIT_ZERO = 0x30;
const NO_LINES: readonly string[] = [];
const CODE_LENGTH = 3;

// FAULTS H11: control, line-separator and bidirectional characters would forge lines in logs and reports.
const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const UNSAFE_RUNS = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** Peer text that can be shown anywhere. */
export function harmlessText(text: string): string {
  const bounded = text.length > MAX_REPLY_TEXT ? text.slice(0, MAX_REPLY_TEXT).toWellFormed() : text;
  return UNSAFE.test(bounded) ? bounded.replaceAll(UNSAFE_RUNS, "?") : bounded;
}

/** RFC 2034 §4: "5.1.1 text" split into "1.1" and "text", when the class is that of the code. */
const ENHANCED = /^([245])\.(\d{1,3}\.\d{1,3})(?: |$)/;

export function peerReply(code: number, text: string, lines: readonly string[] = NO_LINES): PeerReply {
  const dotted = text.charCodeAt(1) === 0x2e ? ENHANCED.exec(text) : null;
  if (dotted === null || Number(dotted[1]) !== Math.floor(code / 100))
    return { code, detail: undefined, text, lines };
  return { code, detail: dotted[2], text: text.slice(dotted[0].length), lines };
}

export class ReplyReader {
  #onReply: (reply: PeerReply) => void;
  /** The unfinished line. */
  #rest: Buffer | undefined;
  /** Code and texts of an unfinished multi-line reply. */
  #code = 0;
  #lines: string[] = [];
  #bytes = 0;
  #stopped = false;

  constructor(onReply: (reply: PeerReply) => void) {
    this.#onReply = onReply;
  }

  /** Whether something was received that is no whole reply yet. */
  get midReply(): boolean {
    return this.#rest !== undefined || this.#code !== 0;
  }

  /** No more replies, even of the chunk in hand. */
  stop(): void {
    this.#stopped = true;
  }

  /** Answers what is wrong, when the stream is not SMTP; the connection is then of no use. */
  push(chunk: Buffer): string | undefined {
    let bytes = chunk;
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
    }
    let start = 0;
    // A bare LF also ends a line: some peers send it, and no reply can be smuggled through it to anybody but us.
    for (let end = bytes.indexOf(LF); end >= 0 && !this.#stopped; end = bytes.indexOf(LF, start)) {
      const fault = this.#line(bytes, start, end);
      if (fault !== undefined) return fault;
      start = end + 1;
    }
    if (this.#stopped || start === bytes.length) return undefined;
    if (bytes.length - start > MAX_LINE_BYTES) return `reply line of more than ${MAX_LINE_BYTES} bytes`;
    // Copied: the chunk may be a view of a large buffer.
    this.#rest = Buffer.from(bytes.subarray(start));
    return undefined;
  }

  #line(bytes: Buffer, start: number, lineEnd: number): string | undefined {
    const end = lineEnd > start && bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    if (end - start > MAX_LINE_BYTES) return `reply line of more than ${MAX_LINE_BYTES} bytes`;
    const code = codeAt(bytes, start, end);
    const separator = end - start > CODE_LENGTH ? bytes[start + CODE_LENGTH] : 0x20;
    if (code === 0 || (separator !== 0x20 && separator !== 0x2d)) {
      return `no SMTP reply: ${harmlessText(bytes.toString("latin1", start, Math.min(end, start + 80)))}`;
    }
    if (this.#code !== 0 && this.#code !== code) return `reply codes ${this.#code} and ${code} in one reply`;
    const textStart = Math.min(start + CODE_LENGTH + 1, end);
    const text = harmlessText(
      bytes.toString("utf8", textStart, Math.min(end, textStart + MAX_REPLY_TEXT * 3)),
    );
    if (this.#code === 0 && separator === 0x20) {
      this.#onReply(peerReply(code, text));
      return undefined;
    }
    return this.#continue(code, text, end - start, separator === 0x20);
  }

  #continue(code: number, text: string, length: number, last: boolean): string | undefined {
    this.#code = code;
    this.#lines.push(text);
    // The end of line counts as well: a million empty lines are not empty.
    this.#bytes += length + 2;
    if (this.#bytes > MAX_REPLY_BYTES) return `reply of more than ${MAX_REPLY_BYTES} bytes`;
    if (!last) return undefined;
    const lines = this.#lines;
    this.#code = 0;
    this.#lines = [];
    this.#bytes = 0;
    this.#onReply(joinLines(code, lines));
    return undefined;
  }
}

/** The code at `start`, 0 when there is none. Only 2xx to 5xx exist (RFC 5321 §4.2.1). */
function codeAt(bytes: Buffer, start: number, end: number): number {
  if (end - start < CODE_LENGTH) return 0;
  const first = (bytes[start] ?? 0) - DIGIT_ZERO;
  const second = (bytes[start + 1] ?? 0) - DIGIT_ZERO;
  const third = (bytes[start + 2] ?? 0) - DIGIT_ZERO;
  if (first < 2 || first > 5 || second < 0 || second > 9 || third < 0 || third > 9) return 0;
  return first * 100 + second * 10 + third;
}

/**
 * One text of many lines; the enhanced status that is repeated on each line is kept once (RFC 2034 §4). Not more of them is joined
 * than is kept: a part of a text holds the whole of it in memory, for as long as a recipient waits.
 */
function joinLines(code: number, lines: readonly string[]): PeerReply {
  const [first = "", ...others] = lines;
  const opening = peerReply(code, first);
  let { text } = opening;
  for (const line of others) {
    if (text.length >= MAX_REPLY_TEXT) break;
    text += ` ${peerReply(code, line).text}`;
  }
  return { code, detail: opening.detail, text: harmlessText(text), lines };
}
