// Settings of DNS look-ups, and of the keys that sign what leaves (RFC 6376, RFC 8617).
import { isIP } from "node:net";
import { z } from "zod";
import { count, domainName, milliseconds, parseHostPort, live } from "./values.ts";

const isNameServer = (text: string): boolean => {
  const host = isIP(text) === 0 ? parseHostPort(text)?.host : text;
  return host !== undefined && isIP(host) !== 0;
};

export const dnsSchema = z.strictObject({
  servers: z
    .array(
      z.string().refine(isNameServer, 'must be an address, as "192.0.2.53", "192.0.2.53:5353" or "[::1]:53"'),
    )
    .default([])
    .meta(
      live(
        "DNS servers that are asked for mail exchangers and for SPF, DKIM, DMARC and ARC; none: those of the system.",
      ),
    ),
  timeoutMs: milliseconds(1)
    .default(5000)
    .meta(live("Until a server counts as silent.", { unit: "ms" })),
  tries: count(1, 10)
    .default(2)
    .meta(live("Rounds through the servers before a look-up fails.", { unit: "rounds" })),
  cacheMs: milliseconds()
    .default(60_000)
    .meta(live("How long answers and failures are kept, whatever their TTL.", { unit: "ms" })),
});

const FIELD_NAME = /^[!-9;-~]+$/;

export const signingEntrySchema = z
  .strictObject({
    domain: domainName().meta(
      live("Domain of the authors (From) whose mail is signed; d= of the signature."),
    ),
    subdomains: z.boolean().default(false).meta(live("Sign mail of its subdomains as well.")),
    selector: z
      .string()
      .regex(/^[\w-]+(?:\.[\w-]+)*$/, 'must be a selector, as "mail2026"')
      .meta(live("The public key is published at SELECTOR._domainkey.DOMAIN.")),
    keyFile: z
      .string()
      .min(1)
      .meta(
        live(
          "PEM file of the private key, relative to this file: RSA of at least 1024 bits, or Ed25519. Not for everybody's eyes; read again at each reload.",
        ),
      ),
    algorithm: z
      .enum(["rsa-sha256", "ed25519-sha256"])
      .optional()
      .meta(live("What the key has to be for.", { defaultText: "as the key is" })),
    canonicalization: z
      .enum(["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"])
      .default("relaxed/relaxed")
      .meta(live("How much header and body may change on the way (RFC 6376 §3.4).")),
    headers: z
      .array(z.string().regex(FIELD_NAME, "must be the name of a header field"))
      .min(1)
      .optional()
      .meta(live("Fields that are signed; From always is.", { defaultText: "those of RFC 6376 §5.4.1" })),
    validDays: z
      .number()
      .positive()
      .max(3650)
      .optional()
      .meta(live("After so many days the signature is void.", { unit: "days", defaultText: "never" })),
    arc: z
      .boolean()
      .default(false)
      .meta(
        live(
          "Seal (ARC) with this key what OnArrival.Authenticate has looked at and what leaves again. RSA only; one entry of a server.",
        ),
      ),
    drop: z.boolean().default(false).meta(live("Sign what goes to Drop as well.")),
  })
  .refine((entry) => !entry.arc || entry.algorithm !== "ed25519-sha256", {
    path: ["arc"],
    message: "takes an RSA key: receivers know no other seals",
  });

export type SigningEntrySettings = z.output<typeof signingEntrySchema>;

export const signingSchema = z
  .array(signingEntrySchema)
  .default([])
  .refine((entries) => entries.filter(({ arc }) => arc).length <= 1, "has more than one entry with arc")
  .meta(live("Keys that sign what leaves for other hosts (DKIM), and seal it (ARC)."));
