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
const UNSEEN = new Set(["script", "style", "head", "title"]);

/** One pass over the text: a page of open brackets costs no more than any other. */
export function htmlToText(html: string): string {
  let text = "";
  let at = 0;
  let unseen = "";
  const tagEnd = tagEndsOf(html);
  while (at < html.length) {
    const open = html.indexOf("<", at);
    const end = open < 0 ? html.length : open;
    if (unseen === "") text += html.slice(at, end).replaceAll(/[ \t\r\n]+/g, " ");
    if (open < 0) break;
    const close = tagEnd(open);
    if (close < 0) break;
    const tag = tagName(html, open + 1, close);
    const name = tag.startsWith("/") ? tag.slice(1) : tag;
    if (unseen === "" && UNSEEN.has(tag)) unseen = tag;
    else if (unseen === name && tag !== name) unseen = "";
    else if (unseen === "" && BLOCKS.has(name) && !text.endsWith("\r\n")) text += "\r\n";
    at = close + 1;
  }
  return decodeEntities(text).trim();
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
