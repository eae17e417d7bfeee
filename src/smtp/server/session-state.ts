// What a session knows: its client, who that is, and the mail transaction in hand (RFC 5321 §3.3, §4.1.4).
import { randomUUID } from "node:crypto";
import type { PropertyValue } from "../../message/properties.ts";
import type { SessionParts } from "./session-parts.ts";
import { traceStart } from "./trace-field.ts";
import type { ClientFacts, Transaction } from "./transaction.ts";
import type { Wire } from "./wire.ts";
import type { ClientAttributes } from "./xclient.ts";

export class SessionState {
  /** Absent until HELO or EHLO. */
  client: ClientFacts | undefined;
  isExtended = false;
  user: string | undefined;
  #authMechanism: string | undefined;
  /** What a sink decided about relaying; absent: the settings do. */
  relayGrant: boolean | undefined;
  reverseName: string | undefined;
  transaction: Transaction | undefined;
  /** What a trusted proxy says of the client (XCLIENT). */
  #proxied: ClientAttributes | undefined;
  /** What a trusted proxy says of the client, for the record (XFORWARD). */
  forwarded: ClientAttributes | undefined;
  /** The service ends: no further transaction. */
  isEnding = false;
  readonly #parts: SessionParts;
  readonly #wire: Wire;
  #id: string | undefined;
  #properties: Map<string, unknown> | undefined;
  #messageProperties: Map<string, PropertyValue> | undefined;

  constructor(parts: SessionParts, wire: Wire) {
    this.#parts = parts;
    this.#wire = wire;
  }

  get id(): string {
    return (this.#id ??= randomUUID());
  }

  /** The client's, as XCLIENT says or the socket. */
  get remoteAddress(): string {
    return this.#proxied?.get("ADDR") ?? this.#wire.remoteAddress;
  }

  /** A proxy that names its client and no port keeps that to itself: its own port is not the client's. */
  get remotePort(): number | undefined {
    const named =
      this.#proxied === undefined ? this.#wire.remotePort : Number(this.#proxied.get("PORT") ?? 0);
    return named === 0 ? undefined : named;
  }

  /** Ours, as the client reached it. */
  get localAddress(): string {
    return this.#proxied?.get("DESTADDR") ?? this.#wire.localAddress;
  }

  get localPort(): number {
    const named = this.#proxied?.get("DESTPORT");
    return named === undefined ? this.#wire.localPort : Number(named);
  }

  /** XCLIENT: the session begins anew with another client. */
  takeProxied(attributes: ClientAttributes): void {
    this.forgetClient();
    this.#proxied = new Map([...(this.#proxied ?? []), ...attributes]);
    this.reverseName = this.#proxied.get("NAME");
    this.setUser(this.#proxied.get("LOGIN"));
  }

  /** What sinks keep with the session. */
  get properties(): Map<string, unknown> {
    return (this.#properties ??= new Map());
  }

  /** What sinks keep with the message under construction. */
  get messageProperties(): Map<string, PropertyValue> {
    return (this.#messageProperties ??= new Map());
  }

  /** Handed over with the message; undefined when no sink set any. */
  takeMessageProperties(): Map<string, PropertyValue> | undefined {
    const properties = this.#messageProperties;
    this.#messageProperties = undefined;
    return properties === undefined || properties.size === 0 ? undefined : properties;
  }

  /** Forgets the transaction. */
  reset(): void {
    this.transaction?.discard();
    this.transaction = undefined;
    this.forwarded = undefined;
    this.#messageProperties = undefined;
  }

  introduce(heloDomain: string, isExtended: boolean): void {
    this.reset();
    this.isExtended = isExtended;
    this.client = this.#factsFor(heloDomain);
  }

  /** `mechanism` is absent when a sink says so. */
  setUser(user: string | undefined, mechanism?: string): void {
    this.user = user;
    this.#authMechanism = mechanism;
    this.#refreshFacts();
  }

  grantRelay(isGranted: boolean): void {
    this.relayGrant = isGranted;
    this.#refreshFacts();
  }

  /** RFC 3207 §4.2: nothing the client said in the clear counts inside TLS. */
  forgetClient(): void {
    this.reset();
    this.client = undefined;
    this.user = undefined;
    this.relayGrant = undefined;
    this.isExtended = false;
  }

  get mayRelay(): boolean {
    const { relay, settings } = this.#parts;
    const isUser = this.user !== undefined && settings.relayAuthenticated;
    return this.relayGrant ?? (isUser || (!this.#isHidden && relay.isTrustedAddress(this.remoteAddress)));
  }

  /** The proxy does not know its client's address: its own must not stand in where trust hangs on it. */
  get #isHidden(): boolean {
    return (
      this.#proxied !== undefined && this.#proxied.has("ADDR") && this.#proxied.get("ADDR") === undefined
    );
  }

  #refreshFacts(): void {
    if (this.client !== undefined) this.client = this.#factsFor(this.client.heloDomain);
  }

  #factsFor(said: string): ClientFacts {
    const { settings } = this.#parts;
    const address = this.remoteAddress;
    const heloDomain = this.#proxied?.get("HELO") ?? said;
    const trace = traceStart({
      heloDomain,
      address,
      reverseName: this.reverseName,
      hostName: settings.hostName,
      isExtended: this.isExtended,
      isLmtp: settings.protocol === "lmtp",
      isSecure: this.#wire.isSecure,
      isAuthenticated: this.user !== undefined,
    });
    return {
      address,
      port: this.remotePort,
      name: this.reverseName,
      heloDomain,
      user: this.user,
      authMechanism: this.user === undefined ? undefined : this.#authMechanism,
      serverAddress: this.localAddress,
      serverPort: this.localPort,
      mayRelay: this.mayRelay,
      trace,
    };
  }
}
