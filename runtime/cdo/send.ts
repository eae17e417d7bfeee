// Send, Reply, ReplyAll, Forward, Post and PostReply (REFERENCE 1.3.2). Sending leaves the isolate; the rest is a new message
// with what the original put into it.
import { Configuration } from "./configuration.ts";
import { CdoError } from "./errors.ts";
import { htmlToText } from "./html-text.ts";
import { toText } from "./member-names.ts";

const SEND_USING_PICKUP = 1;
const SEND_USING_PORT = 2;
const ANONYMOUS = 0;
const RULER = "-----Original Message-----";

/** What of a message is read and written here. */
export interface Mail {
  From: string;
  Sender: string;
  To: string;
  CC: string;
  BCC: string;
  ReplyTo: string;
  Subject: string;
  Newsgroups: string;
  FollowUpTo: string;
  readonly SentOn: Date | undefined;
  TextBody: string;
  HTMLBody: string;
  readonly HTMLBodyPart: object | null;
  AutoGenerateTextBody: boolean;
  DSNOptions: number;
  Configuration: Configuration;
}

const setting = (mail: Mail, name: string): string =>
  toText(Configuration.settingOf(mail.Configuration, name));

/** What can be said before the message leaves; `submit` says the rest. Both take the next hop, "" where the service routes. */
export function sendMail(
  mail: Mail,
  allowed: (nextHop: string) => void,
  submit: (nextHop: string) => void,
): void {
  const using = Number(setting(mail, "sendusing"));
  const nextHop = using === SEND_USING_PORT ? nextHopOf(mail) : "";
  allowed(nextHop);
  if (using !== SEND_USING_PICKUP && using !== SEND_USING_PORT)
    throw new CdoError("CDO_E_INVALID_SEND_OPTION", `sendusing ${using}`);
  const from = setting(mail, "sendemailaddress");
  if (mail.From === "" && mail.Sender === "" && from !== "") mail.From = from;
  const replyTo = setting(mail, "senduserreplyemailaddress");
  if (mail.ReplyTo === "" && replyTo !== "") mail.ReplyTo = replyTo;
  if (mail.To === "" && mail.CC === "" && mail.BCC === "")
    throw new CdoError("CDO_E_RECIPIENT_MISSING", "Message.Send");
  if (mail.From === "" && mail.Sender === "") throw new CdoError("CDO_E_FROM_MISSING", "Message.Send");
  submit(nextHop);
}

/** "host:port" of the server that the configuration names for cdoSendUsingPort. */
function nextHopOf(mail: Mail): string {
  const server = setting(mail, "smtpserver").trim().toLowerCase();
  if (server === "") throw new CdoError("CDO_E_SMTP_SERVER_REQUIRED", "Message.Send");
  if (Number(setting(mail, "smtpauthenticate")) !== ANONYMOUS)
    throw new CdoError(
      "CDO_E_NOT_AVAILABLE",
      "Message.Send with smtpauthenticate (the queue keeps no passwords: leave it at cdoAnonymous and give delivery.smartHost and delivery.auth in the configuration of the service)",
    );
  if (setting(mail, "smtpusessl") === "true")
    throw new CdoError(
      "CDO_E_NOT_AVAILABLE",
      "Message.Send with smtpusessl (TLS from the first byte is not served: leave it at false, STARTTLS is used as delivery.startTls of the configuration says)",
    );
  const port = Number(setting(mail, "smtpserverport"));
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new CdoError("CDO_E_INVALID_SEND_OPTION", `smtpserverport ${port}`);
  return server.includes(":") && !server.startsWith("[") ? `[${server}]:${port}` : `${server}:${port}`;
}

/** There is no news service: a message that could be posted finds nowhere to go. */
export function postMail(mail: Mail): never {
  if (mail.From === "" || mail.Subject === "" || mail.Newsgroups === "")
    throw new CdoError("CDO_E_INVALID_POST", "Message.Post");
  throw new CdoError("CDO_E_INVALID_POST_OPTION", "Message.Post (there is no news service)");
}

export type Answer = "reply" | "replyAll" | "forward" | "postReply";

/** Fills a new message in answer to `original`. Attachments of a forwarded message are copied by the caller. */
export function fillAnswer(answer: Mail, original: Mail, kind: Answer): void {
  answer.Configuration = original.Configuration;
  answer.Subject = prefixed(kind === "forward" ? "FW: " : "RE: ", original.Subject);
  if (kind === "postReply")
    answer.Newsgroups = original.FollowUpTo === "" ? original.Newsgroups : original.FollowUpTo;
  else if (kind !== "forward") {
    answer.To = original.ReplyTo === "" ? original.From : original.ReplyTo;
    if (kind === "replyAll") answer.CC = othersOf(original, answer.To);
  }
  if (setting(original, "usemessageresponsetext") === "true") quote(answer, original);
}

/** A prefix is not repeated. */
const prefixed = (prefix: string, subject: string): string =>
  subject.toLowerCase().startsWith(prefix.toLowerCase()) ? subject : prefix + subject;

/** To and Cc of the original without those who get the answer anyway. */
function othersOf(original: Mail, answered: string): string {
  const known = new Set(splitAddresses(answered).map(addressIn));
  const others = splitAddresses([original.To, original.CC].filter((list) => list !== "").join(", "));
  return others
    .filter((each) => {
      const address = addressIn(each);
      return !known.has(address) && known.add(address);
    })
    .join(", ");
}

const addressIn = (mailbox: string): string =>
  (/<([^<>]*)>\s*$/.exec(mailbox)?.[1] ?? mailbox).trim().toLowerCase();

/** At commas outside of quotes and angle brackets. */
function splitAddresses(list: string): string[] {
  const found: string[] = [];
  let quoted = false;
  let from = 0;
  for (let at = 0; at <= list.length; at += 1) {
    const character = list[at];
    if (quoted && character === "\\") at += 1;
    else if (character === '"') quoted = !quoted;
    else if (character === undefined || (character === "," && !quoted)) {
      const item = list.slice(from, at).trim();
      if (item !== "") found.push(item);
      from = at + 1;
    }
  }
  return found;
}

function quote(answer: Mail, original: Mail): void {
  const head = [
    ["From", original.From],
    ["Sent", original.SentOn?.toUTCString() ?? ""],
    ["To", original.To],
    ["Subject", original.Subject],
  ].map(([name, value]) => `${name ?? ""}: ${value ?? ""}`);
  if (original.HTMLBodyPart !== null) {
    answer.AutoGenerateTextBody = false;
    answer.HTMLBody = withHead(original.HTMLBody, `<p>${[RULER, ...head].map(escapeHtml).join("<br>")}</p>`);
  }
  const text = original.TextBody || htmlToText(original.HTMLBody);
  answer.TextBody = `\r\n\r\n${[RULER, ...head].join("\r\n")}\r\n\r\n${text}`;
}

/** Behind the start of the body, so that what the page brings before it stays before it. */
function withHead(html: string, block: string): string {
  const body = html.search(/<body\b/i);
  // Looked for once: a pattern that reaches to the bracket would be tried at each of many tags that never end.
  const at = body < 0 ? 0 : html.indexOf(">", body) + 1;
  return html.slice(0, at) + block + html.slice(at);
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
