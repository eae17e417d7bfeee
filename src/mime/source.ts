// Where the document reads the original bytes from, and where the header block ends in them.

/** Random access to the original bytes, synchronous. A worker may fetch on demand: read as little as possible. */
export interface ByteSource {
  readonly size: number;
  /** Length of the header block, its blank line included. */
  readonly headerLength: number;
  slice(start: number, end: number): Buffer;
}

/** Length of the header block at the start of `bytes`, blank line included; all of it when there is no blank line. */
export function headerEnd(bytes: Buffer): number {
  if (bytes[0] === 0x0a) return 1;
  if (bytes[0] === 0x0d && bytes[1] === 0x0a) return 2;
  // The usual end is looked for first; a bare LF can only end the block before it.
  const crlf = bytes.indexOf("\n\r\n", 0, "latin1");
  const head = crlf < 0 ? bytes : bytes.subarray(0, crlf + 1);
  const lf = head.indexOf("\n\n", 0, "latin1");
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
