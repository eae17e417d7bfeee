// Message content as it goes on the wire after DATA: dot-stuffed, and with no CR or LF that is not part of a CRLF.

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;

const END_AFTER_LINE = Buffer.from(".\r\n");
const END_AFTER_CR = Buffer.from("\n.\r\n");
const END_MID_LINE = Buffer.from("\r\n.\r\n");
const STUFFABLE = Buffer.from("\r\n.");

/**
 * RFC 5321 §4.5.2 (transparency) and §2.3.8: a CR or LF that stands alone is how one message becomes two at a lenient
 * receiver (FAULTS S12), so each becomes a CRLF. A chunk that needs no change is answered as it is, not copied.
 */
export class ContentEncoder {
  /** The last byte before the chunk; the start of the content counts as the start of a line. */
  #previous = LF;
  #crlfOnly: boolean;

  constructor(crlfOnly = false) {
    this.#crlfOnly = crlfOnly;
  }

  encode(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk;
    const offence = this.#crlfOnly
      ? firstStuffing(chunk, this.#previous)
      : firstOffence(chunk, this.#previous);
    const previous = this.#previous;
    this.#previous = chunk[chunk.length - 1] ?? LF;
    return offence < 0 ? chunk : rewrite(chunk, offence, previous);
  }

  /** What ends the data, after the last chunk. */
  end(): Buffer {
    if (this.#previous === LF) return END_AFTER_LINE;
    return this.#previous === CR ? END_AFTER_CR : END_MID_LINE;
  }
}

/** The same for content known to have whole CRLFs only: a search at memory speed. */
function firstStuffing(chunk: Buffer, before: number): number {
  if (before === LF && chunk[0] === DOT) return 0;
  // A CRLF cut in two by the chunks: the dot may come right after it.
  return before === CR ? firstOffence(chunk, before) : chunk.indexOf(STUFFABLE);
}

// One native search is five times faster than a loop over the bytes: 2.5 µs against 13 µs for 4 KB.
const OFFENCE = /\r(?!\n)|(?<!\r)\n|\n\./;

/** A place at or before the first byte that cannot stay as it is, or -1. At the edges of the chunk it may be over-careful. */
function firstOffence(chunk: Buffer, before: number): number {
  const first = chunk[0];
  if (before === CR ? first !== LF : before === LF && first === DOT) return 0;
  return chunk.toString("latin1").search(OFFENCE);
}

function rewrite(chunk: Buffer, offence: number, before: number): Buffer {
  // At worst each byte from the offence on becomes two, and a lone CR at the end of the chunk before is completed.
  const out = Buffer.allocUnsafe(offence + (chunk.length - offence) * 2 + 1);
  chunk.copy(out, 0, 0, offence);
  let length = offence;
  let previous = offence > 0 ? (chunk[offence - 1] ?? 0) : before;
  for (let at = offence; at < chunk.length; at += 1) {
    const byte = chunk[at] ?? 0;
    if (byte === LF) {
      if (previous !== CR) out[length++] = CR;
    } else {
      if (previous === CR) {
        out[length++] = LF;
        previous = LF;
      }
      if (byte === DOT && previous === LF) out[length++] = DOT;
    }
    out[length++] = byte;
    previous = byte;
  }
  return out.subarray(0, length);
}
