// Settings of the way out: where mail goes, in which form, and how each next hop is spoken to (RFC 5321 §5, RFC 3207).
import { z } from "zod";
import {
  LMTP_PORT,
  parseFingerprint,
  parseNextHop,
  size,
  count,
  domainName,
  hostAddress,
  live,
  trustedAuthorities,
} from "./values.ts";

const MIB = 1024 * 1024;
const CHUNKING = ["never", "when-needed", "always"] as const;

export const smartHostAuth = z
  .strictObject({
    user: z.string().min(1).meta(live("User name at the smart host.")),
    password: z.string().min(1).optional().meta(live("Its password. Prefer passwordFile.")),
    passwordFile: z
      .string()
      .min(1)
      .optional()
      .meta(live("File whose first line is the password, relative to this file.")),
    tokenFile: z
      .string()
      .min(1)
      .optional()
      .meta(
        live(
          "File whose first line is the bearer token of XOAUTH2; read at each authentication, because another program renews it.",
        ),
      ),
    mechanism: z
      .enum(["XOAUTH2", "CRAM-MD5", "PLAIN", "LOGIN"])
      .optional()
      .meta(
        live("The only mechanism to use.", { defaultText: "the strongest that is offered, in this order" }),
      ),
    allowInClear: z.boolean().default(false).meta(live("Authenticate without TLS as well.")),
  })
  .refine(
    (auth) =>
      [auth.password, auth.passwordFile, auth.tokenFile].filter((secret) => secret !== undefined).length ===
      1,
    "needs one of password, passwordFile and tokenFile",
  )
  .refine(
    (auth) =>
      auth.mechanism === undefined || (auth.mechanism === "XOAUTH2") === (auth.tokenFile !== undefined),
    "XOAUTH2 needs a tokenFile, and every other mechanism a password",
  );

// oxlint-disable-next-line typescript/explicit-module-boundary-types -- what zod infers is long
export const startTls = () => z.enum(["opportunistic", "required", "never"]);

const destination = z
  .strictObject({
    to: z
      .string()
      .regex(/^(?:\*|(?:\*\.)?[^\s*@/]+|\/\S+)$/u, 'must be "example.com", "*.example.com", "host:25" or "*"')
      .transform((name) => name.toLowerCase())
      .meta(
        live(
          "A domain, its subdomains, the smart host or LMTP server as HOST:PORT, or all of them. A domain means its mail exchangers, or the smartHost that domains.remote gives it.",
        ),
      ),
    tls: z
      .enum(["none", "opportunistic", "encrypted", "required", "pinned"])
      .optional()
      .meta(
        live(
          "none: in clear. opportunistic: STARTTLS when offered. encrypted: TLS with anybody. required: TLS, and the certificate is trusted and names the host. pinned: TLS with one of the fingerprints.",
          { defaultText: "as startTls says" },
        ),
      ),
    implicit: z
      .boolean()
      .default(false)
      .meta(live("TLS from the first byte, without STARTTLS (RFC 8314 §3).")),
    minVersion: z
      .enum(["TLSv1.2", "TLSv1.3"])
      .default("TLSv1.2")
      .meta(live("Oldest version of TLS to accept.")),
    names: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .meta(live("Names of which the certificate must carry one.", { defaultText: "that of the host" })),
    fingerprints: z
      .array(z.string().transform((text, context) => checkedFingerprint(text, context)))
      .min(1)
      .optional()
      .meta(
        live('SHA-256 of certificates or of their public keys, as "sha256:" and hex or base64; for pinned.'),
      ),
    ...trustedAuthorities,
    maxConnections: count(1)
      .optional()
      .meta(live("Connections at a time.", { unit: "connections", defaultText: "as outbound says" })),
    messagesPerConnection: count(1)
      .optional()
      .meta(
        live("Messages before a connection is replaced.", {
          unit: "messages",
          defaultText: "as outbound says",
        }),
      ),
    chunking: z
      .enum(CHUNKING)
      .optional()
      .meta(live("As delivery.chunking.", { defaultText: "as delivery says" })),
    xforward: z
      .boolean()
      .default(false)
      .meta(live("Tell this next hop by XFORWARD who sent the message to us, when it offers that.")),
  })
  .refine(
    (to) => (to.tls === "pinned") === (to.fingerprints !== undefined),
    "fingerprints go with tls: pinned, and pinned needs them",
  )
  .refine((to) => !(to.implicit && to.tls === "none"), "implicit is TLS, and tls says none");

