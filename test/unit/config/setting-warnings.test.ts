import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { settingWarnings } from "../../../src/config/setting-warnings.ts";
import { tempFolder } from "../../support/temp-folder.ts";

async function warningsOf(text: string): Promise<string[]> {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "onarrival.yaml");
  await writeFile(file, text);
  return settingWarnings(await loadConfig(file));
}

const USER = `users: [{ name: ann, passwordHash: "scrypt$1$1$1$YQ==$YQ==" }]`;
const TLS = "certificate: a.pem, key: a.key";
const NO_AUTH = "keywords: [SIZE, STARTTLS]";
const NO_TLS = "keywords: [SIZE, AUTH]";

test.each([
  [
    "a domain that fetches its mail, without ETRN",
    "domains: { remote: [{ name: a.example }, { name: b.example, mx: true, etrn: true }] }",
    [
      "1:77 domains.remote[1].etrn: keywords does not list ETRN, so the command is refused: mail of the domain leaves by `onarrival queue retry` only",
    ],
  ],
  [
    "a domain whose mail has no way out to be fetched on",
    "keywords: [ETRN]\ndomains: { remote: [{ name: a.example, smartHost: h, etrn: true }, { name: b.example, etrn: true }] }",
    [
      "2:93 domains.remote[1].etrn: mail of the domain goes to Drop at once, as delivery names no other way: give the domain mx or smartHost, or set delivery.mx or delivery.smartHost",
    ],
  ],
  [
    "a domain that fetches its mail on the way of all others",
    "keywords: [ETRN]\ndelivery: { smartHost: h }\ndomains: { remote: [{ name: b.example, etrn: true }] }",
    [],
  ],
  [
    "ETRN without domains",
    "keywords: [SIZE, ETRN]",
    [
      "1:18 keywords[1]: ETRN is listed, and no domain may ask by it: name them in domains.etrn, or give those of domains.remote `etrn: true`",
    ],
  ],
  [
    "messages that are larger than their session may be",
    "limits: { maxMessageSize: 500MiB }",
    [
      "1:27 limits.maxMessageSize: limits.maxSessionSize is less (268435456 bytes): a message between the two ends its connection with 421, and its sender tries again and again",
    ],
  ],
  ["messages that are as large as their session", "limits: { maxMessageSize: 9MB, maxSessionSize: 9MB }", []],
  [
    "sessions that are smaller than the default size of messages",
    "limits: { maxSessionSize: 1MiB }",
    [
      "1:1 limits.maxMessageSize: limits.maxSessionSize is less (1048576 bytes): a message between the two ends its connection with 421, and its sender tries again and again",
    ],
  ],
  ["ETRN with a domain", "keywords: [SIZE, ETRN]\ndomains: { etrn: [a.example] }", []],
  [
    "ETRN with sinks that know the domains",
    "keywords: [ETRN]\nbindings: [{ event: GetAuxDomainInfoFlags, sinkClass: ./flags.ts }]",
    [],
  ],
  [
    "users without AUTH",
    `${NO_AUTH}\nauth: { ${USER}, anonymous: false }`,
    [
      "2:9 auth.users: keywords does not list AUTH, so nobody can authenticate, and auth.anonymous is false: no mail is taken",
    ],
  ],
  [
    "users without TLS",
    `auth: { ${USER} }`,
    ["1:9 auth.users: AUTH is offered inside TLS only, and there is none: set tls, or auth.allowPlaintext"],
  ],
  ["users without TLS who may do so", `auth: { ${USER}, allowPlaintext: true }`, []],
  ["users with TLS", `auth: { ${USER} }\ntls: { ${TLS} }`, []],
  [
    "users only, of whom there are none",
    "auth: { anonymous: false }",
    [
      "1:20 auth.anonymous: mail is taken from users only, and neither auth.users nor auth.accessTokens names any",
    ],
  ],
  [
    "a certificate without STARTTLS",
    `${NO_TLS}\ntls: { ${TLS} }`,
    [
      "2:1 tls: keywords does not list STARTTLS, and no address of listen is in tls.implicit: there is no TLS",
    ],
  ],
  [
    "TLS required without STARTTLS",
    `${NO_TLS}\ntls: { ${TLS}, required: true }`,
    ["2:50 tls.required: keywords does not list STARTTLS, so at 127.0.0.1:2525 no mail is taken"],
  ],
  [
    "TLS from the first byte only",
    `${NO_TLS}\ntls: { ${TLS}, required: true, implicit: ["127.0.0.1:2525"] }\nauth: { ${USER} }`,
    [],
  ],
  [
    "binary content without chunks, in and out",
    "keywords: [BINARYMIME]\noutbound: { keywords: [SIZE, BINARYMIME] }",
    [
      "1:12 keywords[0]: BINARYMIME has no effect without CHUNKING",
      "2:30 outbound.keywords[1]: BINARYMIME has no effect without CHUNKING",
    ],
  ],
  [
    "chunks for all mail, that may not go out",
    'outbound: { keywords: [SIZE] }\ndelivery: { chunking: always, destinations: [{ to: "*", chunking: always }] }',
    [
      "2:23 delivery.chunking: outbound.keywords does not list CHUNKING, so no mail goes in chunks",
      "2:67 delivery.destinations[0].chunking: outbound.keywords does not list CHUNKING, so no mail goes in chunks",
    ],
  ],
  [
    "entries of the destinations for domains whose mail goes elsewhere",
    "delivery: { smartHost: 'smtps://Hub.example', destinations: [{ to: bank.example, tls: required }, { to: hub.example }, { to: 'hub.example:465' }, { to: own.example }, { to: a.mx.example }] }\ndomains: { remote: [{ name: own.example, smartHost: other }, { name: '*.mx.example', mx: true }, { name: plain.example }] }",
    [
      "1:68 delivery.destinations[0].to: no mail goes to bank.example itself, so the entry counts for none: name the smart host, or give the domain mx or smartHost in domains.remote",
    ],
  ],
  [
    "entries for domains that are looked up",
    "delivery: { mx: true, destinations: [{ to: bank.example, tls: required }] }",
    [],
  ],
  [
    "entries for domains that routers may send to",
    "delivery: { smartHost: h, destinations: [{ to: bank.example, tls: required }] }\nbindings: [{ event: OnGetMessageRouter, sinkClass: ./router.ts }]",
    [],
  ],
  [
    "entries for domains that routers which are switched off may send to",
    "delivery: { smartHost: h, destinations: [{ to: bank.example }] }\nbindings: [{ event: OnGetMessageRouter, sinkClass: ./router.ts, enabled: false }]",
    [
      "1:48 delivery.destinations[0].to: no mail goes to bank.example itself, so the entry counts for none: name the smart host, or give the domain mx or smartHost in domains.remote",
    ],
  ],
  [
    "what several virtual servers inherit, once",
    `keywords: [SIZE, ETRN]\nvirtualServers: [{ name: a }, { name: b, listen: ["127.0.0.1:1"], domains: { etrn: [b.example] } }, { name: c, listen: ["127.0.0.1:2"] }]`,
    [
      "1:18 keywords[1]: ETRN is listed, and no domain may ask by it: name them in domains.etrn, or give those of domains.remote `etrn: true`",
    ],
  ],
  ["the defaults", "# nothing", []],
])("%s", async (_name, text, told) => {
  expect(await warningsOf(text)).toEqual(told.map((problem) => `onarrival.yaml:${problem}`));
});
