// Replies as sinks write them: text with codes, one line or several (REFERENCE 3.2, "Response text rules").

/** RFC 5321 §4.5.3.1.5 allows 512; longer lines are cut nowhere, so they are refused. */
const MAX_LINE_CHARS = 510;
const MAX_LINES = 100;
const LINE = /^([2-5]\d\d)(?:[ -]([ -~]*))?$/;

export interface ReplyText {
  readonly code: number;
  /** Without their codes. */
  readonly lines: readonly string[];
}

/** Throws RangeError on what would put the session out of step (FAULTS S27). */
export function parseReplyText(text: string): ReplyText {
  const rows = text.replace(/\r\n$/, "").split("\r\n");
  if (rows.length > MAX_LINES) throw new RangeError(`a reply has at most ${MAX_LINES} lines`);
  let code: number | undefined;
  const lines = rows.map((row) => {
    const match = row.length <= MAX_LINE_CHARS ? LINE.exec(row) : null;
    const rowCode = Number(match?.[1]);
    if (match === null || rowCode !== (code ?? rowCode))
      throw new RangeError(
        `not a reply: ${JSON.stringify(row.slice(0, 100))} (a code 200 to 599, printable ASCII, the same code in every line)`,
      );
    code = rowCode;
    return match[2] ?? "";
  });
  return { code: code ?? 0, lines };
}

/** One more line of a reply, with its code or without. */
export function parseReplyLine(text: string, code: number): string {
  const row = text.replace(/\r\n$/, "");
  const line = /^\d{3}[ -]/.test(row) && Number(row.slice(0, 3)) === code ? row.slice(4) : row;
  if (line.length > MAX_LINE_CHARS - 4 || !/^[ -~]*$/.test(line))
    throw new RangeError(`not a line of a reply: ${JSON.stringify(row.slice(0, 100))} (printable ASCII)`);
  return line;
}

export function formatReplyText({ code, lines }: ReplyText): string {
  const last = lines.length - 1;
  return lines.map((line, index) => `${code}${index < last ? "-" : " "}${line}`).join("\r\n");
}
