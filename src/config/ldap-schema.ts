// Settings of the LDAP directory of the categorizer: servers, trust, what is searched and what its attributes mean (RFC 4511).
import { z } from "zod";
import { count, live, milliseconds, size, trustedAuthorities } from "./values.ts";

const MIB = 1024 * 1024;

const isServerUrl = (text: string): boolean =>
  /^ldaps?:\/\/(?:\[[0-9a-f:.]+\]|[^\s:/?#[\]@]+)(?::\d{1,5})?\/?$/i.test(text) && URL.canParse(text);

const ASSERTION = /^[a-z][\w.-]*\s*=.*%[au]/i;

/** RFC 4515 §3: brackets that pair, and in each innermost pair an attribute, a comparison and a value. */
export function isFilter(text: string): boolean {
  const end = endOfFilter(text, 0);
  return end === text.length;
}

const COMPARISON = /^\((?:[a-z][\w.;-]*)?(?:=|~=|>=|<=|:[\w.:-]*=)(?:[^()\\*]|\*|\\[0-9a-f]{2})*\)/i;
const MAX_NESTING = 50;

/** The place behind the filter that begins at `at`; -1 when none does. */
function endOfFilter(text: string, at: number, depth = 0): number {
  if (depth > MAX_NESTING) return -1;
  const operator = text.charAt(at + 1);
  if (!"&|!".includes(operator) || operator === "") {
    const [whole] = COMPARISON.exec(text.slice(at)) ?? [];
    return whole === undefined ? -1 : at + whole.length;
  }
  let next = at + 2;
  let parts = 0;
  while (text.charAt(next) === "(") {
    next = endOfFilter(text, next, depth + 1);
    if (next < 0) return -1;
    parts += 1;
  }
  const isEnough = operator === "!" ? parts === 1 : parts > 0;
  return text.charAt(at) === "(" && isEnough && text.charAt(next) === ")" ? next + 1 : -1;
}

const attribute = z.string().regex(/^[a-z][\w.-]*$/i, 'must be the name of an attribute, as "mail"');

const names = (defaults: readonly string[], description: string) =>
  z
    .array(attribute)
    .default([...defaults])
    .meta(live(description));

const attributes = z.strictObject({
  address: names(
    ["proxyAddresses", "mail", "mailLocalAddress", "mailAlternateAddress"],
    'The mail addresses of an entry, in this order; a value "SMTP:…" is the primary one, else the first.',
  ),
  displayName: names(["displayName", "cn"], "The name of people and groups."),
  externalAddress: names(["targetAddress"], "Where the mail of a contact really goes."),
  forwardTo: names(
    ["altRecipient", "mailRoutingAddress", "mailForwardingAddress"],
    "Where mail goes instead: DNs or addresses.",
  ),
  deliverAndForward: names(["deliverAndRedirect"], "TRUE: with a forward, deliver here as well."),
  member: names(
    ["member", "uniqueMember", "rfc822MailMember", "mgrpRFC822MailMember"],
    "Members of a group: DNs, addresses or bare names; all of these attributes count.",
  ),
  owner: names(["managedBy", "owner"], "Who answers for a group."),
  reportToOwner: names(["reportToOwner"], "TRUE: reports on members go to the owner."),
  reportToSender: names(["reportToOriginator"], "FALSE: the sender gets no reports on members."),
  maxIncoming: names(["delivContLength"], "Largest message that an entry gets, in `sizeUnit`."),
  maxOutgoing: names(["submissionContLength"], "Largest message that an entry sends, in `sizeUnit`."),
  maxRecipients: names(["msExchRecipLimit"], "Recipients of one message of that sender."),
  acceptOnlyFrom: names(["authOrig"], "Only these senders may send to the entry: DNs or addresses."),
  acceptOnlyFromMembers: names(["dLMemSubmitPerms"], "… or the members of these groups."),
  rejectFrom: names(["unauthOrig"], "These senders may not."),
  rejectFromMembers: names(["dLMemRejectPerms"], "… nor the members of these groups."),
  requireAuthentication: names(["msExchRequireAuthToSendTo"], "TRUE: only from who has authenticated."),
});

const tls = z.strictObject({
  startTls: z
    .enum(["required", "never"])
    .default("required")
    .meta(live("On ldap://: StartTLS before anything else (RFC 4511 §4.14), or everything in clear.")),
  ...trustedAuthorities,
  name: z
    .string()
    .min(1)
    .optional()
    .meta(live("Name that the servers' certificates must carry.", { defaultText: "that of the server" })),
  minVersion: z.enum(["TLSv1.2", "TLSv1.3"]).default("TLSv1.2").meta(live("Oldest version of TLS to take.")),
});

const bind = z
  .strictObject({
    dn: z
      .string()
      .min(1)
      .meta(live("Who we are: a DN, in Active Directory also user@domain. It needs to read only.")),
    password: z.string().min(1).optional().meta(live("The password. Prefer passwordFile.")),
    passwordFile: z
      .string()
      .min(1)
      .optional()
      .meta(live("File whose first line is the password, relative to this file.")),
    passwordVariable: z
      .string()
      .regex(/^\w+$/, "must be the name of a variable")
      .optional()
      .meta(live("Environment variable that holds the password.")),
    allowInClear: z
      .boolean()
      .default(false)
      .meta(live("Send the password without TLS as well (ldap:// with startTls: never).")),
  })
  .refine(
    (by) =>
      [by.password, by.passwordFile, by.passwordVariable].filter((secret) => secret !== undefined).length ===
      1,
    "needs one of password, passwordFile and passwordVariable",
  );

const timeouts = z.strictObject({
  connectMs: milliseconds(1)
    .default(5000)
    .meta(live("Until the connection stands, TLS included.", { unit: "ms" })),
  bindMs: milliseconds(1)
    .default(5000)
    .meta(live("Until the answer to the bind.", { unit: "ms" })),
  searchMs: milliseconds(1)
    .default(10_000)
    .meta(live("Until a search has its last answer.", { unit: "ms" })),
});

const retry = z.strictObject({
  minMs: milliseconds(1)
    .default(1000)
    .meta(
      live("Pause after the first failure of a server; it doubles with each further one.", { unit: "ms" }),
    ),
  maxMs: milliseconds(1)
    .default(60_000)
    .meta(live("Longest pause.", { unit: "ms" })),
  refusedMs: milliseconds(1)
    .default(300_000)
    .meta(live("Pause of all servers after wrong credentials: directories lock accounts.", { unit: "ms" })),
});

const cache = z.strictObject({
  foundMs: milliseconds()
    .default(300_000)
    .meta(live("How long an entry is kept; 0 keeps none.", { unit: "ms" })),
  unknownMs: milliseconds()
    .default(60_000)
    .meta(live("How long it is kept that there is none.", { unit: "ms" })),
  maxEntries: count(0)
    .default(10_000)
    .meta(live("Answers that are kept at most; the longest unused go first.", { unit: "answers" })),
});

// What zod infers is long, and naming it would say nothing.
export const ldapSchema = z
  .strictObject({
    servers: z
      .array(z.string().refine(isServerUrl, 'must be "ldaps://HOST", "ldap://HOST" or one with :PORT'))
      .min(1)
      .max(20)
      .meta(live("Servers of the directory in the order in which they are tried.")),
    tls: tls.prefault({}).meta(live("How the way to them is kept safe.")),
    bind: bind.optional().meta(live("Simple bind (RFC 4513 §5.1.3).", { defaultText: "anonymous" })),
    base: z
      .string()
      .meta(live('Entries are searched below this one, as "dc=example,dc=com"; "" for all of the server.')),
    filter: z
      .string()
      .refine(isFilter, 'must be a filter of RFC 4515, as "(objectClass=person)"')
      .optional()
      .meta(live("What entries have to match as well.", { defaultText: "every entry counts" })),
    addresses: z
      .array(z.string().regex(ASSERTION, 'must be an attribute and how it holds an address, as "mail=%a"'))
      .min(1)
      .max(20)
      .default(["mail=%a", "proxyAddresses=smtp:%a", "mailLocalAddress=%a", "mailAlternateAddress=%a"])
      .meta(
        live(
          "How an address is looked for: %a is the address, %u its local part, %d its domain. The server should have an index of each of these attributes that it knows.",
        ),
      ),
    attributes: attributes.prefault({}).meta(live("Where entries hold what; of several the first counts.")),
    groupClasses: z
      .array(attribute)
      .default(["group", "groupOfNames", "groupOfUniqueNames", "groupOfMembers", "nisMailAlias", "mailGroup"])
      .meta(live("Object classes of groups.")),
    contactClasses: z
      .array(attribute)
      .default(["contact"])
      .meta(live("Object classes of contacts; everything else is a user.")),
    sizeUnit: count(1)
      .default(1024)
      .meta(live("What one stands for in maxIncoming and maxOutgoing.", { unit: "bytes" })),
    dnAttribute: attribute.optional().meta(
      live("The attribute that holds an entry's own DN.", {
        defaultText: "distinguishedName in Active Directory, else entryDN (RFC 5020)",
      }),
    ),
    foreignDomains: z
      .enum(["skip", "ask"])
      .default("skip")
      .meta(
        live(
          "Addresses of other domains go on unasked, or are searched too, for contacts whose address is in the directory.",
        ),
      ),
    ambiguous: z
      .enum(["wait", "fail"])
      .default("wait")
      .meta(live("Mail for an address that several entries claim: it waits, or it fails.")),
    batchSize: count(1, 1000)
      .default(50)
      .meta(live("Addresses of one search.", { unit: "addresses" })),
    pageSize: count(1, 10_000)
      .default(500)
      .meta(
        live(
          "Entries of one page of an answer, where batchSize is larger (RFC 2696). Servers have limits of their own: OpenLDAP 500, Active Directory 1000.",
          { unit: "entries" },
        ),
      ),
    maxSearches: count(1, 1000)
      .default(8)
      .meta(live("Searches under way at a time.", { unit: "searches" })),
    maxAnswerSize: size(64 * 1024)
      .default(16 * MIB)
      .meta(live("A longer answer ends the connection.", { unit: "bytes" })),
    timeouts: timeouts.prefault({}).meta(live("How long servers may take.")),
    idleMs: milliseconds(1)
      .default(60_000)
      .meta(live("How long an unused connection is kept.", { unit: "ms" })),
    retry: retry.prefault({}).meta(live("When a server that failed is tried again.")),
    cache: cache.prefault({}).meta(live("Answers that are kept.")),
  })
  .superRefine((ldap, context) => {
    const isClear = ldap.tls.startTls === "never" && ldap.servers.some((url) => /^ldap:/i.test(url));
    if (!isClear || ldap.bind === undefined || ldap.bind.allowInClear) return;
    context.addIssue({
      code: "custom",
      path: ["bind"],
      message: "would send the password in clear: use ldaps://, StartTLS or allowInClear",
    });
  });

export type LdapEntrySettings = z.output<typeof ldapSchema>;
