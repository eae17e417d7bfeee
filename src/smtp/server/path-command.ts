// Reads the arguments of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3) strictly: a path in angle brackets, then parameters.
import { hasDomain, isAscii, isMailbox } from "../../core/address.ts";
import type { Envelope, NotifyCondition } from "../../core/envelope.ts";
import { reply, type Reply } from "../../core/reply.ts";
import {
  parseEnvelopeId,
  parseNotify,
  parseOriginalRecipient,
  parseReturnContent,
  parseSubmitter,
} from "./dsn-parameters.ts";
import type { Keyword } from "../../core/esmtp-keywords.ts";

export interface MailCommand {
  /** "" is the null sender. */
  readonly sender: string;
  readonly size: number;
  readonly body: Envelope["body"];
  readonly smtpUtf8: boolean;
  readonly requireTls: boolean;
  readonly envelopeId: string | undefined;
  readonly returnContent: "FULL" | "HDRS" | undefined;
  /** AUTH=, decoded: who the client says wrote it. */
  readonly submitter: string | undefined;
}

export interface RcptCommand {
  readonly address: string;
  readonly notify: readonly NotifyCondition[] | undefined;
  readonly originalRecipient: string | undefined;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reply: Reply };

const accept = <T>(value: T): Parsed<T> => ({ ok: true, value });
const refuse = (of: Reply): { readonly ok: false; readonly reply: Reply } => ({ ok: false, reply: of });

const BAD_SYNTAX = reply(501, "5.4", "Invalid Address");
const BAD_PARAMETER = reply(501, "5.4", "Invalid arguments");
const UNKNOWN_PARAMETER = reply(555, "5.4", "Parameter not recognized");
const NEEDS_UTF8 = reply(553, "6.7", "Address needs SMTPUTF8");

const MAIL_FROM = /^MAIL FROM: *</i;
const RCPT_TO = /^RCPT TO: *</i;
const LONG_LINE = 512;

/** What decides which parameters are understood. */
export interface CommandScope {
  readonly defaultDomain: string;
  readonly keywords: ReadonlySet<Keyword>;
  readonly isSecure: boolean;
}

export function parseMail(line: string, scope: CommandScope): Parsed<MailCommand> {
  const path = readPath(line, MAIL_FROM);
  if (path === undefined) return refuse(BAD_SYNTAX);
  const mail: Mutable<MailCommand> = {
    sender: path.text,
    size: 0,
    body: undefined,
    smtpUtf8: false,
    requireTls: false,
    envelopeId: undefined,
    returnContent: undefined,
    submitter: undefined,
  };
  const fault = readParameters(line, path.end, mail, (to, keyword, value) =>
    isServed(MAIL_PARAMETERS[keyword], scope) ? applyMailParameter(to, keyword, value) : UNKNOWN_PARAMETER,
  );
  if (fault !== undefined) return refuse(fault);
  mail.envelopeId = mail.envelopeId && kept(mail.envelopeId, line);
  mail.submitter = mail.submitter && kept(mail.submitter, line);
  if (mail.sender === "") return accept(mail);
  const sender = completeAddress(mail.sender, scope.defaultDomain);
  if (sender === undefined) return refuse(reply(501, "1.7", "Invalid Address"));
  if (!mail.smtpUtf8 && !isAscii(sender)) return refuse(NEEDS_UTF8);
  mail.sender = kept(sender, line);
  return accept(mail);
}

export function parseRcpt(line: string, scope: CommandScope, smtpUtf8: boolean): Parsed<RcptCommand> {
  const path = readPath(line, RCPT_TO);
  if (path === undefined) return refuse(BAD_SYNTAX);
  const rcpt: Mutable<RcptCommand> = { address: path.text, notify: undefined, originalRecipient: undefined };
  const fault = readParameters(line, path.end, rcpt, (to, keyword, value) =>
    isServed("DSN", scope) ? applyRcptParameter(to, keyword, value) : UNKNOWN_PARAMETER,
  );
  if (fault !== undefined) return refuse(fault);
  const address = completeAddress(rcpt.address, scope.defaultDomain);
  if (address === undefined) return refuse(reply(501, "1.3", "Invalid Address"));
  if (!smtpUtf8 && !isAscii(address)) return refuse(NEEDS_UTF8);
  rcpt.address = kept(address, line);
  rcpt.originalRecipient = rcpt.originalRecipient && kept(rcpt.originalRecipient, line);
  return accept(rcpt);
}

/** A part of a text holds the whole of it in memory, for as long as the recipient waits: of a long line it is a copy. */
const kept = (part: string, line: string): string =>
  line.length <= LONG_LINE ? part : Buffer.from(part).toString();

/** The extension that each parameter of MAIL belongs to. */
const MAIL_PARAMETERS: Readonly<Record<string, Keyword>> = {
  SIZE: "SIZE",
  BODY: "8BITMIME",
  SMTPUTF8: "SMTPUTF8",
  RET: "DSN",
  ENVID: "DSN",
  AUTH: "AUTH",
  REQUIRETLS: "REQUIRETLS",
};

const isServed = (keyword: Keyword | undefined, { keywords, isSecure }: CommandScope): boolean =>
  keyword !== undefined && keywords.has(keyword) && (keyword !== "REQUIRETLS" || isSecure);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Path {
  readonly text: string;
  /** Where the line goes on behind the closing bracket. */
  readonly end: number;
}

function readPath(line: string, opening: RegExp): Path | undefined {
  if (!opening.test(line)) return undefined;
  const start = line.indexOf("<") + 1;
  const end = pathEnd(line, start);
  if (end < 0) return undefined;
  return { text: withoutSourceRoute(line.slice(start, end)), end: end + 1 };
}

