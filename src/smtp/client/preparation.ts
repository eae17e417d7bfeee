// What becomes of a message before its transaction: as it is for nearly all, converted where the peer takes less
// (RFC 6152 §3, RFC 3030 §3), signed last of all. Nothing here costs mail for a host with 8BITMIME anything.
import { isAscii } from "node:buffer";
import { reply, type Reply } from "../../core/reply.ts";
import type { Content } from "../../message/content.ts";
import type { DestinationSettings, OutboundMessage, SignOutbound } from "./destination.ts";
import type { PeerExtensions } from "./extensions.ts";

export const NEEDS_BINARY = reply(
  554,
  "6.3",
  "The message is declared BINARYMIME, which the next host does not offer",
);

type Wanted = Pick<DestinationSettings, "chunking" | "convertBody" | "sign">;
type Offered = Pick<PeerExtensions, "eightBitMime" | "binaryMime" | "chunking">;

/** The message as this peer takes it, or the reply for all its recipients. */
export function prepare(
  message: OutboundMessage,
  offered: Offered,
  wanted: Wanted,
): OutboundMessage | Reply | Promise<OutboundMessage | Reply> {
  const taken = asTaken(message, offered, wanted);
  const { sign } = wanted;
  // A conversion after it would break the signature.
  if (sign === undefined) return taken;
  const withSignature = (found: OutboundMessage | Reply): ReturnType<typeof prepare> =>
    "code" in found || found.envelope.body !== "BINARYMIME"
      ? signed(found, sign)
      : signedBinary(found, sign, offered, wanted);
  return taken instanceof Promise ? taken.then(withSignature) : withSignature(taken);
}

/** Whether there is nothing to prepare. */
export const goesAsItIs = ({ envelope }: OutboundMessage, offered: Offered, wanted: Wanted): boolean =>
  wanted.sign === undefined &&
  envelope.body !== "BINARYMIME" &&
  (offered.eightBitMime || wanted.convertBody === undefined);

function signed(
  message: OutboundMessage | Reply,
  sign: SignOutbound,
): OutboundMessage | Reply | Promise<OutboundMessage | Reply> {
  if ("code" in message) return message;
  const withSignature = (content: Content): OutboundMessage =>
    content === message.content ? message : { ...message, content };
  const content = sign(message);
  return content instanceof Promise ? content.then(withSignature) : withSignature(content);
}

/**
 * A CR or LF that stands alone is a line end to some verifiers of DKIM, and none to others: as BDAT carries it, what holds
 * one is converted before it is signed (RFC 6376 §5.3). What is not signed, or cannot be converted, goes as it is.
 */
async function signedBinary(
  message: OutboundMessage,
  sign: SignOutbound,
  offered: Offered,
  wanted: Wanted,
): Promise<OutboundMessage | Reply> {
  const content = await sign(message);
  if (content === message.content) return message;
  if (message.crlfOnly === true || !(await holdsStrayBreaks(message.content))) return { ...message, content };
  const converted = await convert(message, offered, wanted);
  return "code" in converted ? message : signed(converted, sign);
}

async function holdsStrayBreaks(content: Content): Promise<boolean> {
  let before = "";
  for await (const chunk of content.chunks()) {
    const text = before + chunk.toString("latin1");
    before = text.endsWith("\r") ? "\r" : "";
    if (/\r(?!\n|$)|(?<!\r)\n/.test(text)) return true;
  }
  return before !== "";
}

/** Looks at the content only where it must. */
function asTaken(
  message: OutboundMessage,
  offered: Offered,
  wanted: Wanted,
): OutboundMessage | Reply | Promise<OutboundMessage | Reply> {
  if (message.envelope.body === "BINARYMIME") {
    const takesBinary = offered.binaryMime && offered.chunking && wanted.chunking !== "never";
    return takesBinary ? message : convert(message, offered, wanted);
  }
  if (offered.eightBitMime || wanted.convertBody === undefined) return message;
  const { content } = message;
  if (content.inMemory) return isSevenBit(content) ? message : convert(message, offered, wanted);
  return convertOnDisk(message, offered, wanted);
}

const isSevenBit = (content: Content): boolean =>
  content.pieces.every((piece) => !Buffer.isBuffer(piece) || isAscii(piece));

async function convertOnDisk(
  message: OutboundMessage,
  offered: Offered,
  wanted: Wanted,
): Promise<OutboundMessage | Reply> {
  for await (const chunk of message.content.chunks())
    if (!isAscii(chunk)) return convert(message, offered, wanted);
  return message;
}

async function convert(
  message: OutboundMessage,
  { eightBitMime }: Offered,
  { convertBody }: Wanted,
): Promise<OutboundMessage | Reply> {
  const isBinary = message.envelope.body === "BINARYMIME";
  if (convertBody === undefined) return NEEDS_BINARY;
  const converted = await convertBody(message.content, eightBitMime ? "8bit" : "7bit", isBinary);
  if ("code" in converted) return converted;
  // Content that needed no conversion is not BINARYMIME any more all the same: this peer would not know the word.
  if (converted === message.content && !isBinary) return message;
  const body = eightBitMime ? "8BITMIME" : undefined;
  return { ...message, envelope: { ...message.envelope, body }, content: converted, crlfOnly: undefined };
}

/** Whether BDAT carries it: its bytes go out as they are, so they must be what the protocol allows. */
export const usesChunks = (message: OutboundMessage, offered: Offered, wanted: Wanted): boolean =>
  offered.chunking &&
  (message.envelope.body === "BINARYMIME" || (wanted.chunking === "always" && message.crlfOnly === true));
