// The bytes of a message that its job did not carry: asked from the relay over the content channel, blocking.
import { readSync, writeSync } from "node:fs";
import {
  BLOCKING_REQUEST,
  type BlockingAnswer,
  type BlockingRequest,
  type BlockingRequestBody,
  CONTENT_REQUEST_BYTES,
  FILE_ABSENT,
  FILE_DENIED,
  FILE_REQUEST,
  FILE_TOO_LARGE,
  MAX_FILE_NAME_BYTES,
} from "../../../runtime/contract.ts";
import type { ByteSource } from "../../mime/source.ts";
import { systemCodeOf } from "../../core/system-error.ts";

const RETRY_SLEEP_MS = 0.2;

export interface PerformedAnswer {
  readonly answer: BlockingAnswer;
  readonly bytes: Buffer;
}

/** What one job can ask the relay. */
export interface JobAsks {
  /** One range of the content. Throws when the relay cannot give it. */
  fetch(offset: number, length: number): Buffer;
  /** One file that the job grants; a number says why not. */
  readFile(name: string): Buffer | number;
  /** Has the relay do something, and waits for it, as long as the request says. */
  perform(request: BlockingRequest, bytes: Buffer): PerformedAnswer;
}

/** An object in the place of closures: with these, jobs outlived young collections (docs/decisions/0046). */
class ChannelAsks implements JobAsks {
  readonly #channel: ContentChannel;
  readonly #job: number;

  constructor(channel: ContentChannel, job: number) {
    this.#channel = channel;
    this.#job = job;
  }

  fetch(offset: number, length: number): Buffer {
    return this.#channel.fetch(this.#job, offset, length);
  }

  readFile(name: string): Buffer | number {
    return this.#channel.file(this.#job, name);
  }

  perform(request: BlockingRequest, bytes: Buffer): PerformedAnswer {
    return this.#channel.perform(this.#job, request, bytes);
  }
}

/** What one call can ask: its requests carry its number. */
export class CallAsks {
  readonly #asks: JobAsks;
  readonly #call: number;

  constructor(asks: JobAsks, call: number) {
    this.#asks = asks;
    this.#call = call;
  }

  readFile(name: string): Buffer | number {
    return this.#asks.readFile(name);
  }

  perform(request: BlockingRequestBody, waitMs: number, bytes: Buffer): PerformedAnswer {
    return this.#asks.perform({ call: this.#call, waitMs, request }, bytes);
  }
}

const NO_FILE: ReadonlySet<number> = new Set([FILE_ABSENT, FILE_DENIED, FILE_TOO_LARGE]);

export class ContentChannel {
  readonly #fd: number;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));

  constructor(fd: number) {
    this.#fd = fd;
  }

  asksOf(job: number): JobAsks {
    return new ChannelAsks(this, job);
  }

  fetch(job: number, offset: number, length: number): Buffer {
    this.#request(job, length, offset);
    const answered = this.#read(4).readUInt32LE(0);
    if (answered > length) throw new Error("the content channel is out of step");
    const bytes = this.#read(answered);
    if (answered < length) throw new Error("the content of the message could not be read");
    return bytes;
  }

  file(job: number, name: string): Buffer | number {
    const text = Buffer.from(name);
    if (text.length === 0 || text.length > MAX_FILE_NAME_BYTES) return FILE_ABSENT;
    this.#request(job, FILE_REQUEST, text.length, text);
    const length = this.#read(4).readUInt32LE(0);
    return NO_FILE.has(length) ? length : this.#read(length);
  }

  perform(job: number, request: BlockingRequest, bytes: Buffer): PerformedAnswer {
    const head = Buffer.from(JSON.stringify(request));
    const headLength = Buffer.alloc(4);
    headLength.writeUInt32LE(head.length, 0);
    this.#request(job, BLOCKING_REQUEST, 4 + head.length + bytes.length, headLength, head, bytes);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the relay is trusted
    const answer = JSON.parse(this.#readCounted().toString("utf8")) as BlockingAnswer;
    return { answer, bytes: this.#readCounted() };
  }

  #request(job: number, length: number, offset: number, ...rest: readonly Buffer[]): void {
    const head = Buffer.alloc(CONTENT_REQUEST_BYTES);
    head.writeUInt32LE(job, 0);
    head.writeUInt32LE(length, 4);
    head.writeDoubleLE(offset, 8);
    const request = rest.length === 0 ? head : Buffer.concat([head, ...rest]);
    this.#transfer(request, (from) => writeSync(this.#fd, request, from, request.length - from));
  }

  #readCounted(): Buffer {
    return this.#read(this.#read(4).readUInt32LE(0));
  }

  #read(length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length);
    this.#transfer(buffer, (from) => readSync(this.#fd, buffer, from, buffer.length - from, null));
    return buffer;
  }

  /** The pipe is non-blocking as inherited: a full or empty one is tried again after a short sleep. */
  #transfer(buffer: Buffer, step: (from: number) => number): void {
    let done = 0;
    while (done < buffer.length) {
      try {
        const moved = step(done);
        if (moved === 0) throw new Error("the content channel is closed");
        done += moved;
      } catch (error) {
        if (systemCodeOf(error) !== "EAGAIN") throw error;
        Atomics.wait(this.#sleeper, 0, 0, RETRY_SLEEP_MS);
      }
    }
  }
}

/** The content of one job: what was sent with it, the rest on demand. */
export class JobSource implements ByteSource {
  readonly size: number;
  readonly headerLength: number;
  /** Whether somebody looked beyond the header block. */
  bodyWasRead = false;
  #held: Buffer;
  readonly #asks: JobAsks;
  readonly #wholeRestBytes: number;

  constructor(sent: Buffer, size: number, headerLength: number, asks: JobAsks, wholeRestBytes: number) {
    this.#held = sent;
    this.size = size;
    this.headerLength = headerLength;
    this.#asks = asks;
    this.#wholeRestBytes = wholeRestBytes;
  }

  slice(start: number, end: number): Buffer {
    if (end > this.headerLength) this.bodyWasRead = true;
    const held = this.#held;
    if (end <= held.length) return held.subarray(start, end);
    const rest = this.size - held.length;
    if (rest > this.#wholeRestBytes) {
      if (start >= held.length) return this.#asks.fetch(start, end - start);
      return Buffer.concat([held.subarray(start), this.#asks.fetch(held.length, end - held.length)]);
    }
    this.#held = Buffer.concat([held, this.#asks.fetch(held.length, rest)]);
    return this.#held.subarray(start, end);
  }
}
