// Answers the content requests of one sandbox process: only for messages that it has in hand, read by the relay, so that
// the process needs no right to the mailroot.
import type { Socket } from "node:net";
import { describeError } from "../core/errors.ts";
import { MAX_FRAME_BYTES } from "../core/frames.ts";
import { Content } from "../message/content.ts";
import { CONTENT_REQUEST_BYTES, FILE_REQUEST, MAX_FILE_NAME_BYTES } from "../../runtime/contract.ts";

export interface ContentSource {
  /** The content of an outstanding job, or undefined: then the process asked for mail that is none of its business. */
  contentOf(job: number): Content | undefined;
  /** A file that the job grants, or the number of FILE_… that says why not. Undefined as for content. */
  fileOf(job: number, name: string): Promise<Buffer | number> | undefined;
  violated(reason: string): void;
  /** The store could not be read: the fault of neither the script nor the process. */
  unreadable(job: number, reason: string): void;
}

const NO_BYTES = Buffer.alloc(0);

/** How long the request is that begins with these bytes. */
function requestBytes(pending: Buffer): number {
  if (pending.length < CONTENT_REQUEST_BYTES || pending.readUInt32LE(4) !== FILE_REQUEST)
    return CONTENT_REQUEST_BYTES;
  const name = pending.readDoubleLE(8);
  const isName = Number.isInteger(name) && name > 0 && name <= MAX_FILE_NAME_BYTES;
  return CONTENT_REQUEST_BYTES + (isName ? name : 0);
}

export class ContentChannel {
  #socket: Socket;
  #source: ContentSource;
  #pending: Buffer = NO_BYTES;
  #serving = false;

  constructor(socket: Socket, source: ContentSource) {
    this.#socket = socket;
    this.#source = source;
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => this.#push(chunk));
  }

  #push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    // The worker blocks on its request, so it has never more than one in flight.
    if (this.#pending.length > requestBytes(this.#pending))
      this.#source.violated("content requested twice at once");
    else this.#serveNext();
  }

  #serveNext(): void {
    if (this.#serving || this.#pending.length < requestBytes(this.#pending)) return;
    const request = this.#pending;
    this.#pending = NO_BYTES;
    this.#serving = true;
    const job = request.readUInt32LE(0);
    const length = request.readUInt32LE(4);
    const served =
      length === FILE_REQUEST
        ? this.#serveFile(job, request.subarray(CONTENT_REQUEST_BYTES).toString("utf8"))
        : this.#serve(job, length, request.readDoubleLE(8));
    void served.then(() => {
      this.#serving = false;
      return this.#serveNext();
    });
  }

  async #serveFile(job: number, name: string): Promise<void> {
    const file = await this.#source.fileOf(job, name);
    if (file === undefined || name === "") {
      this.#source.violated("file requested that does not belong to its job");
      return;
    }
    const prefix = Buffer.allocUnsafe(4);
    prefix.writeUInt32LE(typeof file === "number" ? file : file.length, 0);
    this.#socket.write(prefix);
    if (typeof file !== "number") await this.#write(file);
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
    const prefix = Buffer.allocUnsafe(4);
    prefix.writeUInt32LE(length, 0);
    this.#socket.write(prefix);
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
