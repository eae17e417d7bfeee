// The fixed replies of a session (RFC 5321 §4.2, REFERENCE 6.6): what is said without looking at the argument. And how the words of a
// stranger are said again.
import { reply, type Reply } from "../../core/reply.ts";
import type { FramingFault } from "./stream-parser.ts";

export const HELLO_FIRST = reply(503, "5.2", "Send hello first");
/** RFC 3207 §4 */
export const TLS_FIRST = reply(530, "7.0", "Must issue a STARTTLS command first");
/** RFC 4954 §6 */
export const AUTH_FIRST = reply(530, "7.0", "Authentication required");
export const NEED_MAIL = reply(503, "5.2", "Need mail command");
export const NEED_RCPT = reply(503, "5.2", "Need Rcpt command.");
export const IN_TRANSACTION = reply(503, "5.1", "Not during a mail transaction");
export const INVALID_ARGUMENTS = reply(501, "5.4", "Invalid arguments");
export const INVALID_DOMAIN = reply(501, "5.4", "Invalid domain name");
export const NO_ARGUMENTS = reply(501, "5.4", "No arguments allowed");
export const TOO_LARGE = reply(552, "3.4", "Message size exceeds fixed maximum message size");
export const UNRECOGNIZED = reply(500, "3.3", "Unrecognized command");
export const FOREIGN = reply(554, "5.1", "SMTP is spoken here");
export const UNSAFE_LINE = reply(
  501,
  "5.2",
  "Control characters and bytes that are no UTF-8 are not allowed",
);
export const START_INPUT = reply(354, undefined, "Start mail input; end with <CRLF>.<CRLF>");

export const FAULT_REPLIES: Readonly<Record<FramingFault, Reply>> = {
  "line-too-long": reply(500, "5.6", "Command line too long"),
  "bare-line-feed": reply(500, "5.2", "Command lines end with CRLF"),
  "not-smtp": FOREIGN,
};
export const SHUTTING_DOWN = reply(421, "3.2", "Service shutting down");

export const FRAMING_LOST = reply(501, "5.4", "BDAT takes a number of octets, and LAST");
export const TOO_MANY_RECIPIENTS = reply(452, "5.3", "Too many recipients");
export const TOO_MANY_HOPS = reply(554, "4.6", "Hop count exceeded - possible mail loop");
export const STORE_FAILED = reply(452, "3.1", "Insufficient system storage");
export const LOCAL_FAULT = reply(451, "3.0", "Requested action aborted: local error in processing");
export const BARE_LINE_ENDING = {
  CR: reply(550, "6.11", "Message contains a bare CR; lines end with CRLF"),
  LF: reply(550, "6.11", "Message contains a bare LF; lines end with CRLF"),
} as const;

/** Text of a stranger for a log line or a reply: short, printable ASCII. */
export function shortAscii(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  return short.replaceAll(/[^ -~]/g, "?");
}
