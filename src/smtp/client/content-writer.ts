// Content on its way to the peer: behind DATA with its dots stuffed, behind BDAT as it is (RFC 3030 §2).
import { describeError } from "../../core/errors.ts";
import type { Content } from "../../message/content.ts";
import { ContentEncoder } from "./content-encoder.ts";
import type { OutboundMessage } from "./destination.ts";
import type { Wire } from "./wire.ts";

/** Content up to this size is written at once, larger content at the pace of the peer. */
const WRITE_AT_ONCE_BYTES = 256 * 1024;
const STREAM_SLICE_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** How the bytes of a content look on the wire. */
export interface ContentForm {
  encode(chunk: Buffer): Buffer;
  /** What ends it, after the last chunk. */
  end(): Buffer;
}

/**
 * Behind BDAT the bytes stay as they are. The last ones are held back for end(): the peer knows how many there are, and may
 * answer before we have noticed that we are through.
 */
class Chunk implements ContentForm {
  #held: Buffer = NOTHING;

  encode(chunk: Buffer): Buffer {
    const before = this.#held;
    this.#held = chunk;
    return before;
  }

  end(): Buffer {
    return this.#held;
  }
}

export const formOf = (message: OutboundMessage, isChunk: boolean): ContentForm =>
  isChunk ? new Chunk() : new ContentEncoder(message.crlfOnly);

/** The one chunk of a message whose size is known. */
export const chunkCommand = ({ content }: OutboundMessage): string => `BDAT ${content.size} LAST`;

/** BDAT comes before its chunk, DATA is answered by then. */
export function startContent(wire: Wire, message: OutboundMessage, isChunk: boolean): ContentForm {
  if (isChunk) wire.write(`${chunkCommand(message)}\r\n`);
  return formOf(message, isChunk);
}

export const goesAtOnce = ({ inMemory, size }: Content): boolean => inMemory && size <= WRITE_AT_ONCE_BYTES;

/** With its end and the `commands` behind it. */
export function writeContent(wire: Wire, content: Content, form: ContentForm, commands?: string): void {
  const encoded: Buffer[] = [];
  for (const piece of content.pieces) if (Buffer.isBuffer(piece)) encoded.push(form.encode(piece));
  wire.writeAll(encoded, form.end(), commands);
}

/** At the pace of the peer, all but the end. False: it broke off, because the wire is lost or nobody wants more. */
export async function streamContent(
  wire: Wire,
  content: Content,
  form: ContentForm,
  blockMs: number,
  isWanted: () => boolean,
): Promise<boolean> {
  try {
    for await (const chunk of content.chunks()) {
      for (let at = 0; at < chunk.length; at += STREAM_SLICE_BYTES) {
        if (!isWanted()) return false;
        wire.startStage("data block", blockMs);
        const room = wire.write(form.encode(chunk.subarray(at, at + STREAM_SLICE_BYTES)));
        if (!room) await wire.drained();
      }
    }
  } catch (error) {
    // Without its end the peer has nothing: a message cut short is never taken for a whole one.
    wire.fail(`the content cannot be read: ${describeError(error)}`);
    return false;
  }
  return isWanted();
}
