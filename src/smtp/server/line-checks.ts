// What a command line is refused for before its verb is looked at, and the form of a HELO argument.

const MAX_HELO_BYTES = 255;
const HELO_DOMAIN = /^[^\s<>()"\\;,]+$/;
// C0, C1 and what stands for bytes that are no UTF-8: such text would end up in logs, headers and the next hop.
const UNSAFE = /[\p{Cc}\ufffd]/u;
/** Browsers and other programs that were sent to the wrong port (FAULTS S24). */
const FOREIGN_PROTOCOL =
  /^(?:(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|TRACE|PATCH|CONNECT) \S+ HTTP\/|SSH-|PRI \* )/i;
const VERB = /^[a-z]{1,20}(?: |$)/i;

export const isUnsafe = (line: string): boolean => UNSAFE.test(line);

/** RFC 5321 §4.1.1: white space before the CRLF is tolerated. */
export function withoutTrailingBlanks(line: string): string {
  let end = line.length;
  while (line[end - 1] === " " || line[end - 1] === "\t") end -= 1;
  return end === line.length ? line : line.slice(0, end);
}

/** Before hello a line without a verb is enough to tell that the client speaks something else. */
export const isForeign = (line: string, isBeforeHello: boolean): boolean =>
  FOREIGN_PROTOCOL.test(line) || (isBeforeHello && !VERB.test(line));

export const isHeloDomain = (domain: string): boolean =>
  HELO_DOMAIN.test(domain) && Buffer.byteLength(domain) <= MAX_HELO_BYTES;
