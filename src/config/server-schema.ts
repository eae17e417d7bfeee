// Settings of one virtual server (REFERENCE 6.1, 6.2): who may send, what is accepted, where mail goes.
import { z } from "zod";
import { DEFAULT_KEYWORDS, KEYWORDS } from "../core/esmtp-keywords.ts";
import { signingSchema } from "./authentication-schema.ts";
import { categorizerSchema } from "./categorizer-schema.ts";
import { deliverySchema } from "./delivery-schema.ts";
import { domainsSchema, relaySchema } from "./domain-schema.ts";
import { protocolLog } from "./observe-schema.ts";
import { outboundSchema } from "./outbound-schema.ts";
import {
  count,
  domainName,
  isSameAddress,
  listenAddress,
  mailbox,
  milliseconds,
  minutes,
  network,
  size,
  live,
  restart,
} from "./values.ts";

const MIB = 1024 * 1024;

const limits = z.strictObject({
  maxMessageSize: size(1024)
    .default(32 * MIB)
    .meta(
      live("Largest message; announced as SIZE (RFC 1870 §3). Larger files are left in Pickup.", {
        unit: "bytes",
      }),
    ),
  maxRecipients: count(1)
    .default(100)
    .meta(live("Recipients of one message; further RCPT get 452.", { unit: "recipients" })),
  maxSessionSize: size(1024)
    .default(256 * MIB)
    .meta(
      live(
        "Message bytes of one connection; then it is closed. Not less than maxMessageSize, or the sender of a larger message tries again until it gives up.",
        { unit: "bytes" },
      ),
    ),
  maxConnections: count(1)
    .default(1000)
    .meta(live("Connections at a time; further ones get 421.", { unit: "connections" })),
  maxConnectionsPerAddress: count(0)
    .default(100)
    .meta(live("Connections at a time of one client address; 0 is no limit.", { unit: "connections" })),
  idleTimeoutMs: milliseconds(100)
    .default(600_000)
    .meta(live("Silence of a client before 451 and close.", { unit: "ms" })),
  maxHops: count(1, 1000)
    .default(30)
    .meta(
      live("Received fields of a message before it counts as a loop (RFC 5321 §6.3).", { unit: "fields" }),
    ),
  maxErrors: count(1)
    .default(20)
    .meta(live("Refused commands of one connection before it is closed.", { unit: "commands" })),
  maxCommandLength: count(512, 65_536)
    .default(4096)
    .meta(live("Longest command line, CRLF included (RFC 5321 §4.5.3.1.4).", { unit: "bytes" })),
  inlineBytes: size(4096, 64 * MIB)
    .default(MIB)
    .meta(live("Larger messages are written to disk while they arrive.", { unit: "bytes" })),
  maxJunkCommands: count(1)
    .default(100)
    .meta(
      live("EHLO, NOOP, RSET, VRFY and the like between messages; more count as errors.", {
        unit: "commands",
      }),
    ),
  sinkTimeoutMs: milliseconds(1)
    .default(30_000)
    .meta(
      live("How long a sink of a protocol event may keep a session waiting; then the command gets 451.", {
        unit: "ms",
      }),
    ),
  minDataRate: count(0)
    .default(0)
    .meta(live("Average speed that message data must reach; 0 is no limit.", { unit: "bytes/s" })),
  dataRateGraceMs: milliseconds()
    .default(60_000)
    .meta(live("Time before minDataRate is looked at.", { unit: "ms" })),
});

const tls = z.strictObject({
  certificate: z
    .string()
    .min(1)
    .meta(
      live(
        "PEM file of the certificate chain, relative to this file. The first one of a server, which switches STARTTLS on, takes effect at the next start.",
      ),
    ),
  key: z.string().min(1).meta(live("PEM file of the private key, relative to this file.")),
  implicit: z
    .array(listenAddress())
    .default([])
    .meta(restart("Those addresses of listen that speak TLS from the first byte (RFC 8314 §3).")),
  required: z
    .boolean()
    .default(false)
    .meta(live("Take mail inside TLS only: before STARTTLS, MAIL and AUTH get 530 (RFC 3207 §4).")),
});

