// The parts of the records.
import type { Envelope, Origin } from "../../core/envelope.ts";
import type { ContentLayout } from "./content-layout.ts";
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

/** The parts of a whole record; undefined when it is not as it was written. */
export function checkedRecord(bytes: Buffer, salt: Buffer): StoredRecord | undefined {
  const header = readRecordHeader(bytes, 0, salt);
  if (header === undefined || !isIntact(bytes, 0, header)) return undefined;
  return { json: recordJson(bytes, 0, header), content: recordContent(bytes, 0, header) };
}
