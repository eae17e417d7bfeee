// IMessage: the message as the script sees it. Properties change it in memory at once; DataSource.Save makes that permanent.
import { BodyPart, BodyParts } from "./body-parts.ts";
import { DataSource } from "./data-source.ts";
import { EnvelopeFields } from "./envelope-fields.ts";
import { CdoError } from "./errors.ts";
import { dateSource, type FieldSource, Fields, headerSource, wordSource } from "./fields.ts";
import type { HeaderView, Host } from "./host.ts";
import { htmlToText } from "./html-text.ts";
import { defineUnavailable, refuseWrite, toText } from "./member-names.ts";

/** Properties that are a header in readable form. Addresses lose a trailing comma, so `To += "," + x` is safe. */
const HEADER_PROPERTIES: readonly (readonly [property: string, header: string, view: HeaderView])[] = [
  ["Subject", "Subject", "text"],
  ["From", "From", "addresses"],
  ["To", "To", "addresses"],
  ["CC", "Cc", "addresses"],
  ["BCC", "Bcc", "addresses"],
  ["Sender", "Sender", "addresses"],
  ["ReplyTo", "Reply-To", "addresses"],
  ["Keywords", "Keywords", "text"],
  ["Organization", "Organization", "text"],
  ["Newsgroups", "Newsgroups", "raw"],
  ["FollowUpTo", "Followup-To", "raw"],
];

const SENSITIVITY = ["normal", "personal", "private", "company-confidential"];

function derivedFields(message: Message, host: Host): ReadonlyMap<string, FieldSource> {
  const fields = new Map<string, FieldSource>();
  for (const name of ["Bcc", "Cc", "From", "Reply-To", "Sender", "To"]) {
    fields.set(`urn:schemas:httpmail:${name.toLowerCase()}`, headerSource(host, 0, name, "addresses"));
  }
  const httpmail: Record<string, FieldSource> = {
    subject: headerSource(host, 0, "Subject", "text"),
    normalizedsubject: {
      read: () => (host.header(0, "Subject", "text") ?? "").replace(/^(?:(?:re|fwd?|aw|wg) ?: ?)+/i, ""),
    },
    "thread-topic": { read: () => host.header(0, "Thread-Topic", "text") ?? "" },
    date: dateSource(host, "Date"),
    datereceived: { read: () => message.ReceivedTime },
    hasattachment: { read: () => host.attachments().length > 0 },
    textdescription: {
      read: () => message.TextBody,
      write: (value) => void (message.TextBody = toText(value)),
    },
    htmldescription: {
      read: () => message.HTMLBody,
      write: (value) => void (message.HTMLBody = toText(value)),
    },
    importance: wordSource(host, "Importance", ["low", "normal", "high"], 0, 1),
    priority: wordSource(host, "Priority", ["non-urgent", "normal", "urgent"], -1, 0),
    "content-disposition-type": { read: () => host.partText(0, "disposition") },
    "content-media-type": {
      read: () => host.partText(0, "mediaType"),
      write: (value) => host.setPartText(0, "mediaType", toText(value)),
    },
  };
  for (const [name, source] of Object.entries(httpmail)) fields.set(`urn:schemas:httpmail:${name}`, source);
  fields.set(
    "http://schemas.microsoft.com/exchange/sensitivity",
    wordSource(host, "Sensitivity", SENSITIVITY, 0, 0),
  );
  fields.set("urn:schemas-microsoft-com:office:office#keywords", headerSource(host, 0, "Keywords", "text"));
  fields.set("dav:contentclass", headerSource(host, 0, "Content-Class", "text"));
  fields.set("dav:getcontenttype", { read: () => host.partText(0, "mediaType") });
  return fields;
}