const auth = z.strictObject({
  users: z
    .array(
      z.strictObject({
        name: z.string().min(1).meta(live("User name, exactly as the client sends it.")),
        passwordHash: z
          .string()
          .regex(
            /^scrypt\$\d+\$\d+\$\d+\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+$/,
            "must be what `onarrival password` prints",
          )
          .meta(live("What `onarrival password` prints.")),
      }),
    )
    .default([])
    .meta(live("Who may authenticate.")),
  accessTokens: z
    .strictObject({
      issuer: z.string().min(1).meta(live("`iss` of the tokens.")),
      audience: z.string().min(1).meta(live("What `aud` of the tokens has to hold.")),
      userClaim: z.string().min(1).default("email").meta(live("The claim that holds the user name.")),
      keysFile: z
        .string()
        .min(1)
        .meta(live("File with the provider's keys, a JWK set (RFC 7517 §5), relative to this file.")),
      clockSkewMs: milliseconds()
        .default(60_000)
        .meta(live("How far the provider's clock may be off.", { unit: "ms" })),
    })
    .optional()
    .meta(live("Access tokens (JWT) that AUTH XOAUTH2 takes in place of passwords.")),
  anonymous: z
    .boolean()
    .default(true)
    .meta(live("Take mail from clients that have not authenticated; otherwise MAIL gets 530 (RFC 4954 §6).")),
  mechanisms: z
    .array(z.enum(["PLAIN", "LOGIN", "XOAUTH2"]))
    .default(["PLAIN", "LOGIN", "XOAUTH2"])
    .meta(live("Those that may be offered; XOAUTH2 needs accessTokens, the others users.")),
  allowPlaintext: z
    .boolean()
    .default(false)
    .meta(live("Offer AUTH on connections without TLS (RFC 4954 §4 advises against it).")),
  maxFailures: count(1, 1000)
    .default(3)
    .meta(live("Failed AUTH attempts before the connection is closed.", { unit: "attempts" })),
  maxLineLength: count(512, 65_536)
    .default(12_288)
    .meta(
      live(
        "Longest line of an AUTH dialogue, CRLF included, when it is more than limits.maxCommandLength (RFC 4954 §4): access tokens are long. It also bounds what sinks ask for.",
        { unit: "bytes" },
      ),
    ),
  failureDelayMs: milliseconds()
    .default(1000)
    .meta(live("How long the reply to a failed attempt is held back.", { unit: "ms" })),
  lockout: z
    .strictObject({
      failures: count(0, 10_000)
        .default(20)
        .meta(
          live(
            "Failed attempts of one address (of IPv6: one /64) within `minutes` after which AUTH is refused to it with 454; 0 never locks.",
            { unit: "attempts" },
          ),
        ),
      minutes: count(1, 1440)
        .default(15)
        .meta(live("How long failed attempts count, and how long the lock lasts.", { unit: "minutes" })),
    })
    .prefault({}),
});

const folder = (name: string) =>
  z
    .string()
    .min(1)
    .optional()
    .meta(restart(`The folder ${name}.`, { defaultText: `\`${name}\` in the mailroot` }));

const folders = z.strictObject({
  pickup: folder("Pickup"),
  queue: folder("Queue"),
  drop: folder("Drop"),
  badmail: folder("Badmail"),
});

const pickup = z.strictObject({
  settleMs: milliseconds()
    .default(2000)
    .meta(
      live(
        "How long a file has to stay the same before it is taken out of Pickup; one that was moved in whole is not kept waiting.",
        { unit: "ms" },
      ),
    ),
});

const reports = z.strictObject({
  sendNdrTo: mailbox()
    .optional()
    .meta(live("Gets a copy of each report of non-delivery, at the address of a postmaster.")),
  sendBadTo: mailbox()
    .optional()
    .meta(live("Is told of each message that goes to Badmail, with the message.")),
});

const retry = z.strictObject({
  glitchRetries: count(0, 100)
    .default(3)
    .meta(live("Quick retries before the intervals start.", { unit: "attempts" })),
  glitchIntervalMs: milliseconds(1)
    .default(60_000)
    .meta(live("Between quick retries.", { unit: "ms" })),
  intervalsMinutes: z
    .array(minutes())
    .min(1)
    .default([15, 30, 60, 240])
    .meta(live("Between further attempts; the last one repeats.", { unit: "minutes" })),
  jitterPercent: count(0, 100)
    .default(10)
    .meta(live("By how much each wait is made shorter or longer at random.", { unit: "percent" })),
  delayNoticeMinutes: minutes()
    .default(720)
    .meta(live("Age at which the sender is told of the delay (RFC 3461 §4.1).", { unit: "minutes" })),
  expireMinutes: minutes()
    .default(2880)
    .meta(live("Age at which a message to a remote domain is returned.", { unit: "minutes" })),
  localDelayNoticeMinutes: minutes()
    .default(720)
    .meta(live("The same as delayNoticeMinutes, for local and held messages.", { unit: "minutes" })),
  localExpireMinutes: minutes()
    .default(2880)
    .meta(live("The same as expireMinutes, for local and held messages.", { unit: "minutes" })),
  clockGraceMinutes: minutes()
    .default(60)
    .meta(live("How long a clock that was set forward makes no waiting message older.", { unit: "minutes" })),
});

