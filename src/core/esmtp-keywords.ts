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
