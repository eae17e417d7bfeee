// The plain text that AutoGenerateTextBody makes of HTML: tags go, blocks become lines, the common entities become characters.

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
};
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
  while (at < html.length) {
    const open = html.indexOf("<", at);
    const end = open < 0 ? html.length : open;
    if (unseen === "") text += html.slice(at, end).replaceAll(/[ \t\r\n]+/g, " ");
    if (open < 0) break;
    const close = html.indexOf(">", open);
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

function tagName(html: string, start: number, end: number): string {
  return /^\/?[a-z0-9]+/i.exec(html.slice(start, Math.min(end, start + 20)))?.[0].toLowerCase() ?? "";
}

function decodeEntities(text: string): string {
  return text.replaceAll(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,6}));/gi,
    (whole: string, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
