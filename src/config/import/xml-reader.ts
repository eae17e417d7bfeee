// Reads the XML of a metabase: elements and attributes, nothing else. Made for files of strangers: one pass, bounded, and without
// document types there are no entities to expand (the "billion laughs") and no files to fetch.
import { OnArrivalError } from "../../core/errors.ts";

export interface XmlVisitor {
  open(name: string, attributes: ReadonlyMap<string, string>): void;
  close(name: string): void;
}

const MAX_DEPTH = 64;
const MAX_ATTRIBUTES = 2000;
const NAME = /[A-Za-z_][\w.:-]*/y;
const SPACE = /[ \t\r\n]*/y;
const REFERENCE = /&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([\da-fA-F]{1,6}));/g;
const NAMED: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** Throws IMPORT_INVALID with line and column at whatever it does not know. */
export function readXml(text: string, visitor: XmlVisitor): void {
  new Reader(text, visitor).run();
}

class Reader {
  readonly #text: string;
  readonly #visitor: XmlVisitor;
  readonly #open: string[] = [];
  #at = 0;
  #hasRoot = false;

  constructor(text: string, visitor: XmlVisitor) {
    this.#text = text;
    this.#visitor = visitor;
  }

  run(): void {
    if (/^<\?xml[ \t\r\n]/.test(this.#text)) this.#skipPast("?>", "the XML declaration has no end");
    for (;;) {
      const next = this.#text.indexOf("<", this.#at);
      if (next < 0) break;
      this.#at = next;
      this.#markup();
    }
    if (this.#open.length > 0) this.#refuse(`</${this.#open.at(-1) ?? ""}> is missing`);
    if (!this.#hasRoot) this.#refuse("there is no element");
  }

  #markup(): void {
    if (this.#text.startsWith("<!--", this.#at)) {
      this.#at += 4;
      this.#skipPast("-->", "a comment has no end");
    } else if (this.#text.startsWith("<!", this.#at)) {
      this.#refuse("document types, entities and CDATA sections are not read");
    } else if (this.#text.startsWith("<?", this.#at)) {
      this.#refuse("processing instructions are not read");
    } else if (this.#text.startsWith("</", this.#at)) {
      this.#endTag();
    } else {
      this.#startTag();
    }
  }

  #startTag(): void {
    this.#at += 1;
    const name = this.#match(NAME);
    if (name === "") this.#refuse("< must begin an element");
    if (this.#open.length === 0 && this.#hasRoot) this.#refuse("there is a second root element");
    if (this.#open.length >= MAX_DEPTH) this.#refuse(`elements are nested deeper than ${MAX_DEPTH}`);
    this.#hasRoot = true;
    const attributes = this.#attributes();
    const isEmpty = this.#text.startsWith("/>", this.#at);
    if (!isEmpty && this.#text[this.#at] !== ">") this.#refuse(`<${name}> has no end`);
    this.#at += isEmpty ? 2 : 1;
    this.#visitor.open(name, attributes);
    if (isEmpty) this.#visitor.close(name);
    else this.#open.push(name);
  }

  #attributes(): Map<string, string> {
    const attributes = new Map<string, string>();
    for (;;) {
      const space = this.#match(SPACE);
      const name = this.#match(NAME);
      if (name === "") return attributes;
      if (space === "") this.#refuse(`a space is missing before ${name}`);
      this.#match(SPACE);
      if (this.#text[this.#at] !== "=") this.#refuse(`the attribute ${name} has no value`);
      this.#at += 1;
      this.#match(SPACE);
      if (attributes.has(name)) this.#refuse(`the attribute ${name} is there twice`);
      if (attributes.size >= MAX_ATTRIBUTES) this.#refuse(`more than ${MAX_ATTRIBUTES} attributes`);
      attributes.set(name, this.#attributeValue(name));
    }
  }

  #attributeValue(name: string): string {
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") return this.#refuse(`the value of ${name} is not in quotes`);
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end < 0) this.#refuse(`the value of ${name} has no end`);
    const raw = this.#text.slice(this.#at + 1, end);
    if (raw.includes("<")) this.#refuse(`the value of ${name} holds a <`);
    this.#at = end + 1;
    return raw.includes("&") ? this.#decode(raw) : raw;
  }

  #decode(raw: string): string {
    const known = raw.match(REFERENCE)?.length ?? 0;
    if (known !== raw.split("&").length - 1) this.#refuse("an entity is used that XML itself does not have");
    return raw.replaceAll(
      REFERENCE,
      (_whole, name: string | undefined, decimal: string | undefined, hex: string | undefined) =>
        name === undefined ? this.#character(decimal, hex) : (NAMED[name] ?? ""),
    );
  }

  #character(decimal: string | undefined, hex: string | undefined): string {
    const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
    const isCharacter = code > 0 && code <= 0x10_ffff && !(code >= 0xd800 && code <= 0xdfff);
    return isCharacter ? String.fromCodePoint(code) : this.#refuse(`&#${code}; is no character`);
  }

  #endTag(): void {
    this.#at += 2;
    const name = this.#match(NAME);
    this.#match(SPACE);
    const expected = this.#open.pop();
    if (name === "" || name !== expected || this.#text[this.#at] !== ">")
      this.#refuse(expected === undefined ? `</${name}> ends nothing` : `</${expected}> is expected`);
    this.#at += 1;
    this.#visitor.close(name);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #skipPast(end: string, problem: string): void {
    const found = this.#text.indexOf(end, this.#at);
    if (found < 0) this.#refuse(problem);
    this.#at = found + end.length;
  }

  #refuse(problem: string): never {
    const before = this.#text.slice(0, this.#at);
    const line = before.split("\n").length;
    const column = this.#at - before.lastIndexOf("\n");
    throw new OnArrivalError("IMPORT_INVALID", `line ${line}, column ${column}: ${problem}`);
  }
}
