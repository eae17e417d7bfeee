// The fields of a protocol log in the W3C extended format that have a meaning for SMTP, with the names that IIS gave them.

export const W3C_FIELDS = [
  "date",
  "time",
  "c-ip",
  "cs-username",
  "s-sitename",
  "s-computername",
  "s-ip",
  "s-port",
  "cs-method",
  "cs-uri-stem",
  "cs-uri-query",
  "sc-status",
  "sc-bytes",
  "cs-bytes",
  "time-taken",
  "cs-version",
] as const;

export type W3cField = (typeof W3C_FIELDS)[number];
