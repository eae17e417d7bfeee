// What sinks of MaxMsgSize receive (REFERENCE 4.1): a message is larger than the virtual server takes.

/** Asked at MAIL with a SIZE above the limit, and when content grows beyond it. What is not let pass is not kept. */
export interface MessageSizeContext {
  /** `mail`: `size` is what the client announced. `data`: the bytes that have come so far, more may follow. */
  readonly stage: "mail" | "data";
  /** Name of the virtual server. */
  readonly server: string;
  /** IP address of the client. */
  readonly client: string;
  /** Who authenticated. */
  readonly user: string | undefined;
  /** Reverse path without angle brackets; "" is the null sender. */
  readonly sender: string;
  /** Of MAIL none is known yet. */
  readonly recipients: readonly string[];
  /** In bytes. */
  readonly size: number;
  /**
   * Bytes that this message may have. A sink that raises it lets the message pass up to there, Infinity up to the limit of the
   * session (`limits.maxSessionSize`); beyond it sinks are asked again.
   */
  limit: number;
}