export const virtualServerSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(64)
      .default("default")
      .meta(restart("Name in commands, in the log and in the `server` of bindings.")),
    folders: folders
      .prefault({})
      .meta(restart("Folders that lie elsewhere than in the mailroot, relative to this file.")),
    autoStart: z
      .boolean()
      .default(true)
      .meta(
        restart(
          "Whether it starts with the service, or when `onarrival server start` says so (ServerAutoStart).",
        ),
      ),
    mailroot: z
      .string()
      .min(1)
      .optional()
      .meta(
        restart("Folder of its Pickup, Queue, Drop and Badmail, relative to this file.", {
          defaultText:
            "the mailroot of the service for the first virtual server, `NAME` in it for each other",
        }),
      ),
    listen: z
      .array(listenAddress())
      .min(1)
      .default(["127.0.0.1:2525"])
      .meta(restart("Addresses to accept mail on, as HOST:PORT; port 0 takes a free one.")),
    hostName: domainName()
      .optional()
      .meta(live("Our name in the greeting, EHLO and Received.", { defaultText: "the computer's name" })),
    protocol: z
      .enum(["smtp", "lmtp"])
      .default("smtp")
      .meta(live("SMTP, or LMTP (RFC 2033): LHLO, and a reply for each recipient at the end of data.")),
    keywords: z
      .array(z.enum(KEYWORDS))
      .default([...DEFAULT_KEYWORDS])
      .meta(
        live(
          "Extensions that are offered and served; what is not listed is refused (SmtpInboundCommandSupportOptions).",
        ),
      ),
    greetDelayMs: milliseconds()
      .default(0)
      .meta(live("Wait before the greeting; a client that talks earlier is refused.", { unit: "ms" })),
    bareLineEndings: z
      .enum(["reject", "allow"])
      .default("reject")
      .meta(
        live("A CR or LF alone in message data: refuse the message, or take it as data (RFC 5321 §2.3.8)."),
      ),
    reverseLookup: z.boolean().default(false).meta(live("Look up the client's name for the Received field.")),
    domains: domainsSchema.prefault({}).meta(live("Which domains are ours, and the ways of others.")),
    relay: relaySchema.prefault({}).meta(live("Who may send to remote domains.")),
    reports: reports.prefault({}).meta(live("Who hears of mail that could not be delivered.")),
    trust: z
      .strictObject({
        proxy: z
          .array(network())
          .default([])
          .meta(
            live("Balancers that begin each connection with a PROXY header, version 1 or 2; it is required."),
          ),
        xclient: z
          .array(network())
          .default([])
          .meta(live("Proxies that may give XCLIENT: what they say of the client counts.")),
        xforward: z
          .array(network())
          .default([])
          .meta(live("Proxies that may give XFORWARD: what they say of the client is recorded.")),
      })
      .prefault({})
      .meta(live("Programs in front of this service.")),
    categorizer: categorizerSchema,
    delivery: deliverySchema
      .prefault({})
      .meta(live("Where remote mail goes; neither smartHost nor mx: everything goes to Drop.")),
    pickup: pickup.prefault({}).meta(live("When files of Pickup are taken.")),
    limits: limits.prefault({}).meta(live("Bounds of what is accepted.")),
    tls: tls.optional().meta(restart("Certificate; with it STARTTLS is offered (RFC 3207 §4).")),
    auth: auth.prefault({}).meta(live("Who may authenticate (RFC 4954 §4).")),
    signing: signingSchema,
    outbound: outboundSchema.prefault({}).meta(live("Connections to next hops.")),
    retry: retry.prefault({}).meta(live("When undelivered mail is tried again, reported and given up.")),
    protocolLog: protocolLog
      .prefault({})
      .meta(restart("What is said with clients and next hops, line by line.")),
  })
  .superRefine((server, context) => {
    for (const [index, address] of server.listen.entries()) {
      if (!server.listen.slice(0, index).some((other) => isSameAddress(address, other))) continue;
      context.addIssue({ code: "custom", path: ["listen", index], message: "is taken by one before it" });
    }
    for (const [index, address] of (server.tls?.implicit ?? []).entries()) {
      if (server.listen.includes(address)) continue;
      context.addIssue({
        code: "custom",
        path: ["tls", "implicit", index],
        message: "is not one of the addresses of listen",
      });
    }
  });
