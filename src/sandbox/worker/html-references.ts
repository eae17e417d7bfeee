// The references of an HTML page or a style sheet: found in one pass, each replaced by what the caller answers.

/** What refers: the kinds that CdoMHTMLFlags tell apart, and links that nothing is embedded for. */
export type ReferenceKind = "image" | "sound" | "frame" | "object" | "style" | "link";

/** Takes the reference as written and answers what stands there from now on. */
export type Rewrite = (kind: ReferenceKind, reference: string) => string;

const REFERENCES: Readonly<Record<string, Readonly<Record<string, ReferenceKind>>>> = {
  a: { href: "link" },
  applet: { code: "object", archive: "object" },
  area: { href: "link" },
  audio: { src: "sound" },
  bgsound: { src: "sound" },
  body: { background: "image" },
  embed: { src: "object" },
  form: { action: "link" },
  frame: { src: "frame" },
  iframe: { src: "frame" },
  img: { src: "image" },
  input: { src: "image" },
  link: { href: "style" },
  object: { data: "object" },
  table: { background: "image" },
  td: { background: "image" },
  th: { background: "image" },
  tr: { background: "image" },
};

interface Attribute {
  readonly name: string;
  readonly value: string;
  /** Of the value, with its quotes. */
  readonly start: number;
  readonly end: number;
}

interface Tag {
  readonly name: string;
  readonly attributes: readonly Attribute[];
  readonly end: number;
}

/** The value of `<base href>`, when the page has one. */
export function baseOf(html: string): string | undefined {
  for (let at = html.indexOf("<"); at >= 0; at = html.indexOf("<", at + 1)) {
    if (!/^base[\s/>]/i.test(html.slice(at + 1, at + 6))) continue;
    const href = readTag(html, at)?.attributes.find(({ name }) => name === "href");
    // What has no end hides the rest of the page.
    return href?.value;
  }
  return undefined;
}

/** The charset that the head of a page names. */
export const declaredCharset = (head: string): string | undefined =>
  /<meta\b[^>]{0,200}?\bcharset\s{0,10}=\s{0,10}["']?([\w.:-]{1,40})/i.exec(head)?.[1];

/** One pass over the page: text that is no markup is skipped, broken markup left as it is. */
export function rewriteHtml(html: string, rewrite: Rewrite): string {
  const output: string[] = [];
  let copied = 0;
  const replace: Replace = (start, end, text) => {
    output.push(html.slice(copied, start), text);
    copied = end;
  };
  let at = html.indexOf("<");
  while (at >= 0) {
    const next = rewriteMarkup(html, at, rewrite, replace);
    // What has no end hides the rest of the page.
    if (next < 0) break;
    at = html.indexOf("<", next);
  }
  output.push(html.slice(copied));
  return output.join("");
}

type Replace = (start: number, end: number, text: string) => void;

/** What begins with the "<" at `at`; answers where to go on, or -1. */
function rewriteMarkup(html: string, at: number, rewrite: Rewrite, replace: Replace): number {
  if (html.startsWith("<!--", at)) return after(html, "-->", at + 4);
  const tag = readTag(html, at);
  if (tag === undefined || tag.end < 0) return tag?.end ?? at + 1;
  rewriteTag(tag, rewrite, replace);
  const closing = RAW_TEXT.get(tag.name);
  if (closing === undefined) return tag.end;
  const end = indexOfClosing(html, closing, tag.end);
  if (tag.name === "style") replace(tag.end, end, rewriteCss(html.slice(tag.end, end), rewrite));
  return end;
}

/** What is in them is no markup. */
const RAW_TEXT = new Map(
  ["script", "style", "textarea", "title"].map((name) => [name, new RegExp(`</${name}`, "gi")]),
);

function after(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from);
  return at < 0 ? text.length : at + mark.length;
}

function indexOfClosing(html: string, closing: RegExp, from: number): number {
  const pattern = new RegExp(closing);
  pattern.lastIndex = from;
  return pattern.exec(html)?.index ?? html.length;
}

