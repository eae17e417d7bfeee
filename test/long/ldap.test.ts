// The whole service with OpenLDAP behind its categorizer.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CaptureServer, startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { group, ldif, PARTNER, person } from "../support/ldif.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { ADMIN, BASE, CERTIFICATE_NAME, type Slapd, slapdMissing, startSlapd } from "../support/slapd.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const authoritiesFile = fileURLToPath(new URL("../fixtures/tls/certificate.pem", import.meta.url));

const MANY = Array.from({ length: 5000 }, (_, index) => `user${index}`);

const ENTRIES = [
  person("ann", { mail: ["ann@example.com", "annie@example.com"] }),
  person("bob"),
  ldif("cn=boss", {
    objectClass: "user",
    sn: "Boss",
    cn: "boss",
    mail: "boss@example.com",
    altRecipient: `uid=ann,${BASE}`,
    deliverAndRedirect: "TRUE",
    delivContLength: "1",
  }),
  PARTNER,
  group("team", ["uid=ann", "cn=inner", "cn=gone"], { mail: "team@example.com" }),
  group("inner", ["cn=team", "uid=bob", "cn=partner", "uid=ann"]),
  group("board", ["uid=bob"], { mail: "board@example.com", authOrig: `cn=boss,${BASE}` }),
  ...MANY.map((uid) => person(uid)),
  group(
    "all",
    MANY.map((uid) => `uid=${uid}`),
    { mail: "all@example.com" },
  ),
].join("");

const missing = slapdMissing();
if (missing !== undefined) console.warn(`the service with LDAP is not tested: ${missing}`);

describe.skipIf(missing !== undefined)("a service that asks OpenLDAP", () => {
  const started = new AsyncDisposableStack();
  let slapd: Slapd;
  let far: CaptureServer;
  let service: Service;

  beforeAll(async () => {
    slapd = started.use(await startSlapd({ ldif: ENTRIES }));
    far = started.use(await startCaptureServer());
    service = started.use(
      await startService({
        env: { DIRECTORY_PASSWORD: ADMIN.password },
        config: serviceConfig({
          localDomains: ["example.com", "client.example"],
          smartHostPort: far.port,
          server: {
            categorizer: {
              unknown: "fail",
              domains: ["example.com"],
              ldap: {
                servers: [slapd.url],
                base: BASE,
                tls: { authoritiesFile, name: CERTIFICATE_NAME },
                bind: { dn: ADMIN.dn, passwordVariable: "DIRECTORY_PASSWORD" },
                cache: { foundMs: 0, unknownMs: 0 },
                retry: { minMs: 50, maxMs: 200 },
              },
            },
            retry: { glitchIntervalMs: 200, glitchRetries: 100 },
          },
        }),
      }),
    );
  });

  afterAll(async () => {
    await started.disposeAsync();
  });

  const post = (subject: string, to: readonly string[], body = "Hello."): Promise<unknown> =>
    send(service.port, { from: "me@client.example", to, data: plainMessage(subject, body) });

  /** Who got a message of that subject in Drop; of several that came for it each once for each time. */
  async function receiversOf(subject: string): Promise<string[]> {
    const files = await service.drop();
    return files
      .map(({ content }) => content.toString("latin1"))
      .filter((text) => text.includes(`\nSubject: ${subject}\r\n`) && !text.includes("multipart/report"))
      .flatMap((text) => [...text.matchAll(/^x-receiver: (\S+)/gim)].map((match) => match[1] ?? ""))
      .sort();
  }

  const delivered = (subject: string, ...to: readonly string[]): Promise<unknown> =>
    eventually(async () => (await receiversOf(subject)).length >= to.length, {
      what: `${to.length} copies of ${subject}`,
      timeoutMs: 60_000,
    }).then(async () => expect(await receiversOf(subject)).toEqual([...to].sort()));

  /** The report that came back to the sender about that message. */
  const report = (subject: string): Promise<string> =>
    eventually(async () => {
      const texts = (await service.drop()).map(({ content }) => content.toString("latin1"));
      return texts.find(
        (text) => text.includes("multipart/report") && text.includes(`Subject: ${subject}\r\n`),
      );
    });

  test("delivers to the primary address of an alias, and to a forward with its copy", async () => {
    await post("alias", ["annie@example.com"]);
    await delivered("alias", "ann@example.com");
    await post("forward", ["boss@example.com"]);
    await delivered("forward", "ann@example.com", "boss@example.com");
  });

  test("expands groups that hold each other to everybody once, contacts outside included", async () => {
    await post("nested", ["team@example.com", "annie@example.com"]);
    await delivered("nested", "ann@example.com", "bob@example.com");
    const messages = await far.received(1);
    expect(messages.map(({ to }) => to)).toEqual([["partner@far.example"]]);
  });

  test("reports who is unknown, what is too large, and who may not send to a group; the others get it", async () => {
    await post("strangers", ["nobody@example.com", "bob@example.com", "*@example.com"]);
    await delivered("strangers", "bob@example.com");
    expect(await report("strangers")).toMatch(
      /Final-Recipient: rfc822;\s*nobody@example\.com[\s\S]*Status: 5\.1\.1/,
    );
    await post("large", ["boss@example.com", "bob@example.com"], "x".repeat(900).concat("\r\n").repeat(3));
    await delivered("large", "bob@example.com");
    expect(await report("large")).toMatch(/Status: 5\.3\.4/);
    await post("closed", ["board@example.com"]);
    expect(await report("closed")).toMatch(/Status: 5\.7\.1/);
  });

  test("keeps mail while the directory is down, bounces nobody, and delivers when it is back", async () => {
    await slapd.stop();
    await post("waiting", ["ann@example.com", "nobody@example.com"]);
    await service.logged(/directory server cannot be used/);
    await eventually(async () => (await service.queue()).length > 0, { what: "the message that waits" });
    expect(await receiversOf("waiting")).toEqual([]);
    await slapd.start();
    await delivered("waiting", "ann@example.com");
    expect(await report("waiting")).toMatch(/Status: 5\.1\.1/);
    expect(service.log.join("\n")).not.toContain(ADMIN.password);
  });

  test("a group of 5,000 reaches every member, over kill -9 of the service and of slapd", async () => {
    await post("everybody", ["all@example.com"]);
    for (const victim of ["service", "slapd", "service"]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      if (victim === "service") await service.restart("SIGKILL");
      else {
        // oxlint-disable-next-line no-await-in-loop
        await slapd.stop();
        // oxlint-disable-next-line no-await-in-loop
        await slapd.start();
      }
    }
    const wanted = new Set(MANY.map((uid) => `${uid}@example.com`));
    await eventually(
      async () =>
        (await service.queue()).length === 0 && new Set(await receiversOf("everybody")).size >= wanted.size,
      { timeoutMs: 120_000, what: "a copy for each of the 5,000", intervalMs: 200 },
    );
    expect(new Set(await receiversOf("everybody"))).toEqual(wanted);
  });
});
