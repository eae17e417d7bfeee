// Reads one claimed Pickup file: small ones into memory, large ones through a spool file of the store.
import { constants, type FileHandle, lstat, open } from "node:fs/promises";
import type { Envelope } from "../core/envelope.ts";
import { Content, type FileRange, MAX_HEADER_BLOCK_BYTES } from "../message/content.ts";
import { LineEnds, type ParseAddresses, parsePickupMessage, type PickupMessage } from "./pickup-message.ts";
import type { SpoolFile } from "./store-driver.ts";

/** Larger files are streamed; the header block of every file has to fit. */
const MEMORY_BYTES = MAX_HEADER_BLOCK_BYTES;
const READ_CHUNK_BYTES = 256 * 1024;

/** What tells whether somebody wrote to a file. */
export interface FileVersion {
  readonly size: number;
  readonly mtimeMs: number;
}

export const isSameVersion = (a: FileVersion, b: FileVersion): boolean =>
  a.size === b.size && a.mtimeMs === b.mtimeMs;

export type ClaimedFile =
  | {
      readonly kind: "message";
      readonly envelope: Envelope;
      readonly content: Content;
      readonly version: FileVersion;
      /** Lets go of the content when it is not submitted. */
      readonly discard: () => Promise<void>;
    }
  | {
      readonly kind: "refusal";
      readonly content: Content;
      readonly version: FileVersion;
      readonly reason: string;
    }
  /** Its writer kept it open and goes on writing. */
  | { readonly kind: "changing" };

export interface ReadingParts {
  readonly parseAddresses: ParseAddresses;
  /** Received fields that a file may bring. */
  readonly maxHops: number;
  /** What is put in front of its header. */
  readonly trace: Buffer;
  readonly createSpool: () => Promise<SpoolFile>;
}

export async function readClaimedFile(
  file: string,
  { parseAddresses, maxHops, trace, createSpool }: ReadingParts,
): Promise<ClaimedFile> {
  const handle = await openFile(file);
  try {
    const before = await handle.stat();
    if (!before.isFile()) throw new Error(`${file} is not a file`);
    const { start, rest } = await readStart(handle, file, before.size);
    const parsed = parsePickupMessage(start, parseAddresses, maxHops);
    if (parsed.kind === "refusal" || (rest.length > 0 && parsed.bodyStart >= start.length)) {
      const reason = parsed.kind === "refusal" ? parsed.reason : "the header block is too long";
      return { kind: "refusal", content: asItIs(start, rest), version: before, reason };
    }
    const spool = rest.length > 0 ? await createSpool() : undefined;
    const discard = async (): Promise<void> => spool?.discard();
    try {
      const content = await readContent(
        handle,
        before.size,
        start,
        { ...parsed, header: Buffer.concat([trace, parsed.header]) },
        spool,
      );
      const after = await handle.stat();
      if (isSameVersion(after, before)) {
        return { kind: "message", envelope: parsed.envelope, content, version: before, discard };
      }
    } catch (error) {
      await discard();
      throw error;
    }
    await discard();
    return { kind: "changing" };
  } finally {
    await handle.close();
  }
}

/** The whole file as it is now, when it is another version; else undefined. */
export async function readLateContent(
  file: string,
  known: FileVersion,
): Promise<{ readonly content: Content; readonly version: FileVersion } | undefined> {
  if (isSameVersion(await lstat(file), known)) return undefined;
  const handle = await openFile(file);
  try {
    const version = await handle.stat();
    const { start, rest } = await readStart(handle, file, version.size);
    return { content: asItIs(start, rest), version };
  } finally {
    await handle.close();
  }
}

/**
 * A link or a pipe could have taken the place of the file between the look and the claim: the one must not be followed,
 * the other not waited for.
 */
const openFile = (file: string): Promise<FileHandle> =>
  open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);

async function readStart(
  handle: FileHandle,
  file: string,
  size: number,
): Promise<{ readonly start: Buffer; readonly rest: FileRange }> {
  const start = await readAt(handle, 0, Math.min(size, MEMORY_BYTES));
  return { start, rest: { path: file, offset: start.length, length: size - start.length } };
}

const asItIs = (start: Buffer, rest: FileRange): Content =>
  rest.length > 0 ? Content.fromFile(start, rest) : Content.fromBuffer(start);

async function readContent(
  handle: FileHandle,
  size: number,
  start: Buffer,
  { header, bodyStart }: PickupMessage,
  spool: SpoolFile | undefined,
): Promise<Content> {
  const lineEnds = new LineEnds();
  const body = lineEnds.convert(start.subarray(bodyStart));
  if (spool === undefined) return Content.fromBuffer(Buffer.concat([header, body, lineEnds.end()]));
  await spool.write(body);
  for (let at = start.length; at < size;) {
    const chunk = await readAt(handle, at, Math.min(READ_CHUNK_BYTES, size - at));
    if (chunk.length === 0) break;
    at += chunk.length;
    await spool.write(lineEnds.convert(chunk));
  }
  await spool.write(lineEnds.end());
  return spool.finish(header);
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}