function rewriteTag({ name, attributes }: Tag, rewrite: Rewrite, replace: Replace): void {
  const kinds = Object.hasOwn(REFERENCES, name) ? REFERENCES[name] : undefined;
  for (const attribute of attributes) {
    const { value, start, end } = attribute;
    if (attribute.name === "style") {
      if (value.includes("(")) replace(start, end, quoted(rewriteCss(value, rewrite)));
      continue;
    }
    const kind =
      kinds !== undefined && Object.hasOwn(kinds, attribute.name) ? kinds[attribute.name] : undefined;
    if (kind !== undefined && value.trim() !== "")
      replace(start, end, quoted(rewrite(kindIn(name, attributes, kind), value.trim())));
  }
}

/** A link is a style sheet by its rel only. */
function kindIn(name: string, attributes: readonly Attribute[], kind: ReferenceKind): ReferenceKind {
  if (name !== "link") return kind;
  const rel = attributes.find((attribute) => attribute.name === "rel")?.value ?? "";
  return /\bstylesheet\b/i.test(rel) ? "style" : "link";
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", quot: '"', lt: "<", gt: ">", apos: "'" };

const decoded = (value: string): string =>
  value.replaceAll(/&(?:(amp|quot|lt|gt|apos)|#(\d{1,6}));/g, (_all, name?: string, code?: string) =>
    name === undefined ? String.fromCodePoint(Math.min(Number(code), 0xffff)) : (ENTITIES[name] ?? ""),
  );

const quoted = (value: string): string => `"${value.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}"`;

/** The start tag at `at`; undefined for everything else that begins with "<". Its end is -1 when it has none. */
function readTag(html: string, at: number): Tag | undefined {
  const name = /^[a-z][a-z0-9]{0,20}/i.exec(html.slice(at + 1, at + 22))?.[0].toLowerCase();
  if (name === undefined) return undefined;
  const attributes: Attribute[] = [];
  let position = at + 1 + name.length;
  while (position >= 0) {
    position = skip(html, position, /[\s/]/);
    if (html[position] === ">") return { name, attributes, end: position + 1 };
    position = position < html.length ? readAttribute(html, position, attributes) : -1;
  }
  return { name, attributes: [], end: -1 };
}

/** Where it ends; -1 when its quotes are not closed. */
function readAttribute(html: string, from: number, attributes: Attribute[]): number {
  const nameEnd = endOf(html, from, /[\s=>/]/);
  const name = html.slice(from, nameEnd).toLowerCase();
  const equals = skip(html, nameEnd, /\s/);
  // A stray "=" is skipped, or the reader would stay where it is.
  if (html[equals] !== "=") return Math.max(nameEnd, from + 1);
  const start = skip(html, equals + 1, /\s/);
  const quote = html[start];
  if (quote === '"' || quote === "'") {
    const close = html.indexOf(quote, start + 1);
    if (close < 0) return -1;
    attributes.push({ name, value: decoded(html.slice(start + 1, close)), start, end: close + 1 });
    return close + 1;
  }
  const end = endOf(html, start, /[\s>]/);
  attributes.push({ name, value: decoded(html.slice(start, end)), start, end });
  return end;
}

function skip(text: string, from: number, skipped: RegExp): number {
  let at = from;
  while (at < text.length && skipped.test(text[at] ?? "")) at += 1;
  return at;
}

function endOf(text: string, from: number, stop: RegExp): number {
  let at = from;
  while (at < text.length && !stop.test(text[at] ?? "")) at += 1;
  return at;
}

/** `url(…)` and `@import`. */
export function rewriteCss(css: string, rewrite: Rewrite): string {
  const output: string[] = [];
  let copied = 0;
  for (const found of css.matchAll(/@import\s{1,20}(?=["'])|(@import\s{1,20})?url\(/gi)) {
    const start = found.index + found[0].length;
    if (start < copied) continue;
    const isCall = found[0].endsWith("(");
    const close = isCall ? ")" : (css[start] ?? "");
    const end = css.indexOf(close, isCall ? start : start + 1);
    // Nothing is closed behind it either.
    if (end < 0) break;
    const written = css.slice(isCall ? start : start + 1, end).trim();
    const reference = /^(["']).*\1$/s.test(written) ? written.slice(1, -1) : written;
    if (reference === "") continue;
    const isImport = found[0].toLowerCase().startsWith("@import");
    const url = rewrite(isImport ? "style" : "image", reference).replaceAll(/["\\\r\n]/g, encodeURIComponent);
    output.push(css.slice(copied, start), `"${url}"`);
    copied = isCall ? end : end + 1;
  }
  output.push(css.slice(copied));
  return output.join("");
}
