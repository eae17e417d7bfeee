// uuencode (POSIX): the transfer encoding of messages that are no MIME.

const BYTES_PER_LINE = 45;
const SPACE = 0x20;
const ZERO = 0x60;
const LF = 0x0a;
const CR = 0x0d;

const digit = (bits: number): number => (bits === 0 ? ZERO : bits + SPACE);

/** The file as lines between `begin` and `end`. Control characters of the name become blanks. */
export function encodeUu(bytes: Buffer, fileName: string): Buffer {
  // oxlint-disable-next-line no-control-regex -- line breaks and other controls are what is removed
  const name = fileName.replaceAll(/[\x00-\x1f\x7f]+/g, " ").trim() || "attachment.bin";
  const lines = Math.ceil(bytes.length / BYTES_PER_LINE);
  const body = Buffer.alloc(lines * 3 + Math.ceil(bytes.length / 3) * 4);
  let at = 0;
  for (let start = 0; start < bytes.length; start += BYTES_PER_LINE) {
    const end = Math.min(start + BYTES_PER_LINE, bytes.length);
    body[at++] = digit(end - start);
    for (let from = start; from < end; from += 3) {
      const bits =
        ((bytes[from] ?? 0) << 16) | (byteAt(bytes, from + 1, end) << 8) | byteAt(bytes, from + 2, end);
      for (const shift of [18, 12, 6, 0]) body[at++] = digit((bits >> shift) & 63);
    }
    body[at++] = CR;
    body[at++] = LF;
  }
  return Buffer.concat([
    Buffer.from(`begin 644 ${name}\r\n`),
    body.subarray(0, at),
    Buffer.from("`\r\nend\r\n"),
  ]);
}

const byteAt = (bytes: Buffer, at: number, end: number): number => (at < end ? (bytes[at] ?? 0) : 0);

/** The file of the first `begin` line, or the bytes as they are when there is none. */
export function decodeUu(raw: Buffer): Buffer {
  const begin = beginLine(raw);
  if (begin < 0) return raw;
  const out = Buffer.alloc(raw.length);
  let length = 0;
  let lineEnd = raw.indexOf(LF, begin);
  while (lineEnd >= 0) {
    const start = lineEnd + 1;
    lineEnd = raw.indexOf(LF, start);
    const count = ((raw[start] ?? ZERO) - SPACE) & 63;
    if (start >= raw.length || count === 0) break;
    const end = lineEnd < 0 ? raw.length : lineEnd;
    length = decodeLine(raw.subarray(start + 1, end), count, out, length);
  }
  return out.subarray(0, length);
}

function beginLine(raw: Buffer): number {
  if (raw.indexOf("begin ", 0, "latin1") === 0) return 0;
  const found = raw.indexOf("\nbegin ", 0, "latin1");
  return found < 0 ? -1 : found + 1;
}

function decodeLine(line: Buffer, count: number, out: Buffer, at: number): number {
  const end = Math.min(at + count, out.length);
  let length = at;
  for (let from = 0; from < line.length && length < end; from += 4) {
    let bits = 0;
    for (let next = from; next < from + 4; next++) bits = (bits << 6) | (((line[next] ?? ZERO) - SPACE) & 63);
    for (let shift = 16; shift >= 0 && length < end; shift -= 8) out[length++] = (bits >> shift) & 0xff;
  }
  return length;
}
