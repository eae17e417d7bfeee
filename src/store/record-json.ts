// The JSON parts of the records, and reading one record back.
import { open } from "node:fs/promises";
import type { Envelope, Origin } from "../core/envelope.ts";
import { OnArrivalError } from "../core/errors.ts";
import type { ContentLayout } from "./content-layout.ts";
import type { Place } from "./message-index.ts";
import { isIntact, readRecordHeader, recordContent, recordJson } from "./record.ts";

export interface MessageJson {
  readonly origin: Origin;
  readonly envelope: Envelope;
  /** In a copy that compaction made: the state at that time. */
  readonly state?: string | undefined;
  readonly layout?: ContentLayout | undefined;
}

export interface StateJson {
  readonly state: string;
  readonly layout?: ContentLayout | undefined;
}

// Our own bytes behind a checksum: their shape was checked when they were written.
export function parseMessageJson(json: Buffer): MessageJson {
  const parsed: MessageJson = JSON.parse(json.toString());
  return parsed;
}

export function parseStateJson(json: Buffer): StateJson {
  const parsed: StateJson = JSON.parse(json.toString());
  return parsed;
}

export interface StoredRecord {
  readonly json: Buffer;
  readonly content: Buffer;
}

/** Reads and checks a record. Throws STORE_CORRUPT for bytes that have changed since they were written. */
export async function readRecord(place: Place): Promise<StoredRecord> {
  const { segment, offset, bytes } = place;
  const buffer = Buffer.allocUnsafe(bytes);
  const file = await open(segment.path, "r");
  try {
    let done = 0;
    while (done < bytes) {
      const { bytesRead } = await file.read(buffer, done, bytes - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    const header = done === bytes ? readRecordHeader(buffer, 0, segment.salt) : undefined;
    if (header === undefined || !isIntact(buffer, 0, header)) {
      throw new OnArrivalError(
        "STORE_CORRUPT",
        `${segment.path}: the record at ${offset} is not as it was written`,
      );
    }
    return { json: recordJson(buffer, 0, header), content: recordContent(buffer, 0, header) };
  } finally {
    await file.close();
  }
}
