// Host operation behind CreateMHTMLBody (REFERENCE 1.3.2, 1.3.3): a page becomes the body, with the resources that it refers to
// as related parts that their Content-Location names (RFC 2557 §4.2).
import { addRelatedPart, htmlBodyPart, setHtmlBody, textBodyPart } from "../../../mime/bodies.ts";
import { decodeCharset } from "../../../mime/charset.ts";
import type { MimeDocument } from "../../../mime/document.ts";
import { MimePart } from "../../../mime/part.ts";
import { raise } from "../calls/asking.ts";
import type { CallState } from "../call-state.ts";
import { partOf } from "../calls/file-calls.ts";
import { warnOfSignature } from "../calls/header-calls.ts";
import type { Operation } from "../calls/host-calls.ts";
import { baseOf, declaredCharset, type ReferenceKind, rewriteCss, rewriteHtml } from "../html-references.ts";
import type { HostValue } from "../isolates/isolate.ts";
import { isHttp, readResource, type Resource } from "../calls/resources.ts";
import { removePart } from "./tree-edits.ts";
import { cut } from "../../../../runtime/contract.ts";

/** CdoMHTMLFlags: what is not embedded. */
const SUPPRESSED_BY: Readonly<Record<ReferenceKind, number>> = {
  image: 1,
  sound: 2,
  frame: 4,
  object: 8,
  style: 16,
  link: 0,
};
/** Frames in frames, style sheets that import others. */
const MAX_DEPTH = 4;
const HEAD_BYTES = 4096;
const MAX_WARNINGS = 10;
/** Where relative paths of files begin, as long as they are taken for URLs. */
const FOLDER_URL = "file:///";

const isPage = ({ mediaType }: Resource): boolean =>
  mediaType === "text/html" || mediaType === "application/xhtml+xml";

class Archive {
  readonly parts: MimePart[] = [];
  readonly #call: CallState;
  readonly #suppressed: number;
  readonly #credentials: string;
  /** An absolute path stays one; relative ones stay relative to the script folder. */
  readonly #fromRoot: boolean;
  /** References that are embedded or were tried. */
  readonly #known = new Set<string>();
  #failures = 0;

  constructor(call: CallState, suppressed: number, source: string) {
    this.#call = call;
    this.#suppressed = suppressed;
    const [url = "", credentials] = source.split("\0", 2);
    this.#credentials = credentials === undefined ? "" : `\0${credentials}`;
    this.#fromRoot = url.startsWith("/");
  }

