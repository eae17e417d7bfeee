// Settings of the categorizer: where senders and recipients are looked up, and its bounds (REFERENCE 4.3).
import { z } from "zod";
import { ldapSchema } from "./ldap-schema.ts";
import { count, domainName, live } from "./values.ts";

export const categorizerSchema = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .optional()
      .meta(live("YAML file of aliases, users and lists, relative to this file; read with it.")),
    ldap: ldapSchema.optional().meta(live("LDAP directory; asked for what the file does not have.")),
    domains: z
      .array(domainName())
      .min(1)
      .optional()
      .meta(
        live('Domains whose addresses are all in the directory; "*.example.com" means subdomains.', {
          defaultText: "those of domains.local",
        }),
      ),
    unknown: z
      .enum(["pass", "fail"])
      .default("pass")
      .meta(live("Mail for an address of these domains that has no entry: it goes on, or fails with 5.1.1.")),
    maxDepth: count(1, 1000)
      .default(20)
      .meta(
        live("Lists in lists and forwards of forwards; deeper ones fail with 5.4.6.", { unit: "levels" }),
      ),
    maxRecipients: count(1, 1_000_000)
      .default(10_000)
      .meta(
        live("Addresses that one message may come to, lists included; beyond it fails with 5.5.3.", {
          unit: "addresses",
        }),
      ),
    batchSize: count(1, 10_000)
      .default(500)
      .meta(live("Addresses that are looked up at a time.", { unit: "addresses" })),
  })
  .optional()
  .meta(
    live(
      "Looks up sender and recipients of each message, expands lists and forwards, applies limits. Without it only sinks of OnCategorize do.",
    ),
  );
