// The plain text that AutoGenerateTextBody makes of HTML: tags go, blocks become lines, entities become characters.
import { namedCharacter } from "./html-entities.ts";

const BLOCKS = new Set([
  "br",
  "p",
  "div",
  "tr",
  "li",
  "h1",
  "h2",
  "h3",
  "h4",
  "h5",
  "h6",
  "table",
  "ul",
  "ol",
  "blockquote",
]);
const LINE_END = "\r\n";
const CELLS = new Set(["td", "th"]);
const UNSEEN = new Set(["script", "style", "head", "title"]);

/** What is seen of a page, in pieces: asked for its end, a text that grows would be copied for each tag. */
class SeenText {
  readonly #pieces: string[] = [];
  #last = "";
  #unseen = "";

  add(text: string): void {
    if (this.#unseen === "") this.#push(text.replaceAll(/[ \t\r\n]+/g, " "));
  }

  tag(tag: string): void {
    const name = tag.startsWith("/") ? tag.slice(1) : tag;
    if (this.#unseen !== "") {
      // Many pages leave </head> out.
      if (tag === `/${this.#unseen}` || (this.#unseen === "head" && tag === "body")) this.#unseen = "";
    } else if (UNSEEN.has(tag)) this.#unseen = tag;
    else if (BLOCKS.has(name)) this.#push(this.#last === LINE_END ? "" : LINE_END);
    else if (CELLS.has(tag)) this.#push(/\s$/.test(this.#last) ? "" : " ");
  }

  toString(): string {
    return this.#pieces.join("");
  }

  #push(piece: string): void {
    if (piece === "") return;
    this.#pieces.push(piece);
    this.#last = piece;
  }
}

/** One pass over the text: a page of open brackets costs no more than any other. */
export function htmlToText(html: string): string {
  const seen = new SeenText();
  const tagEnd = tagEndsOf(html);
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf("<", at);
    seen.add(html.slice(at, open < 0 ? html.length : open));
    if (open < 0) break;
    const close = tagEnd(open);
    if (close < 0) break;
    seen.tag(tagName(html, open + 1, close));
    at = close + 1;
  }
  return decodeEntities(seen.toString()).trim();
}

/** Where the tag or comment ends that begins at a place; -1: nowhere. A comment that never ends is a tag like others. */
function tagEndsOf(html: string): (open: number) => number {
  // Looked for once, however many comments begin before it.
  let commentEnd = 0;
  return (open) => {
    if (html.startsWith("<!--", open)) {
      if (commentEnd < open + 2) commentEnd = html.indexOf("-->", open + 2);
      if (commentEnd < 0) commentEnd = html.length;
      if (commentEnd < html.length) return commentEnd + 2;
    }
    return html.indexOf(">", open);
  };
}

function tagName(html: string, start: number, end: number): string {
  return /^\/?[a-z0-9]+/i.exec(html.slice(start, Math.min(end, start + 20)))?.[0].toLowerCase() ?? "";
}

function decodeEntities(text: string): string {
  return text.replaceAll(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z][a-z\d]{1,7}));/gi,
    (whole: string, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return namedCharacter(name) ?? namedCharacter(name.toLowerCase()) ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
