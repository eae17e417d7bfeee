// The ESMTP keywords that the service knows, in the order of its EHLO reply.

export const KEYWORDS = [
  "SIZE",
  "PIPELINING",
  "8BITMIME",
  "SMTPUTF8",
  "ENHANCEDSTATUSCODES",
  "DSN",
  "CHUNKING",
  "BINARYMIME",
  "REQUIRETLS",
  "AUTH",
  "STARTTLS",
  "ETRN",
  "VRFY",
  "HELP",
] as const;

export type Keyword = (typeof KEYWORDS)[number];

/** ETRN only makes sense for those who name domains for it, HELP and VRFY need no line in EHLO. */
export const DEFAULT_KEYWORDS: readonly Keyword[] = KEYWORDS.filter((keyword) => keyword !== "ETRN");

/** Of those that next hops offer, what may be switched off; PIPELINING, STARTTLS and AUTH have settings of their own. */
export const OUTBOUND_KEYWORDS = [
  "SIZE",
  "8BITMIME",
  "SMTPUTF8",
  "DSN",
  "CHUNKING",
  "BINARYMIME",
  "REQUIRETLS",
] as const;

export type OutboundKeyword = (typeof OUTBOUND_KEYWORDS)[number];
