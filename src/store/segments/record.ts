// The bytes of a segment: a header, then records. Little-endian. Version 1.
//
//   segment   "OnArrivalSegment" version:u8 0:u8*3 sequence:u32 salt:8 crc:u32
//   record    salt:8 type:u8 flags:u8 idLength:u8 0:u8 revision:u32 jsonLength:u32 contentLength:u32 crc:u32
//             id json content crc:u32 endMark:u32
//
// The salt is random and never leaves the machine: a mail that carries the bytes of a record in its content cannot
// be taken for one when the reader looks for the next record behind a damaged region.
import { crc32 } from "node:zlib";

export const SEGMENT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 36;
export const SALT_BYTES = 8;
export const RECORD_HEADER_BYTES = 28;
export const RECORD_TRAILER_BYTES = 8;
const SEGMENT_MAGIC = Buffer.from("OnArrivalSegment", "latin1");
const END_MARK = 0x454e4421;

export const recordType = { message: 1, state: 2, end: 3 } as const;
export type RecordType = (typeof recordType)[keyof typeof recordType];

/** The record carries the content of its message. */
const FLAG_CONTENT = 1;

export interface RecordHeader {
  readonly type: RecordType;
  readonly hasContent: boolean;
  /** How many times the content of the message was replaced before or by this record. */
  readonly revision: number;
  readonly idLength: number;
  readonly jsonLength: number;
  readonly contentLength: number;
  /** The whole record. */
  readonly bytes: number;
}

export function encodeSegmentHeader(sequence: number, salt: Buffer): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  SEGMENT_MAGIC.copy(header, 0);
  header[16] = SEGMENT_VERSION;
  header.writeUInt32LE(sequence, 20);
  salt.copy(header, 24);
  header.writeUInt32LE(crc32(header.subarray(0, 32)), 32);
  return header;
}

export type SegmentHeader =
  | { readonly kind: "valid" }
  | { readonly kind: "damaged" }
  | { readonly kind: "version"; readonly version: number };

export function checkSegmentHeader(bytes: Buffer, salt: Buffer): SegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES) return { kind: "damaged" };
  if (bytes.readUInt32LE(32) !== crc32(bytes.subarray(0, 32))) return { kind: "damaged" };
  if (!bytes.subarray(0, 16).equals(SEGMENT_MAGIC)) return { kind: "damaged" };
  const version = bytes[16] ?? 0;
  if (version !== SEGMENT_VERSION) return { kind: "version", version };
  return bytes.subarray(24, 32).equals(salt) ? { kind: "valid" } : { kind: "damaged" };
}

/** Of the file name `<sequence>-<salt>.seg`: the salt is held twice, so a damaged header costs nothing. */
export function segmentFileName(sequence: number, salt: Buffer): string {
  return `${String(sequence).padStart(10, "0")}-${salt.toString("hex")}.seg`;
}

const SEGMENT_NAME = /^(\d{10})-([0-9a-f]{16})\.seg$/;

export function parseSegmentFileName(name: string): { sequence: number; salt: Buffer } | undefined {
  const [, sequence, salt] = SEGMENT_NAME.exec(name) ?? [];
  if (sequence === undefined || salt === undefined) return undefined;
  return { sequence: Number(sequence), salt: Buffer.from(salt, "hex") };
}

export interface EncodedRecord {
  /** To be written in this order; the pieces of the content are not copied. */
  readonly buffers: Buffer[];
  readonly bytes: number;
}

