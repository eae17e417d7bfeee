// One header field: which names and values are allowed (FAULTS H01, H02) and how a new one is folded.

const NAME = /^[!-9;-~]+$/;
const MAX_NAME_LENGTH = 128;
// RFC 5322 §2.1.1
const LINE_LENGTH = 78;
// Every character that somebody takes for a line end, and every other control character but the tab.
// oxlint-disable-next-line no-control-regex -- control characters are what is meant
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]/;

export function requireFieldName(name: string): void {
  if (name.length > MAX_NAME_LENGTH || !NAME.test(name)) {
    throw new RangeError(`"${name.slice(0, 40)}" cannot be the name of a header field`);
  }
}

export function requireFieldValue(name: string, value: string): void {
  if (FORBIDDEN.test(value))
    throw new RangeError(`The value of ${name} holds a line break or a control character`);
}

const isBlank = (text: string, at: number): boolean => text[at] === " " || text[at] === "\t";

/** Where to break: at the start of the last run of blanks before the limit, else of the first one after it; -1: nowhere. */
function breakPoint(line: string, from: number): number {
  for (let at = Math.min(LINE_LENGTH, line.length - 1); at > from; at--)
    if (isBlank(line, at) && !isBlank(line, at - 1)) return at;
  for (let at = LINE_LENGTH + 1; at < line.length; at++)
    if (isBlank(line, at) && !isBlank(line, at - 1)) return at;
  return -1;
}

/** The field as lines, each ended by `newline`. Only line breaks are put in, so unfolding gives the value back. */
export function foldField(label: string, value: string, newline: string): string {
  let rest = value === "" ? `${label}:` : `${label}: ${value}`;
  if (rest.length <= LINE_LENGTH) return rest + newline;
  const lines: string[] = [];
  let from = label.length + 1;
  while (rest.length > LINE_LENGTH) {
    const at = breakPoint(rest, from);
    if (at < 0) break;
    lines.push(rest.slice(0, at));
    rest = rest.slice(at);
    // A line of blanks alone would end the header for some readers: never break before its first word.
    from = 1;
    while (isBlank(rest, from)) from++;
  }
  lines.push(rest);
  return lines.join(newline) + newline;
}

/** The value of a raw field without its line breaks and outer blanks. */
export function unfoldValue(raw: string): string {
  let end = raw.length;
  if (raw[end - 1] === "\n") end -= raw[end - 2] === "\r" ? 2 : 1;
  const lastBreak = raw.lastIndexOf("\n", end - 1);
  return trimBlanks(lastBreak < 0 ? raw.slice(0, end) : raw.replaceAll(/\r?\n/g, ""));
}

/** Blanks only: a non-breaking space may be a byte of an UTF-8 character here. */
export function trimBlanks(line: string): string {
  let start = 0;
  let end = line.length;
  while (start < end && isBlank(line, start)) start++;
  while (end > start && (isBlank(line, end - 1) || line[end - 1] === "\r")) end--;
  return line.slice(start, end);
}
