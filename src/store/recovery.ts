// Start-up: reads all segments in order and answers which messages live. Damage is set aside, never fatal.
import { readFile, readdir, stat, truncate, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { OnArrivalError } from "../core/errors.ts";
import { syncFolder } from "../message/sync-folder.ts";
import { layoutEnd } from "./content-layout.ts";
import { Entry, Segment, dropPlaces, forgetStates, placeMessage, placeState } from "./message-index.ts";
import { parseMessageJson, parseStateJson } from "./record-json.ts";
import {
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
  checkSegmentHeader,
  parseSegmentFileName,
  recordId,
  recordJson,
  recordType,
} from "./record.ts";
import type { RecordHeader } from "./record.ts";
import { scanSegment } from "./segment-scan.ts";
import type { CorruptEntry, RecoveredMessage } from "./store-driver.ts";

export interface RecoveryFolders {
  readonly segments: string;
  readonly contents: string;
  readonly corrupt: string;
}

export interface RecoveredStore {
  readonly segments: Segment[];
  readonly entries: Map<string, Entry>;
  readonly messages: RecoveredMessage[];
  readonly corrupt: CorruptEntry[];
  /** Ids of messages that were set aside: they have to be ended, or the next start finds them again. */
  readonly lost: Entry[];
  readonly lastSequence: number;
  /** Bytes of an unfinished write that were cut off. */
  readonly cutBytes: number;
}

/** The JSON of the records of a message that may live: parsed at the end, when it does. */
interface Candidate {
  readonly entry: Entry;
  messageJson: Buffer;
  stateJson: Buffer | undefined;
  contentJson: Buffer;
  contentIsState: boolean;
  /** A state was found whose content is lost. */
  reset: boolean;
}

export async function recoverStore(folders: RecoveryFolders): Promise<RecoveredStore> {
  const scan = new Scan(folders);
  const found = (await readdir(folders.segments))
    .map((name) => ({ name, parsed: parseSegmentFileName(name) }))
    .filter(({ parsed }) => parsed !== undefined)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const [index, { name, parsed }] of found.entries()) {
    if (parsed === undefined) continue;
    await scan.readSegment(path.join(folders.segments, name), parsed, index === found.length - 1);
  }
  return scan.finish();
}

class Scan {
  readonly #folders: RecoveryFolders;
  readonly #segments: Segment[] = [];
  readonly #candidates = new Map<string, Candidate>();
  readonly #corrupt: CorruptEntry[] = [];
  #lastSequence = 0;
  #cutBytes = 0;

  constructor(folders: RecoveryFolders) {
    this.#folders = folders;
  }

  async readSegment(
    file: string,
    { sequence, salt }: { sequence: number; salt: Buffer },
    isLast: boolean,
  ): Promise<void> {
    this.#lastSequence = sequence;
    const bytes = await readFile(file);
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

  #apply(segment: Segment, bytes: Buffer, offset: number, header: RecordHeader): void {
    const id = recordId(bytes, offset, header);
    const place = { segment, offset, bytes: header.bytes };
    switch (header.type) {
      case recordType.message:
        this.#applyMessage(id, header, place, Buffer.from(recordJson(bytes, offset, header)));
        break;
      case recordType.state:
        this.#applyState(id, header, place, Buffer.from(recordJson(bytes, offset, header)));
        break;
      case recordType.end: {
        const candidate = this.#candidates.get(id);
        if (candidate !== undefined) dropPlaces(candidate.entry);
        this.#candidates.delete(id);
        break;
      }
    }
  }

  #applyMessage(id: string, header: RecordHeader, place: Entry["message"] & object, json: Buffer): void {
    const entry = this.#candidates.get(id)?.entry ?? new Entry(id);
    placeMessage(entry, place);
    entry.revision = header.revision;
    this.#candidates.set(id, {
      entry,
      messageJson: json,
      stateJson: undefined,
      contentJson: json,
      contentIsState: false,
      reset: false,
    });
  }

  #applyState(id: string, header: RecordHeader, place: Entry["message"] & object, json: Buffer): void {
    const candidate = this.#candidates.get(id);
    if (candidate === undefined) return;
    const { entry } = candidate;
    if (header.hasContent) {
      entry.revision = header.revision;
      candidate.contentJson = json;
      candidate.contentIsState = true;
      candidate.reset = false;
    } else if (header.revision !== entry.revision) {
      // The record with the edited content is lost. The state must not go with the unedited content: what a sink
      // removed would be sent. So the message starts again from its arrival.
      forgetStates(entry);
      candidate.stateJson = undefined;
      candidate.contentJson = candidate.messageJson;
      candidate.contentIsState = false;
      candidate.reset = true;
      return;
    }
    placeState(entry, place, header.hasContent);
    candidate.stateJson = json;
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

  async finish(): Promise<RecoveredStore> {
    const entries = new Map<string, Entry>();
    const messages: RecoveredMessage[] = [];
    const lost: Entry[] = [];
    for (const candidate of this.#candidates.values()) {
      const { entry } = candidate;
      const message = parseMessageJson(candidate.messageJson);
      const missing = await this.#missingFile(candidate);
      if (missing !== undefined) {
        const copy = path.join(this.#folders.corrupt, `${entry.id}.json`);
        await writeFile(copy, candidate.messageJson);
        this.#corrupt.push({ path: copy, reason: missing });
        dropPlaces(entry);
        lost.push(entry);
        continue;
      }
      if (candidate.reset) {
        const reason = `message ${entry.id} lost its edited content and starts again from its arrival`;
        this.#corrupt.push({ path: entry.message?.segment.path ?? "", reason });
      }
      const state =
        candidate.stateJson === undefined ? message.state : parseStateJson(candidate.stateJson).state;
      entries.set(entry.id, entry);
      messages.push({ id: entry.id, origin: message.origin, envelope: message.envelope, state });
    }
    messages.sort((a, b) => (a.id < b.id ? -1 : 1));
    await syncFolder(this.#folders.corrupt);
    return {
      segments: this.#segments,
      entries,
      messages,
      corrupt: this.#corrupt,
      lost,
      lastSequence: this.#lastSequence,
      cutBytes: this.#cutBytes,
    };
  }

  /** Why the content file of the message cannot be used. Notes its name at the entry. */
  async #missingFile(candidate: Candidate): Promise<string | undefined> {
    const json = candidate.contentJson;
    const { layout } = candidate.contentIsState ? parseStateJson(json) : parseMessageJson(json);
    if (layout === undefined) return undefined;
    const file = path.join(this.#folders.contents, layout.file);
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) return `message ${candidate.entry.id}: its content file ${file} is missing`;
    if (found.size < layoutEnd(layout)) return `message ${candidate.entry.id}: ${file} is cut short`;
    candidate.entry.file = layout.file;
    return undefined;
  }
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}
