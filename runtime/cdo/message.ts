// IMessage: the message as the script sees it. Properties change it in memory at once; DataSource.Save makes that permanent.
import { cdoSuppressAll } from "./constants.ts";
import { BodyPart, BodyParts, dispositionSource, mediaTypeSource, PartObjects } from "./body-parts.ts";
import { wholeStream } from "./content-streams.ts";
import { Configuration } from "./configuration.ts";
import { type Bindable, DataSource } from "./data-source.ts";
import { EnvelopeFields } from "./envelope-fields.ts";
import { CdoError } from "./errors.ts";
import { dateSource, headerSource, wordSource } from "./field-sources.ts";
import { type FieldSource, Fields } from "./fields.ts";
import type { HeaderView, Host } from "../host.ts";
import { resourceOf } from "./files.ts";
import { htmlToText } from "./html-text.ts";
import { refuseWrite, setterOf, toText } from "./member-names.ts";
import { MAIN_HEADERS } from "../read-texts.ts";
import { type Answer, fillAnswer, type Mail, postMail, sendMail } from "./send.ts";
import type { Stream } from "./stream.ts";
import { cut } from "../contract.ts";

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

function derivedFields(message: Message, host: Host, root: number): ReadonlyMap<string, FieldSource> {
  const fields = new Map<string, FieldSource>();
  for (const name of ["Bcc", "Cc", "From", "Reply-To", "Sender", "To"]) {
    fields.set(`urn:schemas:httpmail:${name.toLowerCase()}`, headerSource(host, root, name, "addresses"));
  }
  const httpmail: Record<string, FieldSource> = {
    subject: headerSource(host, root, "Subject", "text"),
    normalizedsubject: {
      read: () => (host.header(root, "Subject", "text") ?? "").replace(/^(?:(?:re|fwd?|aw|wg) ?: ?)+/i, ""),
    },
    "thread-topic": { read: () => host.header(root, "Thread-Topic", "text") ?? "" },
    date: dateSource(host, root, "Date"),
    datereceived: { read: () => message.ReceivedTime },
    hasattachment: { read: () => host.partCount(root, "attachment") > 0 },
    textdescription: {
      read: () => message.TextBody,
      write: (value) => void (message.TextBody = toText(value)),
    },
    htmldescription: {
      read: () => message.HTMLBody,
      write: (value) => void (message.HTMLBody = toText(value)),
    },
    importance: wordSource(host, root, "Importance", ["low", "normal", "high"], 0, 1),
    priority: wordSource(host, root, "Priority", ["non-urgent", "normal", "urgent"], -1, 0),
    "content-disposition-type": dispositionSource(host, root),
    "content-media-type": mediaTypeSource(host, root),
  };
  for (const [name, source] of Object.entries(httpmail)) fields.set(`urn:schemas:httpmail:${name}`, source);
  fields.set(
    "http://schemas.microsoft.com/exchange/sensitivity",
    wordSource(host, root, "Sensitivity", SENSITIVITY, 0, 0),
  );
  fields.set(
    "urn:schemas-microsoft-com:office:office#keywords",
    headerSource(host, root, "Keywords", "text"),
  );
  fields.set("dav:contentclass", headerSource(host, root, "Content-Class", "text"));
  fields.set("dav:getcontenttype", { read: () => host.partText(root, "mediaType") });
  return fields;
}

