// Where the document reads the original bytes from, and where the header block ends in them.

/** Random access to the original bytes, synchronous. A worker may fetch on demand: read as little as possible. */
export interface ByteSource {
  readonly size: number;
  /** Length of the header block, its blank line included. */
  readonly headerLength: number;
  slice(start: number, end: number): Buffer;
}

const CRLF_BLANK_LINE = Buffer.from("\n\r\n");
const LF_BLANK_LINE = Buffer.from("\n\n");

/** Length of the header block at the start of `bytes`, blank line included; all of it when there is no blank line. */
export function headerEnd(bytes: Buffer): number {
  if (bytes[0] === 0x0a) return 1;
  if (bytes[0] === 0x0d && bytes[1] === 0x0a) return 2;
  // The usual end is looked for first; a bare LF can only end the block before it.
  const crlf = bytes.indexOf(CRLF_BLANK_LINE);
  const head = crlf < 0 ? bytes : bytes.subarray(0, crlf + 1);
  const lf = head.indexOf(LF_BLANK_LINE);
  if (lf >= 0) return lf + 2;
  return crlf < 0 ? bytes.length : crlf + 3;
}

export function bufferSource(bytes: Buffer): ByteSource {
  return {
    size: bytes.length,
    headerLength: headerEnd(bytes),
    slice: (start, end) => bytes.subarray(start, end),
  };
}
