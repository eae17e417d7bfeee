// Settings of the LDAP directory: what is taken, what is refused, and what is read with them.
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { isFilter, ldapSchema } from "../../../src/config/ldap-schema.ts";
import { checkConfig } from "../../../src/config/load.ts";
import { resolveLdap } from "../../../src/config/named-files.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const SERVER = { servers: ["ldaps://dc1.example.com"], base: "dc=example,dc=com" };

const problemsOf = (settings: Record<string, unknown>): string[] =>
  ldapSchema.safeParse({ ...SERVER, ...settings }).error?.issues.map(({ message }) => message) ?? [];

test("the examples of docs/operating.md are configurations that are taken", () => {
  const page = readFileSync(new URL("../../../docs/operating.md", import.meta.url), "utf8");
  const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");
  const withLdap = examples.filter((text) => text.includes("ldap:"));
  expect(withLdap).toHaveLength(2);
  for (const text of withLdap)
    expect(checkConfig(text, "operating.md").virtualServers[0]?.categorizer?.ldap).toBeDefined();
});

describe("filters of RFC 4515", () => {
  test.each([
    "(mail=*)",
    "(cn=Joe*Doe*)",
    "(&(objectClass=person)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
    String.raw`(|(cn=a\2ab)(sn>=x)(age<=3)(cn~=joe))`,
    "(cn:dn:2.4.6.8.10:=Dino)",
    "(mail=)",
  ])("%s is one", (text) => {
    expect(isFilter(text)).toBe(true);
  });

  test.each([
    "",
    "mail=*",
    "(mail=*",
    "(mail=*))",
    "(&)",
    "(!(a=b)(c=d))",
    "()",
    "(=)x",
    String.raw`(cn=\zz)`,
    "(cn=a)(cn=b)",
    `${"(!".repeat(10_000)}(a=b)${")".repeat(10_000)}`,
  ])("%s is none", (text) => {
    expect(isFilter(text)).toBe(false);
  });
});

describe("the settings of LDAP", () => {
  test("need servers and a base, and everything else has a default", () => {
    expect(ldapSchema.parse(SERVER)).toMatchObject({
      tls: { startTls: "required" },
      foreignDomains: "skip",
      ambiguous: "wait",
      batchSize: 50,
    });
    expect(ldapSchema.safeParse({}).success).toBe(false);
  });

  test.each([
    ["a server that is none", { servers: ["dc1.example.com"] }],
    ["a server with a path", { servers: ["ldap://dc1.example.com/dc=example"] }],
    ["a server with credentials", { servers: ["ldap://joe:secret@dc1.example.com"] }],
    ["a pattern without the address", { addresses: ["mail=joe"] }],
    ["a pattern with an attribute that is none", { addresses: ["(mail=%a)"] }],
    ["an attribute that is a filter", { attributes: { member: ["member)(cn=*"] } }],
    ["an empty password", { bind: { dn: "cn=a", password: "" } }],
    ["no password", { bind: { dn: "cn=a" } }],
    ["two passwords", { bind: { dn: "cn=a", password: "x", passwordFile: "y" } }],
  ])("refuse %s", (_name, settings) => {
    expect(problemsOf(settings)).not.toEqual([]);
  });

  test("refuse a password in clear", () => {
    const bind = { dn: "cn=a", password: "x" };
    const clear = { servers: ["ldap://dc1.example.com"], tls: { startTls: "never" } };
    expect(problemsOf({ ...clear, bind })).toEqual([
      "would send the password in clear: use ldaps://, StartTLS or allowInClear",
    ]);
    expect(problemsOf({ ...clear, bind: { ...bind, allowInClear: true } })).toEqual([]);
    expect(problemsOf({ ...clear, servers: ["ldaps://dc1.example.com"], bind })).toEqual([]);
  });

  test("bring the password from a file and the authorities with them", async () => {
    await using folder = await tempFolder();
    await writeFile(path.join(folder.path, "password"), "of the file\nand more\n");
    const pem = await readFile(new URL("../../fixtures/tls/certificate.pem", import.meta.url), "utf8");
    await writeFile(path.join(folder.path, "ca.pem"), pem);
    const ldap = ldapSchema.parse({
      ...SERVER,
      tls: { authoritiesFile: "ca.pem" },
      bind: { dn: "cn=a", passwordFile: "password" },
    });
    const problems: unknown[] = [];
    await resolveLdap(ldap, folder.path, (...problem) => problems.push(problem));
    expect(problems).toEqual([]);
    expect(ldap).toMatchObject({ bind: { password: "of the file" }, tls: { authorities: pem } });
  });

  test("say when a file of authorities has none", async () => {
    await using folder = await tempFolder();
    await writeFile(path.join(folder.path, "ca.pem"), "subject: CN = DC\n");
    const problems: string[] = [];
    const ldap = ldapSchema.parse({ ...SERVER, tls: { authoritiesFile: "ca.pem" } });
    await resolveLdap(ldap, folder.path, (_where, why) => void problems.push(why));
    expect(problems).toEqual([expect.stringContaining("has no certificate in PEM")]);
  });

  test("bring the password from the environment, and say when it is not there", async () => {
    const bind = { dn: "cn=a", passwordVariable: "ONARRIVAL_TEST_LDAP_PASSWORD" };
    const ldap = ldapSchema.parse({ ...SERVER, bind, tls: { authoritiesFile: "no such file" } });
    const problems: string[] = [];
    const report = (where: readonly string[], why: string): void => {
      problems.push(`${where.join(".")}: ${why}`);
    };
    await resolveLdap(ldap, "/", report);
    expect(problems).toEqual([
      expect.stringMatching(/^tls\.authoritiesFile: ENOENT/),
      "bind.passwordVariable: the environment has no ONARRIVAL_TEST_LDAP_PASSWORD",
    ]);
    try {
      process.env["ONARRIVAL_TEST_LDAP_PASSWORD"] = "";
      await resolveLdap(ldap, "/", report);
      expect(problems.slice(2)).toEqual(problems.slice(0, 2));
      process.env["ONARRIVAL_TEST_LDAP_PASSWORD"] = "of the environment";
      await resolveLdap(ldap, "/", report);
      expect(ldap.bind?.password).toBe("of the environment");
    } finally {
      delete process.env["ONARRIVAL_TEST_LDAP_PASSWORD"];
    }
  });
});
