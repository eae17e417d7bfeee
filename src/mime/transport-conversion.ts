// Makes a message fit a transport that takes less than it holds: parts get another transfer encoding, nothing else moves
// (RFC 6152 §3, RFC 3030 §3).
import type { Splice } from "../core/splice.ts";
import { MimeDocument } from "./document.ts";
import type { Headers } from "./headers.ts";
import type { MimePart } from "./part.ts";
import { bufferSource, headerEnd } from "./source.ts";
import { decodeTransferEncoding, encodeTransferEncoding, traitsOf } from "./transfer-encoding.ts";

export interface ConversionWish {
  /** What the next host takes. */
  readonly target: "7bit" | "8bit";
  /** NUL, stray CR or LF and lines over 998 are hidden as well: BINARYMIME let them in. */
  readonly hideIrregular: boolean;
  /** Whether parts may be changed that a signature or an encryption covers. */
  readonly breakSignatures: boolean;
}

export type Conversion =
  | { readonly kind: "converted"; readonly splices: readonly Splice[] }
  /** A signature would not verify any more. */
  | { readonly kind: "protected" }
  | { readonly kind: "impossible"; readonly reason: string };

type Obstacle = Exclude<Conversion, { kind: "converted" }>;

/**
 * FAULTS M02, M03: multiparts, and messages inside messages, around a part. Each of them is searched for its delimiter lines, in
 * one turn of the relay.
 */
const MAX_LEVELS = 50;
const DECODABLE = new Set(["7bit", "8bit", "binary", "base64", "quoted-printable"]);
const WIDTH: Readonly<Record<string, number>> = { "7bit": 0, "8bit": 1, binary: 2 };

export function convertForTransport(message: Buffer, wish: ConversionWish): Conversion {
  const document = new MimeDocument(bufferSource(message), { maxDepth: MAX_LEVELS });
  // RFC 6376 §5.3: a signed body is 7-bit if its signer was wise; where he was not, any change breaks his signature.
  const isSigned = document.root.headers.has("DKIM-Signature");
  const obstacle = convertDocument(document, wish, isSigned, MAX_LEVELS);
  return obstacle ?? { kind: "converted", splices: document.splices() };
}

interface Visit {
  readonly part: MimePart;
  readonly isProtected: boolean;
}

function convertDocument(
  document: MimeDocument,
  wish: ConversionWish,
  isSigned: boolean,
  levels: number,
): Obstacle | undefined {
  const stack: Visit[] = [{ part: document.root, isProtected: isSigned && !wish.breakSignatures }];
  for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
    const { part } = visit;
    const children = part.isMultipart ? part.children : [];
    if (children.length === 0) {
      const obstacle = convertLeaf(visit, wish, levels - part.depth);
      if (obstacle !== undefined) return obstacle;
      continue;
    }
    if (!visit.isProtected) narrowLabel(part, wish.target);
    const isProtected =
      visit.isProtected ||
      (!wish.breakSignatures && /^multipart\/(?:signed|encrypted)$/.test(part.mediaType));
    for (const child of children) stack.push({ part: child, isProtected });
  }
  return undefined;
}

function convertLeaf(
  { part, isProtected }: Visit,
  wish: ConversionWish,
  levels: number,
): Obstacle | undefined {
  const raw = part.rawBody();
  const { highBytes, irregular } = traitsOf(raw);
  if (!(wish.target === "7bit" && highBytes > 0) && !(wish.hideIrregular && irregular)) {
    if (!isProtected) narrowLabel(part, highBytes === 0 ? "7bit" : wish.target);
    return undefined;
  }
  if (isProtected) return { kind: "protected" };
  const { mediaType, transferEncoding } = part;
  if (levels < 1 && !mayBeEncoded(mediaType)) return impossible("its parts are nested too deeply");
  if (mediaType === "message/rfc822") return convertNested(part, raw, wish, levels - 1);
  if (!mayBeEncoded(mediaType)) return impossible(`${mediaType} may not be encoded`);
  if (!DECODABLE.has(transferEncoding))
    return impossible(`the transfer encoding ${transferEncoding} is not known`);
  encode(part, decodeTransferEncoding(raw, transferEncoding), highBytes);
  return undefined;
}