/** Text is read from its end: a pattern for the end would begin anew at each blank of a long run. */
function withoutLastCommas(text: string): string {
  let end = text.length;
  while (/[,\s]/.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

export class Message {
  readonly #host: Host;
  /** The handle of its root part; 0 is the message that arrived. */
  readonly #root: number;
  #fields: Fields | undefined;
  #envelopeFields: EnvelopeFields | undefined;
  #parts: PartObjects | undefined;
  #attachments: BodyParts | undefined;
  #dataSource: DataSource | undefined;
  #configuration: Configuration | undefined;
  #generatesText: boolean;
  #dsnOptions = 0;
  #isFlat = false;

  constructor(host: Host, root = 0) {
    this.#host = host;
    this.#root = root;
    // A new message writes its plain text itself, an existing one has it (REFERENCE 1.3.1).
    this.#generatesText = root !== 0;
  }

  /** The message or part behind a script's object. */
  static identify(this: void, value: unknown): Bindable | undefined {
    if (typeof value === "object" && value !== null && #root in value)
      return { handle: value.#root, isMessage: true };
    return BodyPart.identify(value);
  }

  #part(handle: number): BodyPart {
    this.#parts ??= new PartObjects(this.#host, this, this.#root, Message.identify);
    return this.#parts.at(handle);
  }

  static {
    for (const [property, header, view] of HEADER_PROPERTIES) {
      const main = MAIN_HEADERS.findIndex((name) => name === header);
      const setHeader = function (this: Message, value: unknown): void {
        const text = toText(value);
        const shown = view === "addresses" ? withoutLastCommas(text) : text;
        this.#host.by(setHeader).setHeader(this.#root, header, view, shown);
      };
      Object.defineProperty(Message.prototype, property, {
        get(this: Message): string {
          const known = main >= 0 && this.#root === 0 ? this.#host.mainHeader(main) : undefined;
          return known ?? this.#host.header(this.#root, header, view) ?? "";
        },
        set: setHeader,
        configurable: true,
      });
    }
  }

  get Attachments(): BodyParts {
    this.#attachments ??= new BodyParts(this.#host, this.#root, "attachment", (part) => this.#part(part));
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
    return this.#part(this.#root);
  }

  get Configuration(): Configuration {
    this.#configuration ??= new Configuration(this.#host);
    return this.#configuration;
  }

  set Configuration(value: unknown) {
    if (!(value instanceof Configuration))
      throw new CdoError(
        "CDO_E_BAD_DATA",
        'Message.Configuration takes a new ActiveXObject("CDO.Configuration")',
      );
    this.#configuration = value;
  }

  get DataSource(): DataSource {
    this.#dataSource ??= new DataSource(
      this.#host,
      { handle: this.#root, isMessage: true },
      Message.identify,
      () => (this.#generatesText = false),
    );
    return this.#dataSource;
  }

  get DSNOptions(): number {
    return this.#dsnOptions;
  }

  set DSNOptions(value: unknown) {
    const options = Number(value);
    if (!Number.isInteger(options) || options < 0 || options > 15)
      throw new CdoError("CDO_E_BAD_DATA", "Message.DSNOptions is 0, 1, or a sum of 2, 4 and 8");
    this.#dsnOptions = options;
  }

  get EnvelopeFields(): EnvelopeFields {
    this.#envelopeFields ??= new EnvelopeFields(this.#host, this.#root === 0);
    return this.#envelopeFields;
  }

  get Fields(): Fields {
    this.#fields ??= new Fields(this.#host, this.#root, () => derivedFields(this, this.#host, this.#root));
    return this.#fields;
  }

  get HTMLBody(): string {
    return this.#host.body(this.#root, "html") ?? "";
  }

  set HTMLBody(value: unknown) {
    const html = toText(value);
    if (this.#isFlat) this.MimeFormatted = true;
    this.#host.by(setHtmlBody).setBody(this.#root, "html", html);
    if (this.#generatesText) this.#host.setBody(this.#root, "text", htmlToText(html));
  }

  get HTMLBodyPart(): BodyPart | null {
    return this.#bodyPart("html");
  }

  get MDNRequested(): boolean {
    return this.#host.header(this.#root, "Disposition-Notification-To", "raw") !== undefined;
  }

  set MDNRequested(value: unknown) {
    const from = value ? (this.#host.header(this.#root, "From", "raw") ?? "") : "";
    this.#host.setHeader(this.#root, "Disposition-Notification-To", "raw", from);
  }

  /** False: no HTML, and attachments go out as uuencoded text. Setting HTMLBody makes it True again. */
  get MimeFormatted(): boolean {
    return !this.#isFlat;
  }

  set MimeFormatted(value: unknown) {
    const isFlat = !value;
    if (isFlat === this.#isFlat) return;
    this.#host.setMimeFormatted(this.#root, !isFlat);
    this.#isFlat = isFlat;
    if (isFlat) this.#generatesText = false;
  }

  /** Ours: "none", "signed" or "encrypted". A change of the body breaks the signature of a signed message. */
  get Protection(): string {
    return this.#host.protection(this.#root);
  }

  get ReceivedTime(): Date | undefined {
    if (this.#root === 0) return new Date(this.#host.envelopeNumber("arrivalTime"));
    // A message that was opened from another object: its newest trace field tells.
    const [newest = ""] = (this.#host.header(this.#root, "Received", "raw") ?? "").split("\r\n", 1);
    const time = Date.parse(newest.slice(newest.lastIndexOf(";") + 1));
    return Number.isNaN(time) ? undefined : new Date(time);
  }

  set ReceivedTime(_value: unknown) {
    refuseWrite("Message.ReceivedTime");
  }

  get SentOn(): Date | undefined {
    return this.#host.headerDate(this.#root, "Date");
  }

  set SentOn(_value: unknown) {
    refuseWrite("Message.SentOn");
  }

  get TextBody(): string {
    return this.#host.body(this.#root, "text") ?? "";
  }

  set TextBody(value: unknown) {
    this.#host.by(setTextBody).setBody(this.#root, "text", toText(value));
    this.#generatesText = false;
  }

  get TextBodyPart(): BodyPart | null {
    return this.#bodyPart("text");
  }

  #bodyPart(kind: "text" | "html"): BodyPart | null {
    const part = this.#host.bodyPart(this.#root, kind);
    return part === undefined ? null : this.#part(part);
  }

  GetInterface(name: unknown): Message | BodyPart | DataSource | Stream {
    const wanted = toText(name).toLowerCase();
    if (wanted === "imessage") return this;
    if (wanted === "ibodypart") return this.BodyPart;
    if (wanted === "idatasource") return this.DataSource;
    if (wanted === "_stream") return this.GetStream();
    throw new CdoError("E_NOINTERFACE", cut(toText(name), 100));
  }

  /** A copy of the whole message; Flush() on it makes the message what it holds. */
  GetStream(): Stream {
    return wholeStream(this.#host, this.#root);
  }

  /** A file below the script folder, or a page of the network, as the binding grants it. */
  AddAttachment(url: unknown, userName?: unknown, password?: unknown): BodyPart {
    const source = resourceOf(toText(url), "Message.AddAttachment", userName, password);
    return this.#part(this.#host.attachFile(this.#root, source, "attachment"));
  }

  /** A file that the HTML body shows, by Content-ID (0) or Content-Location (1). */
  AddRelatedBodyPart(
    url: unknown,
    reference: unknown,
    referenceType: unknown,
    userName?: unknown,
    password?: unknown,
  ): BodyPart {
    const source = resourceOf(toText(url), "Message.AddRelatedBodyPart", userName, password);
    const name = toText(reference).trim();
    if (name === "") throw new CdoError("CDO_E_ARGUMENT2", "Message.AddRelatedBodyPart needs a reference");
    if (referenceType !== 0 && referenceType !== 1)
      throw new CdoError(
        "CDO_E_ARGUMENT3",
        "Message.AddRelatedBodyPart takes cdoRefTypeId or cdoRefTypeLocation",
      );
    this.MimeFormatted = true;
    return this.#part(this.#host.attachFile(this.#root, source, `${referenceType} ${name}`));
  }

  /** The page becomes the body, with the resources that it refers to unless CdoMHTMLFlags suppress their kind. */
  CreateMHTMLBody(url: unknown, flags: unknown = 0, userName?: unknown, password?: unknown): void {
    const source = resourceOf(toText(url), "Message.CreateMHTMLBody", userName, password);
    const suppressed = Number(flags);
    if (!Number.isInteger(suppressed) || suppressed < 0 || suppressed > cdoSuppressAll)
      throw new CdoError("CDO_E_ARGUMENT2", "Message.CreateMHTMLBody takes a sum of CdoMHTMLFlags, 0 to 31");
    if (this.#isFlat) this.MimeFormatted = true;
    this.#host.createMhtml(this.#root, source, suppressed);
    if (this.#generatesText) this.#host.setBody(this.#root, "text", htmlToText(this.HTMLBody));
  }

  /** The message goes into the queue when the script has ended without a fault. */
  Send(): void {
    sendMail(
      mailOf(this),
      (nextHop) => this.#host.maySend(nextHop),
      (nextHop) => this.#host.send(this.#root, this.#dsnOptions, nextHop),
    );
  }

  Post(): void {
    postMail(mailOf(this));
  }

  Reply(): Message {
    return this.#answer("reply");
  }

  ReplyAll(): Message {
    return this.#answer("replyAll");
  }

  PostReply(): Message {
    return this.#answer("postReply");
  }

  Forward(): Message {
    const forward = this.#answer("forward");
    this.#host.copyAttachments(this.#root, forward.#root);
    return forward;
  }

  #answer(kind: Answer): Message {
    const answer = new Message(this.#host, this.#host.newMessage());
    fillAnswer(mailOf(answer), mailOf(this), kind);
    if (kind !== "forward") this.#host.refer(this.#root, answer.#root);
    return answer;
  }
}

const setTextBody = setterOf(Message, "TextBody");
const setHtmlBody = setterOf(Message, "HTMLBody");

/** The header properties of a message are made by a loop, where the compiler does not see them. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- HEADER_PROPERTIES holds every one of them
const mailOf = (message: Message): Mail => message as unknown as Mail;

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
