// What sinks of GetAuxDomainInfoFlags receive (REFERENCE 4.4): a domain that mail is for, and flags that they add to its settings.

/** The domain flags of the original that have a meaning here, with its values. */
export const domainFlag = {
  /** Mail for the domain leaves over TLS only. */
  requireTls: 0x1,
  /** BDAT is not used. */
  noChunking: 0x100,
  /** BINARYMIME is not used: such content is converted, or comes back. */
  noBinaryMime: 0x200,
  /** The DSN parameters (RFC 3461) are not passed on: requested reports of success are ours. */
  noDsn: 0x400,
  /** Each command waits for the reply to the one before. */
  noPipelining: 0x800,
  /** HELO in place of EHLO: no extension is used. */
  heloOnly: 0x1000,
  /** Mail waits until the domain asks for it by ETRN. */
  etrnOnly: 0x2_0000,
  /** Mail for the domain goes to Drop. */
  localDrop: 0x4_0000,
  /** Mail for the domain goes the way of local mail: to Drop, or to the LMTP server of `delivery.lmtp`. */
  localMailbox: 0x8_0000,
  /** Anybody may relay to the domain. */
  relayAllowed: 0x80_0000,
  /** The domain is another name of the local one: its mail is taken from anybody and delivered here. */
  alias: 0x100_0000,
} as const;

/** Asked when a domain is met in RCPT, at routing and when a connection is made, where the answer matters; it is kept for a minute. */
export interface DomainInfoContext {
  /** In lower case. */
  readonly domain: string;
  /** Name of the virtual server. */
  readonly server: string;
  /** Bits of `domainFlag`, as the sinks before left them. Others of the original have no meaning here. Throws RangeError on what is no whole number. */
  flags: number;
}
