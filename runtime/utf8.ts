// UTF-8 as the Encoding standard reads it: each maximal invalid sequence is one U+FFFD (WHATWG Encoding §4.6).

/** How many bytes a character that begins so has; 1 for what can begin none. */
const lengthByFirst = (first: number): number => {
  if (first < 0xc2 || first > 0xf4) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
};

/** Overlong forms, surrogates and code points beyond the last are invalid from their second byte on. */
function continues(first: number, place: number, byte: number): boolean {
  if (place > 1) return byte >= 0x80 && byte <= 0xbf;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  return byte >= low && byte <= high;
}

/** The bytes of the character at `at`, or of the longest beginning of one. */
export function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] ?? 0;
  const wanted = lengthByFirst(first);
  let length = 1;
  while (length < wanted && at + length < end && continues(first, length, bytes[at + length] ?? 0))
    length += 1;
  return length;
}

/** Where the character begins that the bytes end in the middle of; their length when they end with a whole one. */
export function wholeLength(bytes: Uint8Array): number {
  const end = bytes.length;
  for (let at = end - 1; at >= 0 && at > end - 4; at--) {
    const first = bytes[at] ?? 0;
    if (first < 0x80) return end;
    if (first >= 0xc0)
      return lengthByFirst(first) > end - at && sequenceLength(bytes, at, end) === end - at ? at : end;
  }
  return end;
}

/** Undefined when `fatal` and something is invalid. */
export function decodeUtf8(bytes: Uint8Array, fatal: boolean): string | undefined {
  let text = "";
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : sequenceLength(bytes, at, bytes.length);
    if (first < 0x80) text += String.fromCharCode(first);
    else if (length === 1 || length < lengthByFirst(first)) {
      if (fatal) return undefined;
      text += "\ufffd";
    } else text += String.fromCodePoint(codePoint(bytes, at, length));
    at += length;
  }
  return text;
}

function codePoint(bytes: Uint8Array, start: number, length: number): number {
  let code = (bytes[start] ?? 0) & (0x7f >> length);
  for (let at = start + 1; at < start + length; at++) code = (code << 6) | ((bytes[at] ?? 0) & 0x3f);
  return code;
}
