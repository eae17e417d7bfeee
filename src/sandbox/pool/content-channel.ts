// Answers the content requests of one sandbox process: only for messages that it has in hand, read by the relay, so that
// the process needs no right to the mailroot. Files and what the object model waits for come over it, too.
import type { Socket } from "node:net";
import { describeError } from "../../core/errors.ts";
import { MAX_FRAME_BYTES } from "../../core/frames.ts";
import { Content } from "../../message/content.ts";
import {
  BLOCKING_REQUEST,
  type BlockingAnswer,
  CONTENT_REQUEST_BYTES,
  FILE_REQUEST,
  MAX_FILE_NAME_BYTES,
} from "../../../runtime/contract.ts";

export interface BlockingReply {
  readonly answer: BlockingAnswer;
  readonly bytes: Buffer;
}

export interface ContentSource {
  /** The content of an outstanding job, or undefined: then the process asked for mail that is none of its business. */
  contentOf(job: number): Content | undefined;
  /** A file that the job grants, or the number of FILE_… that says why not. Undefined as for content. */
  fileOf(job: number, name: string): Promise<Buffer | number> | undefined;
  /** How many bytes a blocking request of the job may have. Undefined as for content. */
  blockingBytes(job: number): number | undefined;
  /** Undefined: no request, or one that the job cannot make. */
  perform(job: number, request: Buffer): Promise<BlockingReply> | undefined;
  violated(reason: string): void;
  /** The store could not be read: the fault of neither the script nor the process. */
  unreadable(job: number, reason: string): void;
}

const NO_BYTES = Buffer.alloc(0);

export class ContentChannel {
  #socket: Socket;
  #source: ContentSource;
  /** What came of the next request: joined when it is whole, so that a large one is copied once. */
  #chunks: Buffer[] = [];
  #size = 0;
  #wanted = CONTENT_REQUEST_BYTES;
  #serving = false;

  constructor(socket: Socket, source: ContentSource) {
    this.#socket = socket;
    this.#source = source;
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => this.#push(chunk));
  }

  #push(chunk: Buffer): void {
    const hadHead = this.#size >= CONTENT_REQUEST_BYTES;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (!hadHead && this.#size >= CONTENT_REQUEST_BYTES) this.#wanted = this.#requestBytes(this.#join());
    // The worker blocks on its request, so it has never more than one in flight.
    if (this.#size > this.#wanted) this.#source.violated("content requested twice at once");
    else this.#serveNext();
  }

  #join(): Buffer {
    const [first] = this.#chunks;
    const whole =
      first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks, this.#size);
    this.#chunks = [whole];
    return whole;
  }

  /** How long the request is that begins with these bytes. */
  #requestBytes(pending: Buffer): number {
    const kind = pending.readUInt32LE(4);
    if (kind !== FILE_REQUEST && kind !== BLOCKING_REQUEST) return CONTENT_REQUEST_BYTES;
    const rest = pending.readDoubleLE(8);
    const most =
      kind === FILE_REQUEST
        ? MAX_FILE_NAME_BYTES
        : (this.#source.blockingBytes(pending.readUInt32LE(0)) ?? 0);
    const isLength = Number.isInteger(rest) && rest > 0 && rest <= most;
    return CONTENT_REQUEST_BYTES + (isLength ? rest : 0);
  }

  #serveNext(): void {
    if (this.#serving || this.#size < this.#wanted) return;
    const request = this.#join();
    this.#chunks = [];
    this.#size = 0;
    this.#wanted = CONTENT_REQUEST_BYTES;
    this.#serving = true;
    void this.#serveRequest(request).then(() => {
      this.#serving = false;
      return this.#serveNext();
    });
  }

  #serveRequest(request: Buffer): Promise<void> {
    const job = request.readUInt32LE(0);
    const length = request.readUInt32LE(4);
    const rest = request.subarray(CONTENT_REQUEST_BYTES);
    if (length === FILE_REQUEST) return this.#serveFile(job, rest.toString("utf8"));
    if (length === BLOCKING_REQUEST) return this.#perform(job, rest);
    return this.#serve(job, length, request.readDoubleLE(8));
  }

  async #serveFile(job: number, name: string): Promise<void> {
    const file = await this.#source.fileOf(job, name);
    if (file === undefined || name === "") {
      this.#source.violated("file requested that does not belong to its job");
      return;
    }
    this.#socket.write(u32(typeof file === "number" ? file : file.length));
    if (typeof file !== "number") await this.#write(file);
  }

  async #perform(job: number, request: Buffer): Promise<void> {
    const reply = request.length === 0 ? undefined : await this.#source.perform(job, request);
    if (reply === undefined) {
      this.#source.violated("asked for what its job cannot ask for");
      return;
    }
    const head = Buffer.from(JSON.stringify(reply.answer));
    this.#socket.write(Buffer.concat([u32(head.length), head, u32(reply.bytes.length)]));
    await this.#write(reply.bytes);
  }

  async #serve(job: number, length: number, offset: number): Promise<void> {
    const content = this.#source.contentOf(job);
    const isInside =
      Number.isSafeInteger(offset) &&
      offset >= 0 &&
      length <= MAX_FRAME_BYTES &&
      content !== undefined &&
      offset + length <= content.size;
    if (content === undefined || !isInside) {
      this.#source.violated("content requested that does not belong to its job");
      return;
    }
    this.#socket.write(u32(length));
    try {
      for (const piece of content.slice(offset, offset + length)) {
        const chunks = Buffer.isBuffer(piece) ? [piece] : Content.fromFile(NO_BYTES, piece).chunks();
        for await (const chunk of chunks) await this.#write(chunk);
      }
    } catch (error) {
      this.#source.unreadable(job, describeError(error));
    }
  }

  #write(chunk: Buffer): Promise<void> | undefined {
    if (chunk.length === 0 || this.#socket.destroyed || this.#socket.write(chunk)) return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off("drain", done).off("close", done);
        resolve();
      };
      this.#socket.on("drain", done).on("close", done);
    });
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}
