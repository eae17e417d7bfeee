// The transport's message as native sinks receive it (REFERENCE 4.6): envelope, recipients, content, private properties.
import { requireMailbox } from "../core/address.ts";
import type { Envelope, Origin, Recipient } from "../core/envelope.ts";
import { isMessageId } from "../core/message-ids.ts";
import type { Splice } from "../core/splice.ts";
import { type MessageStatus, messageStatus } from "../core/status.ts";
import { Headers } from "../mime/headers.ts";
import { hasUtf8Address } from "./utf8-addresses.ts";
import type { Content } from "./content.ts";
import { MessageProperties } from "./message-properties.ts";
import type { PropertyValue } from "./properties.ts";
import { DEFAULT_PROPERTY_LIMITS, type PropertyLimits } from "./property-values.ts";
import { RecipientList } from "./recipient-list.ts";

/** What a message has to know of the service it is in. */
export interface MessageSurroundings {
  readonly limits: PropertyLimits;
  /** IMMPID_MP_SERVER_VERSION. */
  readonly serverVersion?: string | undefined;
  /** Nobody takes parts of it. */
  readonly cannotFork?: true;
}

const BARE_SURROUNDINGS: MessageSurroundings = { limits: DEFAULT_PROPERTY_LIMITS };
const ENVELOPE_ID = /^[\x20-\x7e]{1,100}$/;
const NOTHING_KEPT: ReadonlyMap<string, PropertyValue> = new Map();

/** What a sink may change, as it was before the sink: a failed sink's changes are taken back as a whole. */
export interface MailMsgSnapshot {
  /** As it is but for sender and recipients. */
  readonly envelope: Envelope;
  readonly sender: string;
  readonly recipients: readonly Recipient[];
  readonly content: Content;
  readonly status: MessageStatus;
  readonly deferredUntil: number | undefined;
  readonly properties: ReadonlyMap<string, PropertyValue>;
  readonly forks: number;
}

export class MailMsg {
  readonly id: string;
  readonly origin: Origin;
  /** MP_STATUS_*: examined after each sink. */
  status: MessageStatus = messageStatus.success;
  readonly surroundings: MessageSurroundings;
  /** Of a fork: the position in the chain from which it goes on. */
  resumeAt = 0;
  /** Of a fork: the message that it is a part of. */
  #whole: MailMsg = this;
  readonly #forks: MailMsg[] = [];
  #envelope: Envelope;
  #sender: string;
  #recipients: RecipientList;
  #content: Content;
  #headers: Headers | undefined;
  #properties: MessageProperties | undefined;
  #deferredUntil: number | undefined;
  #successor: MailMsg | undefined;

  constructor(
    id: string,
    origin: Origin,
    envelope: Envelope,
    content: Content,
    surroundings: MessageSurroundings = BARE_SURROUNDINGS,
  ) {
    this.surroundings = surroundings;
    this.id = id;
    this.origin = origin;
    this.#envelope = envelope;
    this.#sender = envelope.sender;
    this.#recipients = new RecipientList(envelope.recipients, surroundings.limits);
    this.#content = content;
  }

