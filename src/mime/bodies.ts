// The text, the HTML and the attachments of a message (REFERENCE 1.3.3, 1.5.3), whatever its structure.
import type { MimeDocument } from "./document.ts";
import { HtmlReferences } from "./html-references.ts";
import { MimePart } from "./part.ts";
import { requireMimeVersion } from "./text-body.ts";

/** The leaves in reading order. A message/rfc822 is a leaf: nothing is looked for inside it. */
export function* leaves(root: MimePart): Generator<MimePart> {
  const stack = [root];
  for (let part = stack.pop(); part !== undefined; part = stack.pop()) {
    if (!part.isMultipart) yield part;
    else for (const child of part.children.toReversed()) stack.push(child);
  }
}

function isBody(part: MimePart, mediaType: string): boolean {
  if (part.mediaType !== mediaType) return false;
  const { disposition } = part;
  if (disposition !== "" && disposition !== "inline") return false;
  // A named text is a file that is shown inline; a message that is one text is its own body, named or not.
  return part.isRoot || part.fileName === "";
}

function findBody(doc: MimeDocument, mediaType: string): MimePart | undefined {
  for (const part of leaves(doc.root)) if (isBody(part, mediaType)) return part;
  return undefined;
}

export const textBodyPart = (doc: MimeDocument): MimePart | undefined => findBody(doc, "text/plain");
export const htmlBodyPart = (doc: MimeDocument): MimePart | undefined => findBody(doc, "text/html");

const isFile = (part: MimePart): boolean => {
  const { disposition, mediaType } = part;
  // RFC 2183 §2.8: an unknown disposition is treated as an attachment.
  if (disposition !== "" && disposition !== "inline") return true;
  return part.fileName !== "" || !mediaType.startsWith("text/");
};

/** Leaves that are no body and no picture of the HTML: marked as attachment, named, or no text. */
export function attachmentParts(doc: MimeDocument): MimePart[] {
  const text = textBodyPart(doc);
  const html = htmlBodyPart(doc);
  const references = html === undefined ? undefined : new HtmlReferences(html);
  const isShownInHtml = (part: MimePart): boolean => isInRelated(part) && references?.shows(part) === true;
  const found: MimePart[] = [];
  for (const part of leaves(doc.root)) {
    if (part !== text && part !== html && isFile(part) && !isShownInHtml(part)) found.push(part);
  }
  return found;
}

/** The leaves that are no body: attachments, pictures of the HTML, texts of further kinds. */
export function partsBesideBodies(doc: MimeDocument): MimePart[] {
  const bodies = new Set([textBodyPart(doc), htmlBodyPart(doc)]);
  return [...leaves(doc.root)].filter((part) => !bodies.has(part));
}

export const isInRelated = (part: MimePart): boolean => part.parent?.mediaType === "multipart/related";

/** The level that competes in an alternative: the body itself, or the related multipart that it opens. */
function alternativeLevel(body: MimePart): MimePart {
  let level = body;
  while (level.parent?.mediaType === "multipart/related" && level.parent.children[0] === level)
    level = level.parent;
  return level;
}

/** The alternative around the body; made where there is none yet. */
function alternativeAround(body: MimePart): MimePart {
  const level = alternativeLevel(body);
  if (level.parent?.mediaType === "multipart/alternative") return level.parent;
  return level.wrapIn("multipart/alternative");
}

function createText(mediaType: string, text: string): MimePart {
  const part = MimePart.create(mediaType, { charset: "utf-8" });
  part.setText(text);
  return part;
}

/** A message without either body: the new one stands first in a mixed, before what was there, if anything was. */
function insertFirst(doc: MimeDocument, part: MimePart): void {
  const { root } = doc;
  const takesIt = root.isMultipart && (root.mediaType === "multipart/mixed" || root.children.length === 0);
  (takesIt ? root : root.wrapIn("multipart/mixed")).insertChild(0, part);
}

/** `part`: the body that was there; where that is as it was, nothing is added. */
function completeAround({ root }: MimeDocument, part: MimePart | undefined): void {
  if (part === undefined || part.ownChange) requireMimeVersion(root);
}

/** `part`: the present text body, where the caller knows it. One that is not there reads as "" and is not made by it. */
export function setTextBody(doc: MimeDocument, text: string, part = textBodyPart(doc)): void {
  if (part === undefined && text === "") return;
  const html = part === undefined ? htmlBodyPart(doc) : undefined;
  if (part !== undefined) part.setText(text, newTextOptions(part));
  // RFC 2046 §5.1.4: the plainest form comes first.
  else if (html !== undefined) alternativeAround(html).insertChild(0, createText("text/plain", text));
  else insertFirst(doc, createText("text/plain", text));
  completeAround(doc, part);
}

/** As setTextBody: an empty HTML beside a text would be all that most readers show. */
export function setHtmlBody(doc: MimeDocument, html: string, part = htmlBodyPart(doc)): void {
  if (part === undefined && html === "") return;
  const text = part === undefined ? textBodyPart(doc) : undefined;
  if (part !== undefined) part.setText(html);
  else if (text === undefined) insertFirst(doc, createText("text/html", html));
  else if (text.isRoot && text.isEmptyLeaf) {
    text.setMediaType("text/html");
    text.setText(html, newTextOptions(text));
  } else {
    // Behind the text, not at the end: an invitation or a richer form that follows stays the preferred one.
    const alternative = alternativeAround(text);
    const place = alternative.children.indexOf(alternativeLevel(text)) + 1;
    alternative.insertChild(place, createText("text/html", html));
  }
  completeAround(doc, part);
}

/** A message that names no charset yet gets UTF-8 where it needs one; ASCII text needs none. */
const newTextOptions = (part: MimePart): { charset?: string } =>
  part.headers.has("Content-Type") && !part.contentParameters.has("charset") && part.isEmptyLeaf
    ? { charset: "utf-8" }
    : {};

export function addAttachmentPart(doc: MimeDocument, part: MimePart): void {
  const { root } = doc;
  if (root.isMultipart && root.mediaType === "multipart/mixed") root.insertChild(-1, part);
  else if (root.isEmptyLeaf && root.mediaType === "text/plain") {
    // Nothing but headers so far: no empty text is made up before the attachment.
    root.setMediaType("multipart/mixed");
    root.insertChild(-1, part);
  } else root.wrapIn("multipart/mixed").insertChild(-1, part);
  requireMimeVersion(doc.root);
}

/** The multipart/related that shows its pictures in this HTML: around it, or around the alternative that holds it. */
function relatedAround(html: MimePart): MimePart {
  const { parent } = html;
  if (parent?.mediaType === "multipart/related") return parent;
  const above = parent?.mediaType === "multipart/alternative" ? parent.parent : undefined;
  if (above?.mediaType === "multipart/related" && above.children[0] === parent) return above;
  const related = html.wrapIn("multipart/related");
  // RFC 2387 §3.1: the type of the root part is required.
  related.setContentParameter("type", "text/html");
  return related;
}

/** A resource of the HTML body, found by its Content-ID or Content-Location. */
export function addRelatedPart(doc: MimeDocument, part: MimePart): void {
  const html = htmlBodyPart(doc);
  if (html === undefined) throw new RangeError("A related part needs an HTML body");
  relatedAround(html).insertChild(-1, part);
  requireMimeVersion(doc.root);
}
