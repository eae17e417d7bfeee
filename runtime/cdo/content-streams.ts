// The streams that messages and body parts give: copies of their content that know the way back.
import type { Host } from "../host.ts";
import { Stream } from "./stream.ts";

const BINARY = 1;
const TEXT = 2;
/** Parts in these come as Unicode text (REFERENCE 1.4.2), and so do those whose charset nobody knows. */
const AS_UNICODE = new Set(["utf-7", "utf-8", "utf8", "utf-16", "euc-jp", "iso-2022-jp"]);

/** Headers and content, as text that stands for bytes one by one. */
export function wholeStream(host: Host, part: number): Stream {
  return new Stream(() => host, {
    bytes: host.content(part, "whole"),
    type: TEXT,
    charset: "US-ASCII",
    owner: {
      name: "GetStream",
      flush: (stream) => host.setContent(part, "whole", Stream.contentOf(stream)),
    },
  });
}

/** The content as on the wire. */
export function encodedStream(host: Host, part: number): Stream {
  return new Stream(() => host, {
    bytes: host.content(part, "encoded"),
    type: TEXT,
    charset: "US-ASCII",
    owner: {
      name: "GetEncodedContentStream",
      flush: (stream) => host.setContent(part, "encoded", Stream.contentOf(stream)),
    },
  });
}

/** Text parts as text, all others as bytes. What was written is text again only where the part is a text. */
export function decodedStream(host: Host, part: number): Stream {
  const isText = (): boolean => host.partText(part, "mediaType").startsWith("text/");
  const charset = host.partText(part, "charset");
  const text = isText();
  const unicode = text && (AS_UNICODE.has(charset) || !host.isCharset(charset));
  return new Stream(() => host, {
    bytes: host.content(part, unicode ? "unicode" : "decoded"),
    type: text ? TEXT : BINARY,
    charset: unicode || !text ? "Unicode" : charset,
    owner: {
      name: "GetDecodedContentStream",
      flush: (stream) => {
        const form = isText() && stream.Type === TEXT ? (`text ${stream.Charset}` as const) : "decoded";
        host.setContent(part, form, Stream.contentOf(stream));
      },
    },
  });
}
