// Address lists (RFC 5322 §3.4), read in one pass with counters instead of recursion.
import { decodeWords } from "./encoded-words.ts";

export interface MailboxAddress {
  /** Display name, decoded. Nothing is parsed after decoding: an encoded word may spell an address or a comma. */
  readonly name: string;
  readonly address: string;
}

/** What is collected of the mailbox in hand. */
interface Draft {
  phrase: string[];
  /** An address literal "[IPv6:..]" has begun. */
  literal: boolean;
  angle: string | undefined;
  comment: string;
}

interface Scanned {
  readonly text: string;
  readonly end: number;
}

function scanQuoted(raw: string, at: number): Scanned {
  const parts: string[] = [];
  let position = at + 1;
  for (; position < raw.length && raw[position] !== '"'; position++) {
    if (raw[position] === "\\" && position + 1 < raw.length) position++;
    parts.push(raw[position] ?? "");
  }
  return { text: parts.join(""), end: Math.min(position + 1, raw.length) };
}

function scanComment(raw: string, at: number): Scanned {
  let depth = 0;
  let position = at;
  for (; position < raw.length; position++) {
    const char = raw[position];
    if (char === "\\") position++;
    else if (char === "(") depth++;
    else if (char === ")" && --depth === 0) break;
  }
  return { text: raw.slice(at + 1, Math.min(position, raw.length)), end: Math.min(position + 1, raw.length) };
}

/** The path between angle brackets; a quoted local part may hold a ">". */
function scanAngle(raw: string, at: number): Scanned {
  let position = at + 1;
  while (position < raw.length && raw[position] !== ">") {
    if (raw[position] === '"') position = scanQuoted(raw, position).end;
    else if (raw[position] === "," || raw[position] === "<") {
      // A source route "<@a,@b:c@d>" holds commas; any other comma means that the bracket was never closed.
      if (raw[at + 1] !== "@" || raw[position] === "<") break;
      position++;
    } else position++;
  }
  const text = raw.slice(at + 1, position).trim();
  return { text, end: raw[position] === ">" ? position + 1 : position };
}

function finish(draft: Draft, found: MailboxAddress[]): void {
  const phrase = draft.phrase
    .join("")
    .replaceAll(/[ \t\r\n]+/g, " ")
    .trim();
  if (draft.angle !== undefined) {
    const route = draft.angle.startsWith("@") ? draft.angle.indexOf(":") : -1;
    const address = draft.angle.slice(route + 1).trim();
    if (address !== "" || phrase !== "") found.push({ name: decodeWords(phrase), address });
  } else if (phrase !== "") {
    found.push({ name: decodeWords(draft.comment.trim()), address: phrase.replaceAll(/ ?([@.]) ?/g, "$1") });
  }
  draft.phrase = [];
  draft.literal = false;
  draft.angle = undefined;
  draft.comment = "";
}

function addText(text: string, draft: Draft): void {
  draft.phrase.push(text);
  draft.literal ||= text.includes("[");
}

/** Keeps the quotes of a local part (`"a b"@c`), drops those of a display name. */
function addQuoted(raw: string, at: number, draft: Draft): number {
  const quoted = scanQuoted(raw, at);
  draft.phrase.push(raw[quoted.end] === "@" ? raw.slice(at, quoted.end) : quoted.text);
  return quoted.end;
}

/** Groups are flattened: their names are dropped, their members kept. Tolerant: whatever cannot be read is skipped. */
export function parseAddressList(raw: string): MailboxAddress[] {
  const found: MailboxAddress[] = [];
  const draft: Draft = { phrase: [], literal: false, angle: undefined, comment: "" };
  const special = /["(<,;:]/g;
  let position = 0;
  while (position < raw.length) {
    special.lastIndex = position;
    const at = special.exec(raw)?.index ?? raw.length;
    if (at > position) addText(raw.slice(position, at), draft);
    switch (raw[at] ?? ",") {
      case '"':
        position = addQuoted(raw, at, draft);
        break;
      case "(": {
        const comment = scanComment(raw, at);
        draft.comment = comment.text;
        draft.phrase.push(" ");
        position = comment.end;
        break;
      }
      case "<": {
        const angle = scanAngle(raw, at);
        draft.angle ??= angle.text;
        position = Math.max(angle.end, at + 1);
        break;
      }
      case ":":
        // The name of a group; in an address literal "[IPv6:..]" the colon belongs to the address.
        if (draft.literal) draft.phrase.push(":");
        else draft.phrase = [];
        position = at + 1;
        break;
      default:
        finish(draft, found);
        position = at + 1;
    }
  }
  finish(draft, found);
  return found;
}
