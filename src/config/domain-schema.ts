// Settings of domains: which are ours, which of others have a way of their own, and who may send where (REFERENCE 6.5).
import { z } from "zod";
import { smartHostAuth, startTls } from "./delivery-schema.ts";
import { count, domainName, hostAddress, live, network } from "./values.ts";

const AS_DELIVERY = { defaultText: "as delivery says" };

const remoteDomain = z
  .strictObject({
    name: domainName().meta(
      live('The domain; "*.example.com" means its subdomains. The most special name counts.'),
    ),
    relay: z
      .boolean()
      .default(false)
      .meta(live("Everybody may send to it, without the right to relay: a backup for mail of others.")),
    smartHost: hostAddress()
      .optional()
      .meta(live("The host that its mail goes to, written as delivery.smartHost.", AS_DELIVERY)),
    mx: z
      .boolean()
      .default(false)
      .meta(live("Its mail goes to its mail exchangers, although delivery names a smart host.")),
    port: count(1, 65_535)
      .optional()
      .meta(live("Port of the next hop where the address names none.", { ...AS_DELIVERY, unit: "port" })),
    startTls: startTls().optional().meta(live("STARTTLS towards the next hop.", AS_DELIVERY)),
    auth: smartHostAuth.optional().meta(live("AUTH at the smart host of this domain.")),
    etrn: z
      .boolean()
      .default(false)
      .meta(
        live(
          "Its mail waits until its server asks for it by ETRN (RFC 1985); keywords has to list ETRN. `onarrival queue retry` sends it as well.",
        ),
      ),
  })
  .refine((domain) => !(domain.mx && domain.smartHost !== undefined), "smartHost and mx exclude each other")
  .refine(
    (domain) => domain.auth === undefined || domain.smartHost !== undefined,
    "auth needs a smartHost of the domain",
  )
  .refine(
    (domain) => domain.auth === undefined || domain.smartHost?.startsWith("lmtp:") !== true,
    "auth is not for LMTP",
  );

export const domainsSchema = z
  .strictObject({
    local: z
      .array(domainName())
      .min(1)
      .default(["localhost"])
      .meta(live("Domains delivered here; the first completes bare names.")),
    alias: z
      .array(domainName())
      .default([])
      .meta(live("Further names of the local domains: their mail is delivered here as well.")),
    default: domainName()
      .optional()
      .meta(
        live("The local domain that completes addresses without one, at MAIL, RCPT and in Pickup.", {
          defaultText: "the first of local",
        }),
      ),
    remote: z
      .array(remoteDomain)
      .default([])
      .meta(live("Domains of others with a way of their own; what they leave out is as delivery says.")),
    etrn: z
      .array(domainName())
      .default([])
      .meta(
        live(
          "Further domains whose waiting mail a client may start by ETRN (RFC 1985); keywords has to list ETRN.",
        ),
      ),
  })
  .superRefine(({ local, alias, default: first, remote }, context) => {
    const ours = new Set([...local, ...alias, first]);
    const seen = new Set<string>();
    for (const [index, { name }] of remote.entries()) {
      const twice = seen.has(name) ? "is the name of an earlier remote domain" : undefined;
      const message = ours.has(name) ? "is a local domain" : twice;
      if (message !== undefined)
        context.addIssue({ code: "custom", path: ["remote", index, "name"], message });
      seen.add(name);
    }
  });

export type RemoteDomain = z.output<typeof remoteDomain>;

export const relaySchema = z.strictObject({
  networks: z
    .array(network())
    .default(["127.0.0.0/8", "::1/128"])
    .meta(live("Clients that may send to remote domains, or with `mode: except` may not.")),
  mode: z
    .enum(["only", "except"])
    .default("only")
    .meta(
      live(
        "only: clients of networks may send to remote domains. except: all others may, which is an open relay unless networks names the Internet.",
      ),
    ),
  authenticated: z.boolean().default(true).meta(live("So may clients that have authenticated.")),
});
