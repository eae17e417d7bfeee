// Reads a segment from its first byte to its last: records, damaged regions, and the tail that a crash cut off.
import { isIntact, readRecordHeader, type RecordHeader, SALT_BYTES } from "./record.ts";

export type ScanItem =
  | { readonly kind: "record"; readonly offset: number; readonly header: RecordHeader }
  | { readonly kind: "damage"; readonly offset: number; readonly end: number; readonly reason: string }
  /** An unfinished write: what follows the last barrier may be cut anywhere and was never acknowledged. */
  | { readonly kind: "tail"; readonly offset: number };

export function* scanSegment(bytes: Buffer, salt: Buffer, start: number): Generator<ScanItem> {
  let offset = start;
  while (offset < bytes.length) {
    const header = readRecordHeader(bytes, offset, salt);
    if (header !== undefined && isIntact(bytes, offset, header)) {
      yield { kind: "record", offset, header };
      offset += header.bytes;
      continue;
    }
    const next = nextRecord(bytes, offset + 1, salt);
    if (next === undefined) {
      yield lastRegion(bytes, offset, header);
      return;
    }
    yield { kind: "damage", offset, end: next, reason: "the checksum does not hold" };
    offset = next;
  }
}

/** The next offset with an intact record: a lost header must not take the records behind it along. */
function nextRecord(bytes: Buffer, from: number, salt: Buffer): number | undefined {
  for (let at = bytes.indexOf(salt, from); at >= 0; at = bytes.indexOf(salt, at + SALT_BYTES)) {
    const header = readRecordHeader(bytes, at, salt);
    if (header !== undefined && isIntact(bytes, at, header)) return at;
  }
  return undefined;
}

/**
 * A record that runs past the end of the file, or zeros (a size that reached the disk before its bytes did), is what
 * a crash leaves. Anything else was whole once.
 */
function lastRegion(bytes: Buffer, offset: number, header: RecordHeader | undefined): ScanItem {
  const whole = header !== undefined && offset + header.bytes <= bytes.length;
  const rest = bytes.subarray(offset);
  const cut = !whole && (header !== undefined || rest.length < SALT_BYTES * 4 || isZero(rest));
  if (cut || endsInZeros(rest)) return { kind: "tail", offset };
  return { kind: "damage", offset, end: bytes.length, reason: "the checksum does not hold" };
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

const endsInZeros = (bytes: Buffer): boolean => isZero(bytes.subarray(-SALT_BYTES));
