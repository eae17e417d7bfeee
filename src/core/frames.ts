// Length-prefixed frames between the relay and a sandbox process: u32 total, u32 JSON length, JSON, bytes.

/** Anything larger is an attack or a defect: the peer is ended. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/**
 * The same for the JSON of what a sandbox process sends. JSON of the worst kind takes 80 ms a MiB to be parsed, and nothing else
 * happens in the relay meanwhile.
 */
export const MAX_ANSWER_HEAD_BYTES = 2 * 1024 * 1024;
const PREFIX_BYTES = 8;

/** The parts of one frame, to be written in this order. */
export function encodeFrame(head: unknown, bytes: readonly Buffer[] = []): Buffer[] {
  const json = Buffer.from(JSON.stringify(head));
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  const payload = bytes.reduce((sum, part) => sum + part.length, 0);
  prefix.writeUInt32LE(PREFIX_BYTES + json.length + payload, 0);
  prefix.writeUInt32LE(json.length, 4);
  return [prefix, json, ...bytes];
}

export interface Frame {
  readonly head: unknown;
  readonly bytes: Buffer;
}

/** Cuts a byte stream into frames. Throws on a frame that breaks the format. */
export class FrameReader {
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  readonly #maxBytes: number;
  readonly #maxHeadBytes: number;

  constructor(maxBytes: number = MAX_FRAME_BYTES, maxHeadBytes: number = maxBytes) {
    this.#maxBytes = maxBytes;
    this.#maxHeadBytes = maxHeadBytes;
  }

  push(chunk: Buffer): Frame[] {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    const frames: Frame[] = [];
    for (
      let length = this.#nextLength();
      length !== undefined && this.#pendingBytes >= length;
      length = this.#nextLength()
    ) {
      frames.push(decodeFrame(this.#take(length)));
    }
    return frames;
  }

  #nextLength(): number | undefined {
    if (this.#pendingBytes < PREFIX_BYTES) return undefined;
    const first = this.#joined(PREFIX_BYTES);
    const length = first.readUInt32LE(0);
    const jsonLength = first.readUInt32LE(4);
    if (length > this.#maxBytes || jsonLength > length - PREFIX_BYTES)
      throw new Error(`frame of ${length} bytes refused`);
    if (jsonLength > this.#maxHeadBytes) throw new Error(`frame with ${jsonLength} bytes of JSON refused`);
    return length;
  }

  /** A buffer that starts with at least `length` pending bytes. */
  #joined(length: number): Buffer {
    const first = this.#pending[0];
    if (first !== undefined && first.length >= length) return first;
    const all = Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [all];
    return all;
  }

  #take(length: number): Buffer {
    const all = this.#joined(length);
    const rest = all.subarray(length);
    this.#pending[0] = rest;
    if (rest.length === 0) this.#pending.shift();
    this.#pendingBytes -= length;
    return all.subarray(0, length);
  }
}

function decodeFrame(frame: Buffer): Frame {
  const jsonEnd = PREFIX_BYTES + frame.readUInt32LE(4);
  return {
    head: JSON.parse(frame.toString("utf8", PREFIX_BYTES, jsonEnd)) as unknown,
    bytes: frame.subarray(jsonEnd),
  };
}
