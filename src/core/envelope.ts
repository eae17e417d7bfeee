// The envelope: the transport data beside the content (RFC 5321 §2.3.1, RFC 3461, REFERENCE 4.6).

export type NotifyCondition = "NEVER" | "SUCCESS" | "FAILURE" | "DELAY";

/** One recipient of a message. Immutable: a change makes a new one. */
export interface Recipient {
  /** As the client sent it, without angle brackets. */
  readonly address: string;
  /** NOTIFY= of RFC 3461 §4.1; absent means the default (failure, and delay as the service decides). */
  readonly notify?: readonly NotifyCondition[] | undefined;
  /** ORCPT= of RFC 3461 §4.2, decoded: "rfc822;user@example.com". */
  readonly originalRecipient?: string | undefined;
  /** RP_* bits that sinks or the categorizer gave it, those of NOTIFY left out (REFERENCE 4.6.4). */
  readonly flags?: number | undefined;
  /** IMMPID_RP_* properties that nothing else here holds, and private ones. */
  readonly properties?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** How a message came to us. Fixed at arrival. */
export interface Origin {
  readonly via: "smtp" | "pickup" | "dsn";
  /** Arrival at the service, ms since the epoch (IMMPID_MP_ARRIVAL_TIME). */
  readonly arrivalTime: number;
  /** Name of the virtual server that took it. */
  readonly server: string;
  /** Address of the client; absent for Pickup and reports (IMMPID_MP_CONNECTION_IP_ADDRESS). */
  readonly clientAddress?: string | undefined;
  readonly clientPort?: number | undefined;
  /** What DNS or a proxy calls the client, where that is asked for. */
  readonly clientName?: string | undefined;
  /** As in our Received field: "ESMTPS" (RFC 3848). */
  readonly protocol?: string | undefined;
  /** Argument of EHLO/HELO (IMMPID_MP_HELO_DOMAIN). */
  readonly heloDomain?: string | undefined;
  /** Our address and port that it connected to (IMMPID_MP_CONNECTION_SERVER_IP_ADDRESS, …_PORT). */
  readonly serverAddress?: string | undefined;
  readonly serverPort?: number | undefined;
  /** Authenticated user (IMMPID_MP_CLIENT_AUTH_USER). */
  readonly user?: string | undefined;
  /** The mechanism of AUTH (IMMPID_MP_CLIENT_AUTH_TYPE). */
  readonly authMechanism?: string | undefined;
  /** AUTH= of MAIL, decoded (RFC 4954 §5, IMMPID_MP_INBOUND_MAIL_FROM_AUTH). */
  readonly mailFromAuth?: string | undefined;
  /** The protocol made sure that no CR or LF of the content stands alone. */
  readonly crlfOnly?: true | undefined;
  /** The client behind a trusted proxy, as its XFORWARD said: attribute names of Postfix in upper case. */
  readonly forwarded?: Readonly<Record<string, string>> | undefined;
  /** Original file name in Pickup (IMMPID_MP_PICKUP_FILE_NAME). */
  readonly pickupFileName?: string | undefined;
}

export interface Envelope {
  /** Reverse path without angle brackets; "" is the null sender. */
  readonly sender: string;
  readonly recipients: readonly Recipient[];
  readonly body?: "7BIT" | "8BITMIME" | "BINARYMIME" | undefined;
  readonly smtpUtf8?: boolean | undefined;
  /** RFC 8689: over verified TLS or not at all. */
  readonly requireTls?: true | undefined;
  /** ENVID= of RFC 3461 §4.4, decoded. */
  readonly envelopeId?: string | undefined;
  /** RET= of RFC 3461 §4.3. */
  readonly returnContent?: "FULL" | "HDRS" | undefined;
  /** "host:port" of the server that takes it, whatever the routes say: for mail that a script sends through one. */
  readonly nextHop?: string | undefined;
  /** Private properties that sinks of protocol events gave the message. */
  readonly properties?: Readonly<Record<string, string | number | boolean>> | undefined;
}
