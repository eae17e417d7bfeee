// What an HTML body shows of the parts beside it: references by Content-ID (RFC 2392) and by Content-Location (RFC 2557 §8).
import type { MimePart } from "./part.ts";

/** Values of attributes, and of url() in styles. No branch can run over the same text twice. */
const REFERENCES =
  /\b(?:src|href|background|data|poster|srcset)\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))|\burl\(\s{0,9}["']?([^"'()\s]+)/gi;
/** More of them are not looked at: such a part then counts as an attachment. */
const MAX_REFERENCES = 20_000;
const MAX_LOCATION_CHARS = 2000;
/** The same of characters in which Content-IDs are looked for, each in the whole body. */
const MAX_SEARCHED_CHARS = 200_000_000;

export class HtmlReferences {
  readonly #html: MimePart;
  #markup: string | undefined;
  #searchedChars = 0;
  #locations: Set<string> | undefined;

  constructor(html: MimePart) {
    this.#html = html;
  }

  shows(part: MimePart): boolean {
    const { contentId } = part;
    if (contentId !== "" && this.#searchedChars <= MAX_SEARCHED_CHARS) {
      this.#markup ??= this.#html.text();
      this.#searchedChars += this.#markup.length;
      if (this.#markup.includes(`cid:${contentId}`)) return true;
    }
    const location = locationOf(part);
    if (location === undefined) return false;
    this.#locations ??= this.#collect();
    return this.#locations.has(location) || this.#locations.has(absolute(location, baseOf(part)));
  }

  /** As they are written, and resolved: RFC 2557 §8.2 compares what resolution gives. */
  #collect(): Set<string> {
    this.#markup ??= this.#html.text();
    const base = baseOf(this.#html);
    const found = new Set<string>();
    for (const match of this.#markup.matchAll(REFERENCES)) {
      const [, double, single, bare, style] = match;
      const reference = (double ?? single ?? bare ?? style ?? "").trim().replaceAll("&amp;", "&");
      if (reference === "" || reference.length > MAX_LOCATION_CHARS) continue;
      found.add(reference);
      found.add(absolute(reference, base));
      if (found.size > MAX_REFERENCES) break;
    }
    return found;
  }
}

/** Folded locations are joined: RFC 2557 §4.4.1. */
function locationOf(part: MimePart): string | undefined {
  const raw = part.headers.get("Content-Location");
  if (raw === undefined || raw.length > MAX_LOCATION_CHARS) return undefined;
  const location = raw.replaceAll(/\s+/g, "");
  return location === "" ? undefined : location;
}

/** RFC 2557 §5: Content-Base or an absolute Content-Location of the part, else of one around it, else the message. */
function baseOf(part: MimePart): string {
  for (let at: MimePart | undefined = part; at !== undefined; at = at.parent) {
    const base = at.headers.get("Content-Base") ?? locationOf(at);
    if (base !== undefined && URL.canParse(base)) return base;
  }
  return "thismessage:/";
}

const absolute = (reference: string, base: string): string => URL.parse(reference, base)?.href ?? reference;
