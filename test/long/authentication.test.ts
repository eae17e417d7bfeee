// Signing and verification by real services that ask a DNS server of the test.
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSigner } from "../../src/authentication/signer.ts";
import { createSigningKey } from "../../src/authentication/signing-key.ts";
import { SIGNED_FIELDS } from "../../src/authentication/canonical-header.ts";
import { Lookup } from "../../src/authentication/lookup.ts";
import { type Verification, loadVerifier } from "../../src/authentication/verification.ts";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { Content } from "../../src/message/content.ts";
import { expect, test } from "vitest";
import { type CapturedMessage, startCaptureServer } from "../support/capture-server.ts";
import { type Zone, startDnsServer, zoneResolver } from "../support/dns-zone.ts";
import { eventually } from "../support/eventually.ts";
import { serviceConfig } from "../support/service-config.ts";
import { Service, startService } from "../support/service.ts";
import { rsaKey } from "../support/signing-keys.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";

const key = rsaKey();
const ZONE: Zone = {
  "one._domainkey.example.com": { TXT: [key.record] },
  "one._domainkey.example.net": { TXT: [key.record] },
  "example.com": { TXT: ["v=spf1 ip4:192.0.2.1 -all"] },
  "_dmarc.example.com": { TXT: ["v=DMARC1; p=reject"] },
};

const SIGNING = [{ domain: "example.com", subdomains: true, selector: "one", keyFile: "dkim.pem" }];

async function serviceWithKey(
  config: Record<string, unknown>,
  scripts: Record<string, string> = {},
): Promise<Service> {
  const service = new Service(await tempFolder("signing"), { config, scripts });
  await service.prepare();
  await writeFile(join(service.folder, "dkim.pem"), key.pem, { mode: 0o600 });
  await service.start();
  return service;
}

const signingService = (smartHostPort: number, scripts: Record<string, string> = {}): Promise<Service> =>
  serviceWithKey(
    serviceConfig({
      smartHostPort,
      server: { hostName: "mail.example.com", signing: SIGNING, retry: { glitchIntervalMs: 100 } },
    }),
    scripts,
  );

async function verified(content: Buffer, zone: Zone = ZONE): Promise<Verification> {
  const lookup = new Lookup(zoneResolver(zone).resolve, { cacheMs: 0, maxEntries: 10 }, systemClock);
  const verify = await loadVerifier(lookup, systemClock);
  const conversation = { authservId: "test", clientAddress: "127.0.0.1", heloDomain: "x.test", sender: "" };
  return verify(Content.fromBuffer(content), conversation, 5000);
}

const subjectOf = ({ content }: CapturedMessage): string =>
  /^Subject: (.*)\r$/m.exec(content.toString("latin1"))?.[1] ?? "";

test("what one service edits and signs, the next one verifies and seals; forged results go, spoofed mail ends in Badmail", async () => {
  await using dns = await startDnsServer(ZONE);
  await using next = await startCaptureServer();
  await using border = await serviceWithKey(
    serviceConfig({
      smartHostPort: next.port,
      server: {
        hostName: "mx.example.net",
        signing: [{ ...SIGNING[0], domain: "example.net", arc: true }],
      },
      bindings: [
        {
          displayName: "Authenticate",
          event: "OnTransportSubmission",
          sinkClass: "OnArrival.Authenticate",
          sinkProperties: { onDmarcReject: "badmail" },
        },
      ],
      file: { dns: { servers: [dns.address] } },
    }),
    {
      "tell.js": `export default function onArrival(msg) {
        const found = msg.Fields("urn:schemas:mailheader:authentication-results").Value;
        msg.Fields("urn:schemas:mailheader:x-seen").Value = /dkim=pass/.test(found) ? "signed" : "unsigned";
        msg.Fields.Update(); msg.DataSource.Save();
      }`,
    },
  );
  await using signing = await signingService(border.port, {
    "edit.js": `export default function onArrival(msg) {
      msg.Subject = "edited: " + msg.Subject; msg.DataSource.Save();
    }`,
  });
  const forged = ["Authentication-Results: mx.example.net; dmarc=pass"];
  await send(signing.port, { data: plainMessage("hello", "Hello.", forged) });
  const [message] = await next.received(1);
  const text = message?.content.toString("latin1") ?? "";
  expect(text).toContain("Subject: edited: hello");
  expect(text).toContain("x-seen: signed");
  const results = text.match(/^Authentication-Results:(?:.*\r\n[ \t])*.*/gim) ?? [];
  expect(results).toHaveLength(1);
  expect(results[0]?.replaceAll(/\s+/g, " ")).toMatch(
    /mx\.example\.net; spf=fail .*dkim=pass header\.d=example\.com header\.s=one .*dmarc=pass/,
  );
  expect(dns.asked).toContain("TXT one._domainkey.example.com");
  const found = await verified(message?.content ?? Buffer.alloc(0));
  expect([found.dkim, found.arc, found.vouchedBy]).toEqual(["pass", "pass", "example.net"]);

  await send(border.port, { data: plainMessage("spoofed") });
  await eventually(
    async () => (await border.badmail()).some(({ content }) => content.includes("Subject: spoofed")),
    { what: "the spoofed message in Badmail" },
  );
  expect(next.messages).toHaveLength(1);
});