export function encodeRecord(
  salt: Buffer,
  type: RecordType,
  id: string,
  json: string,
  revision: number,
  content?: readonly Buffer[],
): EncodedRecord {
  const jsonLength = Buffer.byteLength(json);
  const bodyStart = RECORD_HEADER_BYTES + id.length;
  const single = content === undefined ? RECORD_TRAILER_BYTES : 0;
  const head = Buffer.allocUnsafe(bodyStart + jsonLength + single);
  let contentLength = 0;
  if (content !== undefined) for (const piece of content) contentLength += piece.length;
  salt.copy(head, 0);
  head[8] = type;
  head[9] = content === undefined ? 0 : FLAG_CONTENT;
  head[10] = id.length;
  head[11] = 0;
  head.writeUInt32LE(revision, 12);
  head.writeUInt32LE(jsonLength, 16);
  head.writeUInt32LE(contentLength, 20);
  head.writeUInt32LE(crc32(head.subarray(0, 24)), 24);
  head.write(id, RECORD_HEADER_BYTES, id.length, "latin1");
  head.write(json, bodyStart, jsonLength, "utf8");
  const bytes = bodyStart + jsonLength + contentLength + RECORD_TRAILER_BYTES;
  // One checksum over everything, the header included: a payload cannot pass under another header.
  let crc = crc32(head.subarray(0, bodyStart + jsonLength));
  if (content === undefined) {
    writeTrailer(head, bodyStart + jsonLength, crc);
    return { buffers: [head], bytes };
  }
  const buffers: Buffer[] = [head];
  for (const piece of content) {
    if (piece.length === 0) continue;
    crc = crc32(piece, crc);
    buffers.push(piece);
  }
  const trailer = Buffer.allocUnsafe(RECORD_TRAILER_BYTES);
  writeTrailer(trailer, 0, crc);
  buffers.push(trailer);
  return { buffers, bytes };
}

function writeTrailer(target: Buffer, offset: number, crc: number): void {
  target.writeUInt32LE(crc, offset);
  target.writeUInt32LE(END_MARK, offset + 4);
}

/** The header of a record at `offset`, when its own checksum holds. */
export function readRecordHeader(bytes: Buffer, offset: number, salt: Buffer): RecordHeader | undefined {
  if (offset + RECORD_HEADER_BYTES > bytes.length) return undefined;
  if (salt.compare(bytes, offset, offset + SALT_BYTES) !== 0) return undefined;
  if (bytes.readUInt32LE(offset + 24) !== crc32(bytes.subarray(offset, offset + 24))) return undefined;
  const type = bytes[offset + 8];
  if (type !== recordType.message && type !== recordType.state && type !== recordType.end) return undefined;
  const idLength = bytes[offset + 10] ?? 0;
  const jsonLength = bytes.readUInt32LE(offset + 16);
  const contentLength = bytes.readUInt32LE(offset + 20);
  return {
    type,
    hasContent: ((bytes[offset + 9] ?? 0) & FLAG_CONTENT) !== 0,
    revision: bytes.readUInt32LE(offset + 12),
    idLength,
    jsonLength,
    contentLength,
    bytes: RECORD_HEADER_BYTES + idLength + jsonLength + contentLength + RECORD_TRAILER_BYTES,
  };
}

/** Whether the whole record at `offset` is as it was written. */
export function isIntact(bytes: Buffer, offset: number, header: RecordHeader): boolean {
  const end = offset + header.bytes - RECORD_TRAILER_BYTES;
  if (end + RECORD_TRAILER_BYTES > bytes.length) return false;
  if (bytes.readUInt32LE(end + 4) !== END_MARK) return false;
  return bytes.readUInt32LE(end) === crc32(bytes.subarray(offset, end));
}

export function recordId(bytes: Buffer, offset: number, header: RecordHeader): string {
  const start = offset + RECORD_HEADER_BYTES;
  return bytes.toString("latin1", start, start + header.idLength);
}

export function recordJson(bytes: Buffer, offset: number, header: RecordHeader): Buffer {
  const start = offset + RECORD_HEADER_BYTES + header.idLength;
  return bytes.subarray(start, start + header.jsonLength);
}

export function recordContent(bytes: Buffer, offset: number, header: RecordHeader): Buffer {
  const start = offset + RECORD_HEADER_BYTES + header.idLength + header.jsonLength;
  return bytes.subarray(start, start + header.contentLength);
}
