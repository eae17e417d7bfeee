// Start-up: reads all segments in order and answers which messages live. Damage is set aside, never fatal.
import { open, readdir, stat, truncate, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { OnArrivalError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { syncFolder } from "../../message/sync-folder.ts";
import { layoutEnd } from "./content-layout.ts";
import { LivingMessages } from "./living-messages.ts";
import {
  Entry,
  type Place,
  Segment,
  dropPlaces,
  forgetStates,
  placeMessage,
  placeState,
} from "./message-index.ts";
import { readInOrder } from "./read-back.ts";
import { parseMessageJson, parseStateJson } from "./record-json.ts";
import {
  checkSegmentHeader,
  parseSegmentFileName,
  type RecordHeader,
  recordId,
  recordJson,
  recordType,
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
} from "./record.ts";
import type { RecordReader } from "./record-reader.ts";
import { scanSegment } from "./segment-scan.ts";
import type { CorruptEntry, RecoveredMessage } from "../store-driver.ts";

/** In the JSON of a record: its content refers to a file. Another text may hold it as well. */
const LAYOUT_KEY = '"layout":';

export interface RecoveryFolders {
  readonly segments: string;
  readonly contents: string;
  readonly corrupt: string;
}

export interface RecoveredStore {
  readonly segments: Segment[];
  readonly living: LivingMessages;
  /** The oldest ones, as many as were asked for. */
  readonly messages: RecoveredMessage[];
  /** Ids of the others. */
  readonly later: string[];
  /** Content files, one name for each message that refers to it. */
  readonly files: string[];
  readonly corrupt: CorruptEntry[];
  /** Ids of messages that were set aside: they have to be ended, or the next start finds them again. */
  readonly lost: Entry[];
  readonly lastSequence: number;
  /** Bytes of an unfinished write that were cut off. */
  readonly cutBytes: number;
}

/** `atOnce`: of so many messages the state is read. */
export async function recoverStore(
  folders: RecoveryFolders,
  reader: RecordReader,
  atOnce: number,
): Promise<RecoveredStore> {
  const scan = new Scan(folders);
  const found = (await readdir(folders.segments))
    .map((name) => ({ name, parsed: parseSegmentFileName(name) }))
    .filter(({ parsed }) => parsed !== undefined)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const [index, { name, parsed }] of found.entries()) {
    if (parsed === undefined) continue;
    await scan.readSegment(path.join(folders.segments, name), parsed, index === found.length - 1);
  }
  return scan.finish(reader, atOnce);
}

class Scan {
  readonly #folders: RecoveryFolders;
  readonly #segments: Segment[] = [];
  readonly #living = new LivingMessages();
  /** Whose content may be a file of its own. */
  readonly #withFile = new Set<string>();
  /** A state was found whose content is lost. */
  readonly #reset = new Set<string>();
  readonly #corrupt: CorruptEntry[] = [];
  #lastSequence = 0;
  #cutBytes = 0;
  /** Segments are large: each is read into the place of the one before. */
  #bytes = Buffer.alloc(0);

  constructor(folders: RecoveryFolders) {
    this.#folders = folders;
  }

  async readSegment(
    file: string,
    { sequence, salt }: { sequence: number; salt: Buffer },
    isLast: boolean,
  ): Promise<void> {
    this.#lastSequence = sequence;
    const bytes = await this.#read(file);
    if (isLast && bytes.length < SEGMENT_HEADER_BYTES) {
      await unlink(file);
      return;
    }
    const check = checkSegmentHeader(bytes, salt);
    if (check.kind === "version") {
      throw new OnArrivalError(
        "MAILROOT_UNUSABLE",
        `${file} has format version ${check.version}; this release reads version ${SEGMENT_VERSION}`,
      );
    }
    const segment = new Segment(sequence, file, salt, bytes.length);
    segment.sealed = true;
    this.#segments.push(segment);
    if (check.kind === "damaged") {
      await this.#setAside(segment, bytes, 0, SEGMENT_HEADER_BYTES, "the header of the segment is damaged");
    }
    for (const item of scanSegment(bytes, salt, Math.min(bytes.length, SEGMENT_HEADER_BYTES))) {
      switch (item.kind) {
        case "record":
          this.#apply(segment, bytes, item.offset, item.header);
          break;
        case "damage":
          await this.#setAside(segment, bytes, item.offset, item.end, item.reason);
          break;
        case "tail":
          if (isLast) await this.#cutTail(segment, bytes, item.offset);
          else await this.#setAside(segment, bytes, item.offset, bytes.length, "the file is cut short");
          break;
      }
    }
  }

  async #read(file: string): Promise<Buffer> {
    const handle = await open(file, "r");
    try {
      const { size } = await handle.stat();
      if (size > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(size);
      let done = 0;
      while (done < size) {
        const { bytesRead } = await handle.read(this.#bytes, done, size - done, done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return this.#bytes.subarray(0, done);
    } finally {
      await handle.close();
    }
  }

  #apply(segment: Segment, bytes: Buffer, offset: number, header: RecordHeader): void {
    const id = recordId(bytes, offset, header);
    const place = { segment, offset, bytes: header.bytes };
    // Nearly all of what waits: a million states are to be read without as many objects.
    const isPlain = header.type === recordType.state && !header.hasContent;
    if (isPlain && this.#living.placeState(id, header.revision, place)) return;
    const entry = this.#living.get(id);
    switch (header.type) {
      case recordType.message:
        this.#applyMessage(entry ?? new Entry(id), header, place, recordJson(bytes, offset, header));
        break;
      case recordType.state:
        if (entry !== undefined) this.#applyState(entry, header, place, recordJson(bytes, offset, header));
        break;
      case recordType.end:
        if (entry === undefined) return;
        dropPlaces(entry);
        this.#living.end(entry);
        this.#withFile.delete(id);
        this.#reset.delete(id);
        break;
    }
  }

  #applyMessage(entry: Entry, header: RecordHeader, place: Place, json: Buffer): void {
    placeMessage(entry, place);
    entry.revision = header.revision;
    this.#living.add(entry);
    this.#applied(entry, json);
  }

  #applyState(entry: Entry, header: RecordHeader, place: Place, json: Buffer): void {
    if (header.hasContent) {
      entry.revision = header.revision;
    } else if (header.revision !== entry.revision) {
      // The record with the edited content is lost. The state must not go with the unedited content: what a sink
      // removed would be sent. So the message starts again from its arrival.
      forgetStates(entry);
      this.#rest(entry);
      this.#withFile.add(entry.id);
      this.#reset.add(entry.id);
      return;
    }
    placeState(entry, place, header.hasContent);
    if (header.hasContent) this.#applied(entry, json);
    else this.#rest(entry);
  }

  #rest(entry: Entry): void {
    entry.resting = true;
    this.#living.settle(entry);
  }

  /** The content is now that of this record. */
  #applied(entry: Entry, json: Buffer): void {
    if (json.includes(LAYOUT_KEY)) this.#withFile.add(entry.id);
    else this.#withFile.delete(entry.id);
    this.#reset.delete(entry.id);
    this.#rest(entry);
  }

  /** What a crash cut off was promised to nobody; it is kept beside, for the case that the file was truncated later. */
  async #cutTail(segment: Segment, bytes: Buffer, offset: number): Promise<void> {
    this.#cutBytes += bytes.length - offset;
    const copy = path.join(this.#folders.corrupt, `${path.basename(segment.path)}-${offset}.tail`);
    await writeFile(copy, bytes.subarray(offset));
    await truncate(segment.path, offset);
    segment.size = offset;
  }

  /** Once: a region that was set aside at an earlier start is not reported again. */
  async #setAside(segment: Segment, bytes: Buffer, from: number, to: number, reason: string): Promise<void> {
    const copy = path.join(this.#folders.corrupt, `${path.basename(segment.path)}-${from}.bin`);
    if (await exists(copy)) return;
    await writeFile(copy, bytes.subarray(from, to));
    this.#corrupt.push({ path: copy, reason: `${segment.path}, bytes ${from} to ${to}: ${reason}` });
  }

  async finish(reader: RecordReader, atOnce: number): Promise<RecoveredStore> {
    this.#bytes = Buffer.alloc(0);
    const lost: Entry[] = [];
    const files: string[] = [];
    for (const id of this.#withFile) {
      const entry = this.#living.get(id);
      if (entry?.message !== undefined && !(await this.#findFile(entry, reader))) {
        dropPlaces(entry);
        this.#living.end(entry);
        lost.push(entry);
        this.#reset.delete(id);
      } else if (entry?.file !== undefined) {
        files.push(entry.file);
      } else if (entry !== undefined) {
        this.#rest(entry);
      }
    }
    for (const id of this.#reset) {
      const reason = `message ${id} lost its edited content and starts again from its arrival`;
      this.#corrupt.push({ path: this.#living.get(id)?.message?.segment.path ?? "", reason });
    }
    const ids = inOrder(this.#living.ids());
    const messages = await this.#readAll(ids.slice(0, atOnce), reader);
    await syncFolder(this.#folders.corrupt);
    return {
      segments: this.#segments,
      living: this.#living,
      messages,
      later: ids.slice(atOnce),
      files,
      corrupt: this.#corrupt,
      lost,
      lastSequence: this.#lastSequence,
      cutBytes: this.#cutBytes,
    };
  }

  async #readAll(ids: readonly string[], reader: RecordReader): Promise<RecoveredMessage[]> {
    const entries = ids.flatMap((id) => this.#living.peek(id) ?? []);
    return readInOrder(reader, entries, (_entry, error) => {
      throw error;
    });
  }

  /** Notes the content file of the message, when it has one. false: the file cannot be used. */
  async #findFile(entry: Entry, reader: RecordReader): Promise<boolean> {
    const { id, message, content } = entry;
    if (message === undefined || content === undefined) return false;
    const { json } = await reader.read(content);
    const { layout } = content === message ? parseMessageJson(json) : parseStateJson(json);
    if (layout === undefined) return true;
    const file = path.join(this.#folders.contents, layout.file);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && found.size >= layoutEnd(layout)) {
      entry.file = layout.file;
      return true;
    }
    const copy = path.join(this.#folders.corrupt, `${id}.json`);
    await writeFile(copy, (await reader.read(message)).json);
    const why = found === undefined ? `its content file ${file} is missing` : `${file} is cut short`;
    this.#corrupt.push({ path: copy, reason: `message ${id}: ${why}` });
    return false;
  }
}

/** Ids sort by time, and mostly come sorted: sorting a million takes a second. */
function inOrder(ids: string[]): string[] {
  const isSorted = ids.every((id, at) => at === 0 || (ids[at - 1] ?? "") < id);
  return isSorted ? ids : ids.sort();
}

export function reportRecovery(log: Logger, { cutBytes, corrupt }: RecoveredStore, orphans: number): void {
  if (cutBytes > 0 || orphans > 0)
    log.warn({ cutBytes, orphans }, "unfinished writes removed from the store");
  for (const { path: file, reason } of corrupt)
    log.error({ code: "STORE_CORRUPT", path: file, reason }, "damaged entry of the store set aside");
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}
