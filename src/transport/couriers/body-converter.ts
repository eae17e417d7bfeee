// Conversion of content for hosts that take less than it holds, as the settings allow it (decision 0020).
import { ownReply, type Reply } from "../../core/reply.ts";
import type { Content } from "../../message/content.ts";
import { convertForTransport } from "../../mime/transport-conversion.ts";
import type { ConvertBody } from "../../smtp/client/destination.ts";

export interface ConversionSettings {
  /** `never`: 8-bit content goes out as it is, and BINARYMIME comes back. */
  readonly policy: "always" | "unless-signed" | "never";
  /** Larger messages are not taken into memory for it. */
  readonly maxBytes: number;
}

// RFC 3463 §3.7: x.6.2 conversion required and prohibited, x.6.3 required but not supported.
const PROHIBITED = ownReply(
  554,
  "6.2",
  "The next host does not take the message as it is, and converting it would break its signature",
);
const NEVER = ownReply(
  554,
  "6.2",
  "The message is declared BINARYMIME, the next host does not take that, and nothing is converted",
);
const tooLarge = (size: number, limit: number): Reply =>
  ownReply(
    554,
    "6.3",
    `The message would have to be converted, and its ${size} bytes are more than ${limit}`,
  );

export function createBodyConverter({ policy, maxBytes }: ConversionSettings): ConvertBody {
  return async (content, target, isBinary): Promise<Content | Reply> => {
    if (policy === "never") return isBinary ? NEVER : content;
    if (content.size > maxBytes) return tooLarge(content.size, maxBytes);
    const conversion = convertForTransport(await content.toBuffer(), {
      target,
      hideIrregular: isBinary,
      breakSignatures: policy === "always",
    });
    switch (conversion.kind) {
      case "converted":
        return content.splice(conversion.splices);
      case "protected":
        return PROHIBITED;
      case "impossible":
        return ownReply(
          554,
          "6.3",
          `The message cannot be converted for the next host: ${conversion.reason}`,
        );
    }
  };
}