test("the signature covers what leaves: converted for a 7-bit host, on reports, and with a key that was replaced", async () => {
  await using next = await startCaptureServer({ extensions: ["SIZE 100000000"] });
  next.script.rcpt = (address) => (address.startsWith("nobody") ? "550 5.1.1 no such user" : undefined);
  await using service = await signingService(next.port);
  const mime = ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"];
  await send(service.port, {
    data: plainMessage("eight bits", "Gr\u00c3\u00bc\u00c3\u009fe ".repeat(30), mime),
    mailParameters: "BODY=8BITMIME",
  });
  const [converted] = await next.received(1);
  expect(converted?.content.every((byte) => byte < 0x80)).toBe(true);
  expect((await verified(converted?.content ?? Buffer.alloc(0))).dkim).toBe("pass");

  await send(service.port, { data: plainMessage("refused"), to: "nobody@example.org" });
  const report = (await next.received(2)).find(({ from }) => from === "");
  expect(report?.to).toEqual(["sender@example.com"]);
  expect((await verified(report?.content ?? Buffer.alloc(0))).dkim).toBe("pass");

  const renewed = rsaKey();
  await writeFile(join(service.folder, "dkim.pem"), renewed.pem);
  await service.kill("SIGHUP");
  await service.logged(/configuration reloaded/);
  await send(service.port, { data: plainMessage("renewed") });
  const last = (await next.received(3)).find((message) => subjectOf(message) === "renewed");
  const zone = { ...ZONE, "one._domainkey.example.com": { TXT: [renewed.record] } };
  expect((await verified(last?.content ?? Buffer.alloc(0), zone)).dkim).toBe("pass");

  await chmod(join(service.folder, "dkim.pem"), 0o644);
  await service.kill("SIGHUP");
  await service.logged(/SIGNING_KEY_UNUSABLE.*reload refused/);
  const check = await service.command("check", "--config", service.configFile);
  expect(check.code).not.toBe(0);
  expect(check.stdout + check.stderr).toContain("everybody may use it (mode 644)");
});

test("signed mail passes untouched, past a sink that reads it, and past one that adds a field (M27)", async () => {
  await using next = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: next.port }),
    scripts: {
      "read.js": `export const binding = { rule: "RCPT TO=read@*" };
        export default function onArrival(msg) { console.log(msg.Subject, msg.TextBody.length, msg.Attachments.Count); }`,
      "add.js": `export const binding = { rule: "RCPT TO=add@*" };
        export default function onArrival(msg) {
          msg.Fields("urn:schemas:mailheader:x-added").Value = "yes"; msg.Fields.Update(); msg.DataSource.Save();
        }`,
      "subject.js": `export const binding = { rule: "RCPT TO=subject@*" };
        export default function onArrival(msg) { msg.Subject = "changed"; msg.DataSource.Save(); }`,
    },
  });
  const multipart = [
    "From: a@example.com",
    "Subject:  odd   folding,",
    "\there ",
    "MIME-Version: 1.0",
    'Content-Type: multipart/signed; micalg="sha-256"; protocol="application/x"; boundary="b"',
    "",
    "--b",
    "Content-Type: text/plain",
    "",
    "trailing blanks  \t",
    "--b",
    "Content-Type: application/x",
    "",
    "sig",
    "--b--",
    "",
  ].join("\r\n");
  const sign = createSigner(
    new Map([
      [
        "s",
        {
          isOurClient: () => false,
          entries: [
            {
              domain: "example.com",
              subdomains: false,
              selector: "one",
              key: createSigningKey(key.pem, "test key"),
              headerForm: "simple",
              bodyForm: "simple",
              fields: SIGNED_FIELDS,
              arc: false,
              drop: false,
            },
          ],
        },
      ],
    ]),
    systemClock,
    silentLogger,
  );
  const origin = { via: "pickup", arrivalTime: 0, server: "s" } as const;
  const content = Content.fromBuffer(Buffer.from(multipart));
  const signed = await (await sign({ id: "x", content, origin }, "out")).toBuffer();
  for (const name of ["plain", "read", "add", "subject"]) {
    // oxlint-disable-next-line no-await-in-loop
    await send(service.port, { data: signed.toString("latin1"), to: `${name}@example.org` });
  }
  const results = new Map(
    await Promise.all(
      (await next.received(4)).map(async (message) => {
        const { dkim } = await verified(message.content);
        return [message.to[0] ?? "", dkim] as const;
      }),
    ),
  );
  expect(Object.fromEntries(results)).toEqual({
    "plain@example.org": "pass",
    "read@example.org": "pass",
    "add@example.org": "pass",
    "subject@example.org": "fail",
  });
  const added = next.messages.find(({ to }) => to[0] === "add@example.org");
  expect(added?.content.toString("latin1")).toContain("x-added: yes");
});
