// BinHex 4.0 (RFC 1741): the transfer encoding mac-binhex40 of the original. Of a file of a Macintosh only the data fork is taken
// and written; its other fork and its Finder fields mean nothing elsewhere.

const ALPHABET = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
const NO_DIGIT = 0xff;
const DIGITS = Uint8Array.from({ length: 256 }, (_, code) => {
  const digit = ALPHABET.indexOf(String.fromCharCode(code));
  return digit < 0 ? NO_DIGIT : digit;
});
const COLON = 0x3a;
/** Marks a run: the byte before it, that many times in all; a run of 0 is the marker itself. */
const REPEAT = 0x90;
const LONGEST_RUN = 255;
const INTRODUCTION = "(This file must be converted with BinHex 4.0)";
const LINE_CHARS = 64;
const MAX_NAME_BYTES = 63;
/** Name length, name, version, type, creator, flags, lengths of both forks, checksum. */
const headerLength = (nameLength: number): number => 1 + nameLength + 1 + 4 + 4 + 2 + 4 + 4 + 2;
const CRC_BYTES = 2;
/** A run makes much of little: a file that claims more is left as it is. */
export const MAX_BINHEX_BYTES = 64 * 1024 * 1024;

/** The data fork, or the bytes as they are when they are no BinHex. Checksums are not asked: a damaged file is better than none. */
export function decodeBinHex(raw: Buffer): Buffer {
  const start = dataStart(raw);
  if (start < 0) return raw;
  const bytes = expand(sixBitBytes(raw, start));
  const nameLength = bytes.next().value;
  if (nameLength === undefined || nameLength === 0 || nameLength > MAX_NAME_BYTES) return raw;
  const rest = headerLength(nameLength) - 1;
  let length = 0;
  for (let at = 0; at < rest; at++) {
    const byte = bytes.next().value;
    if (byte === undefined) return raw;
    const place = at - (nameLength + 1 + 4 + 4 + 2);
    if (place >= 0 && place < 4) length = length * 256 + byte;
  }
  if (length > MAX_BINHEX_BYTES) return raw;
  const data = Buffer.alloc(Math.min(length, raw.length * LONGEST_RUN));
  let written = 0;
  while (written < data.length) {
    const byte = bytes.next().value;
    // Cut off: what is there is given.
    if (byte === undefined) break;
    data[written++] = byte;
  }
  return data.subarray(0, written);
}

/** Behind the colon that begins a line after the introduction. */
function dataStart(raw: Buffer): number {
  const introduced = raw.indexOf("BinHex 4", 0, "latin1");
  if (introduced < 0) return -1;
  let at = raw.indexOf("\n", introduced, "latin1");
  while (at >= 0 && at + 1 < raw.length && (raw[at + 1] === 0x0a || raw[at + 1] === 0x0d)) at += 1;
  return at >= 0 && raw[at + 1] === COLON ? at + 2 : -1;
}

/** Six bits a character up to the closing colon; what is no digit is passed over. */
function* sixBitBytes(raw: Buffer, start: number): Generator<number, undefined> {
  let bits = 0;
  let count = 0;
  for (let at = start; at < raw.length && raw[at] !== COLON; at++) {
    const digit = DIGITS[raw[at] ?? 0] ?? NO_DIGIT;
    if (digit === NO_DIGIT) continue;
    bits = ((bits << 6) | digit) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    yield (bits >> count) & 0xff;
  }
  return undefined;
}

function* expand(bytes: Generator<number, undefined>): Generator<number, undefined> {
  let last = 0;
  for (const byte of bytes) {
    if (byte !== REPEAT) {
      last = byte;
      yield byte;
      continue;
    }
    const run = bytes.next().value;
    if (run === undefined) return undefined;
    if (run === 0) {
      last = REPEAT;
      yield REPEAT;
    }
    for (let more = 1; more < run; more++) yield last;
  }
  return undefined;
}

/** The bytes as the data fork of a file without a type. */
export function encodeBinHex(bytes: Buffer, fileName: string): Buffer {
  // oxlint-disable-next-line no-control-regex -- line breaks and other controls are what is removed
  const plain = fileName.replaceAll(/[^\x20-\x7e]+/g, "_").slice(0, MAX_NAME_BYTES) || "attachment.bin";
  const name = Buffer.from(plain, "latin1");
  const header = Buffer.alloc(headerLength(name.length) - CRC_BYTES);
  header[0] = name.length;
  name.copy(header, 1);
  header.write("????????", name.length + 2, "latin1");
  header.writeUInt32BE(bytes.length, name.length + 12);
  const noResources = Buffer.alloc(0);
  const parts = [header, bytes, noResources].flatMap((part) => [part, checksum(part)]);
  return armour(compress(Buffer.concat(parts)));
}

/** CRC-16 with the polynomial 0x1021, from 0. */
function checksum(bytes: Buffer): Buffer {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return Buffer.of(crc >> 8, crc & 0xff);
}

/** A run pays from the fourth byte on. */
function compress(bytes: Buffer): Buffer {
  const out = Buffer.alloc(bytes.length * 2);
  let written = 0;
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    let run = 1;
    while (run < LONGEST_RUN && bytes[at + run] === byte) run += 1;
    at += run > 3 ? run : 1;
    out[written++] = byte;
    if (byte === REPEAT) out[written++] = 0;
    if (run > 3) {
      out[written++] = REPEAT;
      out[written++] = run;
    }
  }
  return out.subarray(0, written);
}

function armour(bytes: Buffer): Buffer {
  const characters = Math.ceil((bytes.length * 8) / 6);
  const text = Buffer.alloc(characters + 2, COLON);
  for (let at = 0; at < characters; at++) {
    const bit = at * 6;
    const first = bit >> 3;
    const pair = ((bytes[first] ?? 0) << 8) | (bytes[first + 1] ?? 0);
    text[at + 1] = ALPHABET.charCodeAt((pair >> (10 - (bit & 7))) & 63);
  }
  const lines: Buffer[] = [Buffer.from(`${INTRODUCTION}\r\n\r\n`)];
  for (let at = 0; at < text.length; at += LINE_CHARS)
    lines.push(text.subarray(at, at + LINE_CHARS), Buffer.from("\r\n"));
  return Buffer.concat(lines);
}