  /** The text of a page with its references absolute, its resources in `parts`. */
  page(page: Resource, depth: number): string {
    const html = textOf(page);
    const own = urlOf(page);
    const base = URL.parse(baseOf(html) ?? "", own) ?? own;
    return rewriteHtml(html, (kind, reference) => this.#embed(kind, reference, base, own, depth));
  }

  #embed(kind: ReferenceKind, reference: string, base: URL, page: URL, depth: number): string {
    const url = URL.parse(reference, base);
    // What is no address of a resource stays as it is: cid:, data:, mailto:, a place in the page itself.
    if (url === null || reference.startsWith("#") || !/^(?:https?|file):$/.test(url.protocol))
      return reference;
    const { hash } = url;
    url.hash = "";
    const location = url.href;
    const isWanted = kind !== "link" && (this.#suppressed & SUPPRESSED_BY[kind]) === 0 && depth < MAX_DEPTH;
    if (isWanted && !this.#known.has(location)) {
      this.#known.add(location);
      this.#add(kind, url, page, depth);
    }
    return location + hash;
  }

  #add(kind: ReferenceKind, url: URL, page: URL, depth: number): void {
    // A page of the network must not reach into the script folder.
    if (url.protocol === "file:" && page.protocol !== "file:") {
      this.#warn(url.href, "a page of the network names a file");
      return;
    }
    const resource = readResource(this.#call, this.#sourceOf(url, page));
    if (resource.kind !== "resource") {
      this.#warn(url.href, resource.kind === "limit" ? `limits.${resource.limit}` : resource.detail);
      return;
    }
    if (!this.#call.admitCopy(resource.bytes.length)) return;
    const part = this.#partOf(kind, resource, depth);
    part.headers.set("Content-Disposition", "inline");
    part.headers.set("Content-Location", url.href);
    this.parts.push(part);
  }

  #partOf(kind: ReferenceKind, resource: Resource, depth: number): MimePart {
    if (kind === "frame" && isPage(resource)) return textPart("text/html", this.page(resource, depth + 1));
    if (resource.mediaType !== "text/css") return partOf(resource);
    const own = urlOf(resource);
    const css = rewriteCss(textOf(resource), (inner, reference) =>
      this.#embed(inner, reference, own, own, depth + 1),
    );
    return textPart("text/css", css);
  }

  #sourceOf(url: URL, page: URL): string {
    // Credentials go to the server that they are meant for.
    if (url.protocol !== "file:") return url.origin === page.origin ? url.href + this.#credentials : url.href;
    const path = url.pathname;
    try {
      return decodeURIComponent(this.#fromRoot ? path : path.slice(1));
    } catch {
      return path;
    }
  }

  #warn(url: string, why: string): void {
    this.#failures += 1;
    if (this.#failures <= MAX_WARNINGS)
      this.#call.warn(`CreateMHTMLBody left ${cut(url, 300)} outside of the message: ${why}`);
  }
}

const urlOf = ({ url }: Resource): URL =>
  isHttp(url) ? new URL(url) : new URL(url.replace(/^\/+/, "").replaceAll("%", "%25"), FOLDER_URL);

function textOf({ bytes, charset }: Resource): string {
  const marked = bytes.subarray(0, 3).toString("latin1") === "\xef\xbb\xbf" ? "utf-8" : undefined;
  const label = marked ?? (charset || declaredCharset(bytes.subarray(0, HEAD_BYTES).toString("latin1")));
  const text = (label === undefined ? undefined : decodeCharset(bytes, label)) ?? bytes.toString("utf8");
  // What says nothing is UTF-8 when it can be, and else what pages were before it.
  const isUtf8 = label !== undefined || !text.includes("\ufffd");
  return (isUtf8 ? text : (decodeCharset(bytes, "windows-1252") ?? text)).replace(/^\ufeff/, "");
}

function textPart(mediaType: string, text: string): MimePart {
  const part = MimePart.create(mediaType, { charset: "utf-8" });
  part.setText(text);
  return part;
}

function createMhtml(call: CallState, root: HostValue, source: HostValue, flags: HostValue): HostValue {
  const document = call.documents.document(Number(root));
  if (document === undefined) return call.fail("CDO_E_INACTIVE", "message");
  const page = readResource(call, String(source));
  if (page.kind !== "resource") return raise(call, page);
  if (!isPage(page))
    return call.fail(
      "CDO_E_INVALID_CONTENT_TYPE",
      `${cut(page.url, 200)} is ${page.mediaType}, no text/html`,
    );
  const archive = new Archive(call, Number(flags), String(source));
  const html = archive.page(page, 0);
  if (call.fault !== undefined) return false;
  warnOfSignature(call, document);
  replaceBody(document.mime, html, urlOf(page).href, archive.parts);
  document.noteChange("HTMLBody");
  return true;
}

/** The text goes: it was that of another page. Attachments stay. */
function replaceBody(mime: MimeDocument, html: string, location: string, parts: readonly MimePart[]): void {
  dropOldText(mime);
  setHtmlBody(mime, html);
  const body = htmlBodyPart(mime);
  const related = body?.parent;
  if (related?.mediaType === "multipart/related" && related.children[0] === body) {
    for (const old of related.children.slice(1)) related.removeChild(old);
    if (parts.length === 0) related.unwrap();
  }
  htmlBodyPart(mime)?.headers.set("Content-Location", location);
  for (const part of parts) addRelatedPart(mime, part);
}

function dropOldText(mime: MimeDocument): void {
  const text = textBodyPart(mime);
  if (text === undefined) return;
  const { parent } = text;
  if (parent?.mediaType === "multipart/alternative" && htmlBodyPart(mime) !== undefined) {
    removePart(text);
    if (parent.children.length === 1) parent.unwrap();
  } else {
    text.setMediaType("text/html");
    text.setText("", { charset: "utf-8" });
  }
}

export const mhtmlOperations: Readonly<Record<string, Operation>> = { createMhtml };