/** A quoted local part may hold the closing bracket itself. */
function pathEnd(line: string, start: number): number {
  const close = line.indexOf(">", start);
  const quote = line.indexOf('"', start);
  if (quote < 0 || close < quote) return close;
  let isQuoted = false;
  for (let at = start; at < line.length; at++) {
    const letter = line[at];
    if (isQuoted && letter === "\\") at++;
    else if (letter === '"') isQuoted = !isQuoted;
    else if (letter === ">" && !isQuoted) return at;
  }
  return -1;
}

const SOURCE_ROUTE = /^@[^\s,:@]+(?:,@[^\s,:@]+)*:/;

/** RFC 5321 §4.1.1.3, appendix C: routes are taken and ignored. */
const withoutSourceRoute = (path: string): string =>
  path.startsWith("@") ? path.replace(SOURCE_ROUTE, "") : path;

/** A mailbox with a domain and without the dot of the root; undefined when the text is none. */
function completeAddress(text: string, defaultDomain: string): string | undefined {
  if (!isMailbox(text)) return undefined;
  if (!hasDomain(text)) return `${text}@${defaultDomain}`;
  const at = text.lastIndexOf("@");
  if (at === 0 || at === text.length - 1) return undefined;
  return text.endsWith(".") ? text.slice(0, -1) : text;
}

/** Takes a parameter of MAIL or RCPT out of the line. Undefined when it is not there. */
export function takeParameter(line: string, keyword: string): { line: string; value: string } | undefined {
  const start = line.indexOf("<") + 1;
  const end = start === 0 ? -1 : pathEnd(line, start);
  if (end < 0) return undefined;
  const words = line.slice(end + 1).split(" ");
  const wanted = keyword.toUpperCase();
  const at = words.findIndex((word) => (PARAMETER.exec(word)?.[1] ?? "").toUpperCase() === wanted);
  if (at < 0) return undefined;
  const value = PARAMETER.exec(words[at] ?? "")?.[2] ?? "";
  return { line: line.slice(0, end + 1) + words.toSpliced(at, 1).join(" "), value };
}

type ApplyParameter<T> = (to: T, keyword: string, value: string | undefined) => Reply | undefined;

/** RFC 5321 §4.1.2: keywords of letters, digits and hyphens; a value of printable characters without "=". */
const PARAMETER = /^([a-z0-9][a-z0-9-]*)(?:=([^\s=]+))?$/i;

function readParameters<T>(line: string, from: number, to: T, apply: ApplyParameter<T>): Reply | undefined {
  if (from >= line.length) return undefined;
  const rest = line.slice(from);
  if (!rest.startsWith(" ")) return rest.trim() === "" ? undefined : BAD_SYNTAX;
  const seen = new Set<string>();
  for (const word of rest.split(" ")) {
    if (word === "") continue;
    const match = PARAMETER.exec(word);
    if (match === null) return BAD_PARAMETER;
    const keyword = (match[1] ?? "").toUpperCase();
    if (seen.has(keyword)) return reply(501, "5.4", `Duplicate parameter ${keyword}`);
    seen.add(keyword);
    const fault = apply(to, keyword, match[2]);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function applyMailParameter(
  to: Mutable<MailCommand>,
  keyword: string,
  value: string | undefined,
): Reply | undefined {
  switch (keyword) {
    case "SIZE":
      to.size = parseSize(value);
      return Number.isNaN(to.size) ? BAD_PARAMETER : undefined;
    case "BODY":
      to.body = parseBody(value);
      return to.body === undefined ? BAD_PARAMETER : undefined;
    case "SMTPUTF8":
      to.smtpUtf8 = true;
      return value === undefined ? undefined : BAD_PARAMETER;
    case "REQUIRETLS":
      to.requireTls = true;
      return value === undefined ? undefined : BAD_PARAMETER;
    case "AUTH":
      // RFC 4954 §5: who does not trust the client treats it as AUTH=<>. It is there for sinks, and means nothing to us.
      to.submitter = parseSubmitter(value);
      return value === undefined ? BAD_PARAMETER : undefined;
    default:
      return applyReportParameter(to, keyword, value);
  }
}

/** RFC 3461 §4.3, §4.4. */
function applyReportParameter(
  to: Mutable<MailCommand>,
  keyword: string,
  value: string | undefined,
): Reply | undefined {
  switch (keyword) {
    case "RET":
      to.returnContent = parseReturnContent(value);
      return to.returnContent === undefined ? BAD_PARAMETER : undefined;
    case "ENVID":
      to.envelopeId = parseEnvelopeId(value);
      return to.envelopeId === undefined ? BAD_PARAMETER : undefined;
    default:
      return UNKNOWN_PARAMETER;
  }
}

/** RFC 1870 §4: at most 20 digits. */
const parseSize = (value: string | undefined): number =>
  value !== undefined && /^\d{1,20}$/.test(value) ? Number(value) : Number.NaN;

function parseBody(value: string | undefined): Envelope["body"] {
  const body = value?.toUpperCase();
  return body === "7BIT" || body === "8BITMIME" || body === "BINARYMIME" ? body : undefined;
}

function applyRcptParameter(
  to: Mutable<RcptCommand>,
  keyword: string,
  value: string | undefined,
): Reply | undefined {
  switch (keyword) {
    case "NOTIFY":
      to.notify = parseNotify(value);
      return to.notify === undefined ? BAD_PARAMETER : undefined;
    case "ORCPT":
      to.originalRecipient = parseOriginalRecipient(value);
      return to.originalRecipient === undefined ? BAD_PARAMETER : undefined;
    default:
      return UNKNOWN_PARAMETER;
  }
}