function checkedFingerprint(text: string, context: z.core.$RefinementCtx): string {
  const fingerprint = parseFingerprint(text);
  if (fingerprint !== undefined) return fingerprint;
  context.issues.push({
    code: "custom",
    input: text,
    message: "must be the SHA-256 of a certificate or public key, in hex or base64",
  });
  return z.NEVER;
}

// What zod infers is long, and naming it would say nothing.
export const deliverySchema = z
  .strictObject({
    smartHost: hostAddress()
      .optional()
      .meta(
        live(
          "Remote mail goes to this host, as HOST, HOST:PORT or [ADDRESS]:PORT; smtps:// in front means TLS from the first byte, lmtp:// LMTP (RFC 2033) at HOST, HOST:PORT or /PATH/OF/SOCKET.",
        ),
      ),
    mx: z
      .boolean()
      .default(false)
      .meta(live("Remote mail goes to the mail exchangers of each domain (RFC 5321 §5.1).")),
    directFirst: z
      .boolean()
      .default(false)
      .meta(
        live(
          "With a smartHost: the mail exchangers of the domain are tried first, and the smart host takes what cannot reach them.",
        ),
      ),
    lmtp: z
      .string()
      .refine(
        (text) => parseNextHop(`lmtp://${text}`, LMTP_PORT) !== undefined,
        "must be HOST:PORT or /PATH/OF/SOCKET",
      )
      .optional()
      .meta(
        live(
          "The LMTP server (RFC 2033) that takes mail of local domains, as HOST, HOST:PORT or the path of its socket, which begins with a slash.",
          {
            defaultText: "Drop takes it",
          },
        ),
      ),
    port: count(1, 65_535)
      .default(25)
      .meta(
        live("Port of the next hop where the address names none; with lmtp:// in front, 24 in place of 25.", {
          unit: "port",
        }),
      ),
    securePort: count(1, 65_535)
      .default(465)
      .meta(live("The same for next hops with smtps:// in front.", { unit: "port" })),
    startTls: startTls()
      .default("opportunistic")
      .meta(live("STARTTLS towards the next hop: when offered, always (else the message waits), or never.")),
    auth: smartHostAuth.optional().meta(live("AUTH at the smart host.")),
    chunking: z
      .enum(CHUNKING)
      .default("when-needed")
      .meta(
        live(
          "BDAT (RFC 3030) where the next hop offers CHUNKING: for BINARYMIME, or for all mail with whole lines.",
        ),
      ),
    convert: z
      .enum(["always", "unless-signed", "never"])
      .default("unless-signed")
      .meta(
        live(
          "8-bit and binary parts for next hops that do not take them: encode them, return the message if that would break a signature, or send 8-bit as it is (RFC 6152 §3).",
        ),
      ),
    maxConvertSize: size(1024)
      .default(10 * MIB)
      .meta(live("Larger messages are returned instead of being converted.", { unit: "bytes" })),
    tlsRequiredNo: z
      .enum(["honour", "ignore"])
      .default("honour")
      .meta(live('Whether "TLS-Required: No" in a message lets it go where TLS fails (RFC 8689 §4.2.2).')),
    masqueradeDomain: domainName()
      .optional()
      .meta(
        live(
          "Replaces local domains in MAIL FROM and in the From field of mail that begins its way here, as it leaves for other hosts; what comes back goes there (decision 28).",
        ),
      ),
    destinations: z
      .array(destination)
      .default([])
      .meta(live("Next hops that are spoken to in their own way; the first whose `to` matches counts.")),
  })
  .refine((to) => !(to.mx && to.smartHost !== undefined), "smartHost and mx exclude each other")
  .refine(
    (to) => !to.directFirst || /^(?:smtps?:\/\/)?[^/]+$/.test(to.smartHost ?? ""),
    "directFirst needs a smartHost that speaks SMTP",
  )
  .refine((to) => to.auth === undefined || to.smartHost !== undefined, "auth needs a smartHost")
  .refine(
    (to) => to.auth === undefined || to.smartHost?.startsWith("lmtp:") !== true,
    "auth is not for LMTP",
  );

export type DestinationEntry = z.output<typeof destination>;