  /** Properties of the original by number or name, and private ones, which stay with the message until it is finished. */
  get properties(): MessageProperties {
    return (this.#properties ??= new MessageProperties(this, this.surroundings.limits));
  }

  /** The properties that are kept with the message, for those who carry it on. */
  get keptProperties(): ReadonlyMap<string, PropertyValue> {
    return this.#properties ?? NOTHING_KEPT;
  }

  /** Parts of the message that a sink sent their own way, also parts of parts. The transport takes them. */
  get forks(): MailMsg[] {
    return this.#whole.#forks;
  }

  /** Reverse path without angle brackets; "" is the null sender. */
  get sender(): string {
    return this.#sender;
  }

  set sender(address: string) {
    if (address !== "") requireMailbox(address);
    this.#sender = address;
  }

  /** Those of this message; what was forked has its own. */
  get recipients(): RecipientList {
    return this.#recipients;
  }

  /** The envelope as it stands now. */
  get envelope(): Envelope {
    this.#takeHeaderEdits();
    if (this.#sender === this.#envelope.sender && this.#recipients.items === this.#envelope.recipients)
      return this.#envelope;
    return { ...this.#envelope, sender: this.#sender, recipients: this.#recipients.items };
  }

  /** ENVID of RFC 3461 §4.4, which reports repeat to the sender. */
  get envelopeId(): string | undefined {
    return this.#envelope.envelopeId;
  }

  set envelopeId(id: string) {
    if (!ENVELOPE_ID.test(id)) throw new RangeError("an envelope id has 1 to 100 printable ASCII characters");
    this.#envelope = { ...this.#envelope, envelopeId: id };
  }

  /** RET of RFC 3461 §4.3: how much of the message a report on a failure returns. */
  get returnContent(): "FULL" | "HDRS" | undefined {
    return this.#envelope.returnContent;
  }

  set returnContent(wanted: "FULL" | "HDRS") {
    this.#envelope = { ...this.#envelope, returnContent: wanted };
  }

  get arrivalTime(): Date {
    return new Date(this.origin.arrivalTime);
  }

  /** Not delivered before (IMMPID_MP_DEFERRED_DELIVERY_FILETIME); undefined: as soon as possible. */
  get deferredDeliveryTime(): Date | undefined {
    return this.#deferredUntil === undefined ? undefined : new Date(this.#deferredUntil);
  }

  set deferredDeliveryTime(time: Date | undefined) {
    if (time !== undefined && Number.isNaN(time.getTime()))
      throw new RangeError("deferredDeliveryTime is no valid date");
    this.#deferredUntil = time?.getTime();
  }

  /** The header block, without touching the body. Edits are part of `content` at once. */
  get headers(): Headers {
    this.#headers ??= new Headers(this.#content.header);
    return this.#headers;
  }

  /** The bytes of the message, edits of `headers` included. Immutable: an edit puts another content in its place. */
  get content(): Content {
    this.#takeHeaderEdits();
    return this.#content;
  }

  set content(content: Content) {
    // FAULTS H04: 8-bit fields that were there before stay as undeclared as they came.
    if (
      this.#envelope.smtpUtf8 !== true &&
      hasUtf8Address(content.header) &&
      !hasUtf8Address(this.#content.header)
    )
      this.#envelope = { ...this.#envelope, smtpUtf8: true };
    this.#content = content;
    this.#headers = undefined;
  }

  #takeHeaderEdits(): void {
    if (this.#headers?.changed === true) this.content = this.#content.splice(this.#headers.splices(0));
  }

  /** Applies edits of the bytes: ascending, not overlapping. */
  edit(splices: readonly Splice[]): void {
    this.content = this.content.splice(splices);
  }

  /**
   * Moves the recipients that `wants` answers true for to a message of their own, which goes on from here with the
   * remaining sinks. The original's ForkForRecipients. Throws RangeError on an id that is none, or that one of them has,
   * TypeError where parts of a message cannot go ways of their own (a report).
   */
  forkForRecipients(id: string, wants: (recipient: Recipient) => boolean): MailMsg {
    if (this.surroundings.cannotFork === true) throw new TypeError("a report cannot be forked");
    this.#requireNewId(id);
    const moved: Recipient[] = [];
    const left: Recipient[] = [];
    for (const recipient of this.#recipients) (wants(recipient) ? moved : left).push(recipient);
    const envelope = { ...this.envelope, recipients: moved };
    const fork = new MailMsg(id, this.origin, envelope, this.content, this.surroundings);
    if (this.keptProperties.size > 0) fork.properties.takeBack(this.keptProperties);
    fork.#deferredUntil = this.#deferredUntil;
    fork.#whole = this.#whole;
    this.#recipients = new RecipientList(left, this.surroundings.limits);
    this.forks.push(fork);
    return fork;
  }

  #requireNewId(id: string): void {
    if (!isMessageId(id))
      throw new RangeError(`${JSON.stringify(id)} is no message id: those of nextMessageId() are`);
    if (id === this.#whole.id || this.forks.some((fork) => fork.id === id))
      throw new RangeError(`message id ${id} is taken: each fork has one of its own`);
  }

  /** The object in which the message goes on, for those who carry it on. */
  get latest(): MailMsg {
    return this.#successor?.latest ?? this;
  }

  /** The message goes on in another object: what a sink that is not waited for any more still writes into this one goes nowhere. */
  succeed(): MailMsg {
    const next = new MailMsg(this.id, this.origin, this.#envelope, this.content, this.surroundings);
    next.forks.push(...this.forks);
    for (const fork of this.forks) fork.#whole = next;
    if (this.keptProperties.size > 0) next.properties.takeBack(this.keptProperties);
    next.restore(this.snapshot());
    this.#successor = next;
    return next;
  }

  snapshot(): MailMsgSnapshot {
    this.#takeHeaderEdits();
    return {
      envelope: this.#envelope,
      sender: this.#sender,
      recipients: this.#recipients.items,
      content: this.#content,
      status: this.status,
      deferredUntil: this.#deferredUntil,
      properties: this.keptProperties.size === 0 ? NOTHING_KEPT : new Map(this.keptProperties),
      forks: this.forks.length,
    };
  }

  restore(snapshot: MailMsgSnapshot): void {
    this.content = snapshot.content;
    this.#envelope = snapshot.envelope;
    this.#sender = snapshot.sender;
    this.#recipients = new RecipientList(snapshot.recipients, this.surroundings.limits);
    this.status = snapshot.status;
    this.#deferredUntil = snapshot.deferredUntil;
    this.forks.length = snapshot.forks;
    this.#properties?.takeBack(snapshot.properties);
  }
}