export class Message {
  readonly #host: Host;
  #fields: Fields | undefined;
  #envelopeFields: EnvelopeFields | undefined;
  #attachments: BodyParts | undefined;
  #dataSource: DataSource | undefined;
  #generatesText = false;
  #dsnOptions = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  static {
    for (const [property, header, view] of HEADER_PROPERTIES) {
      Object.defineProperty(Message.prototype, property, {
        get(this: Message): string {
          return this.#host.header(0, header, view) ?? "";
        },
        set(this: Message, value: unknown) {
          const text = toText(value);
          this.#host.setHeader(0, header, view, view === "addresses" ? text.replace(/[,\s]+$/, "") : text);
        },
        configurable: true,
      });
    }
  }

  get Attachments(): BodyParts {
    this.#attachments ??= new BodyParts(this.#host, () => this.#host.attachments());
    return this.#attachments;
  }

  /** False for a message that arrived: then HTMLBody leaves the plain text as it is, and a script sets both. */
  get AutoGenerateTextBody(): boolean {
    return this.#generatesText;
  }

  set AutoGenerateTextBody(value: unknown) {
    this.#generatesText = Boolean(value);
  }

  get BodyPart(): BodyPart {
    return new BodyPart(this.#host, 0);
  }

  get DataSource(): DataSource {
    this.#dataSource ??= new DataSource(this.#host);
    return this.#dataSource;
  }

  get DSNOptions(): number {
    return this.#dsnOptions;
  }

  set DSNOptions(value: unknown) {
    this.#dsnOptions = Number(value) & 15;
  }

  get EnvelopeFields(): EnvelopeFields {
    this.#envelopeFields ??= new EnvelopeFields(this.#host);
    return this.#envelopeFields;
  }

  get Fields(): Fields {
    this.#fields ??= new Fields(this.#host, 0, () => derivedFields(this, this.#host));
    return this.#fields;
  }

  get HTMLBody(): string {
    return this.#host.body("html") ?? "";
  }

  set HTMLBody(value: unknown) {
    const html = toText(value);
    this.#host.setBody("html", html);
    if (this.#generatesText) this.#host.setBody("text", htmlToText(html));
  }

  get HTMLBodyPart(): BodyPart | null {
    return this.#bodyPart("html");
  }

  get MDNRequested(): boolean {
    return this.#host.header(0, "Disposition-Notification-To", "raw") !== undefined;
  }

  set MDNRequested(value: unknown) {
    const from = value ? (this.#host.header(0, "From", "raw") ?? "") : "";
    this.#host.setHeader(0, "Disposition-Notification-To", "raw", from);
  }

  get MimeFormatted(): boolean {
    return true;
  }

  set MimeFormatted(value: unknown) {
    if (!value) throw new CdoError("CDO_E_NOT_AVAILABLE", "Message.MimeFormatted = false (uuencode)");
  }

  /** Ours: "none", "signed" or "encrypted". A change of the body breaks the signature of a signed message. */
  get Protection(): string {
    return this.#host.protection();
  }

  get ReceivedTime(): Date {
    return new Date(this.#host.envelopeNumber("arrivalTime"));
  }

  set ReceivedTime(_value: unknown) {
    refuseWrite("Message.ReceivedTime");
  }

  get SentOn(): Date | undefined {
    return this.#host.headerDate(0, "Date");
  }

  set SentOn(_value: unknown) {
    refuseWrite("Message.SentOn");
  }

  get TextBody(): string {
    return this.#host.body("text") ?? "";
  }

  set TextBody(value: unknown) {
    this.#host.setBody("text", toText(value));
    this.#generatesText = false;
  }

  get TextBodyPart(): BodyPart | null {
    return this.#bodyPart("text");
  }

  #bodyPart(kind: "text" | "html"): BodyPart | null {
    const part = this.#host.bodyPart(kind);
    return part === undefined ? null : new BodyPart(this.#host, part);
  }

  GetInterface(name: unknown): Message | BodyPart | DataSource {
    const wanted = toText(name).toLowerCase();
    if (wanted === "imessage") return this;
    if (wanted === "ibodypart") return this.BodyPart;
    if (wanted === "idatasource") return this.DataSource;
    throw new CdoError("E_NOINTERFACE", toText(name).slice(0, 100));
  }
}

/** Read-only objects: their setters refuse by name instead of the engine's general words. */
for (const property of [
  "Attachments",
  "BodyPart",
  "DataSource",
  "EnvelopeFields",
  "Fields",
  "HTMLBodyPart",
  "TextBodyPart",
  "Protection",
]) {
  const descriptor = Object.getOwnPropertyDescriptor(Message.prototype, property);
  Object.defineProperty(Message.prototype, property, {
    ...descriptor,
    set: (): void => {
      refuseWrite(`Message.${property}`);
    },
  });
}

defineUnavailable(Message, [
  "AddAttachment",
  "AddRelatedBodyPart",
  "Configuration",
  "CreateMHTMLBody",
  "Forward",
  "GetStream",
  "Post",
  "PostReply",
  "Reply",
  "ReplyAll",
  "Send",
]);