const impossible = (reason: string): Obstacle => ({ kind: "impossible", reason: reason.slice(0, 200) });

/** RFC 2045 §6.4: composite types are never encoded; RFC 6532 §3.7 made its own types an exception. */
const mayBeEncoded = (mediaType: string): boolean =>
  !/^(?:multipart|message)\//.test(mediaType) || mediaType.startsWith("message/global");

function convertNested(
  part: MimePart,
  raw: Buffer,
  wish: ConversionWish,
  levels: number,
): Obstacle | undefined {
  if (WIDTH[part.transferEncoding] === undefined)
    return impossible("an encoded message/rfc822 has 8-bit bytes");
  const nested = new MimeDocument(bufferSource(raw), { maxDepth: levels });
  // The signature of a forwarded message was checked where it arrived, if ever: it protects nothing here.
  const obstacle = convertDocument(nested, wish, false, levels);
  if (obstacle !== undefined)
    return part.parent?.mediaType === "multipart/report" ? keepHeader(part, raw) : obstacle;
  if (nested.changed) part.setRawBody(nested.toBuffer());
  narrowLabel(part, wish.target);
  return undefined;
}

/** What a report returns is there to be known again: of one that cannot be converted the header will do (RFC 6522 §3). */
function keepHeader(part: MimePart, raw: Buffer): undefined {
  const header = raw.subarray(0, headerEnd(raw));
  part.headers.set("Content-Type", "text/rfc822-headers");
  part.headers.remove("Content-Transfer-Encoding");
  part.setRawBody(header);
  const { highBytes } = traitsOf(header);
  if (highBytes > 0) encode(part, header, highBytes);
}

function encode(part: MimePart, decoded: Buffer, highBytes: number): void {
  const quoted = quotedIfShorter(part.mediaType, decoded, highBytes);
  const encoding = quoted === undefined ? "base64" : "quoted-printable";
  const encoded = quoted ?? encodeTransferEncoding(decoded, "base64");
  const { headers } = part;
  part.setRawBody(encoded);
  headers.set("Content-Transfer-Encoding", encoding);
  if (part.parent !== undefined || headers.has("MIME-Version")) return;
  headers.add("MIME-Version", "1.0");
  // RFC 1428 §3: mail from before MIME; what its bytes mean is not known.
  if (highBytes > 0 && !headers.has("Content-Type"))
    headers.add("Content-Type", "text/plain; charset=unknown-8bit");
}

function quotedIfShorter(mediaType: string, decoded: Buffer, highBytes: number): Buffer | undefined {
  // RFC 2045 §6.7: the line ends of what is no text are bytes like others, and quoted-printable would not say so.
  if (!mediaType.startsWith("text/") && !mediaType.startsWith("message/")) return undefined;
  const limit = base64Length(decoded.length);
  // Each of them takes three characters: often enough to see that it would be longer.
  if (decoded.length + 2 * highBytes > limit) return undefined;
  const quoted = encodeTransferEncoding(decoded, "quoted-printable");
  return quoted.length <= limit ? quoted : undefined;
}

/** RFC 2045 §6.8: four characters for three bytes, 76 to a line. */
function base64Length(bytes: number): number {
  const characters = Math.ceil(bytes / 3) * 4;
  return characters + 2 * Math.ceil(characters / 76);
}

/** A label that promises more than the transport takes (RFC 2045 §6.2) is lowered; one that fits stays. */
function narrowLabel(part: MimePart, target: string): void {
  const { headers }: { readonly headers: Headers } = part;
  const width = WIDTH[part.transferEncoding] ?? 0;
  if (width > (WIDTH[target] ?? 0) && headers.has("Content-Transfer-Encoding"))
    headers.set("Content-Transfer-Encoding", target);
}
