import { writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { directoryCommand } from "../../../src/cli/directory.ts";
import { type CommandRun, runInProcess } from "../../support/command.ts";
import { ldif, person } from "../../support/ldif.ts";
import { ADMIN, BASE, CERTIFICATE_NAME, type Slapd, slapdMissing, startSlapd } from "../../support/slapd.ts";
import { type TempFolder, tempFolder } from "../../support/temp-folder.ts";

const authoritiesFile = fileURLToPath(new URL("../../fixtures/tls/certificate.pem", import.meta.url));

test("a forward of the file that names its own entry is shown as a copy", async () => {
  await using own = await tempFolder();
  const file = path.join(own.path, "onarrival.yaml");
  const people =
    "aliases: { info: [info, ann@far.example], self: self }\nusers: { ann: { forwardTo: [info] } }\n";
  await writeFile(path.join(own.path, "people.yaml"), people);
  await writeFile(file, "domains: { local: [example.com] }\ncategorizer: { file: people.yaml }\n");
  const names = ["info@example.com", "self@example.com", "ann@example.com"];
  const { out } = await runInProcess([directoryCommand], ["directory", "find", ...names, "-c", file]);
  expect(out.split("\n").filter((line) => !/^ {2}(?:entry|address):/.test(line))).toEqual([
    "info@example.com: contact",
    "  forwards a copy to: ann@far.example",
    "self@example.com: contact",
    "ann@example.com: user",
    "  forwards to: info@example.com",
    "",
  ]);
});

describe.skipIf(slapdMissing() !== undefined)("onarrival directory find", () => {
  const started = new AsyncDisposableStack();
  let slapd: Slapd;
  let folder: TempFolder;
  beforeAll(async () => {
    folder = started.use(await tempFolder());
    slapd = started.use(
      await startSlapd({
        ldif: [
          person("joe", { displayName: "Joe \u001B[31mDoe" }),
          person("twin1", { mail: "twin@example.com" }),
          person("twin2", { mail: "twin@example.com" }),
          ldif("cn=team", {
            objectClass: "group",
            cn: "team",
            mail: "team@example.com",
            member: `uid=joe,${BASE}`,
            delivContLength: "10",
            authOrig: `uid=joe,${BASE}`,
          }),
        ].join(""),
      }),
    );
  });
  afterAll(async () => {
    await started.disposeAsync();
  });

  const find = async (...args: readonly string[]): Promise<CommandRun> => {
    const file = path.join(folder.path, "onarrival.yaml");
    const ldap = {
      servers: [slapd.url],
      base: BASE,
      bind: ADMIN,
      tls: { authoritiesFile, name: CERTIFICATE_NAME },
      ambiguous: "fail",
    };
    const domains = { local: ["example.com"] };
    const virtualServers = [
      { name: "plain", listen: ["127.0.0.1:0"], domains },
      { name: "office", listen: ["127.0.0.1:0"], domains, categorizer: { ldap } },
    ];
    await writeFile(file, JSON.stringify({ virtualServers }));
    return runInProcess([directoryCommand], ["directory", "find", ...args, "-c", file]);
  };

  test("shows what an entry means to the categorizer, without its control characters", async () => {
    expect(await find("joe@example.com", "team@example.com", "far@elsewhere.example", "--members")).toEqual({
      code: 0,
      err: "",
      out: `joe@example.com: user
  entry: uid=joe,${BASE}
  address: joe@example.com
  name: Joe ?[31mDoe
team@example.com: group
  entry: cn=team,${BASE}
  address: team@example.com
  name: team
  largest message it gets: 10240 bytes
  only from: uid=joe,${BASE}
  member: uid=joe,${BASE}
far@elsewhere.example: not a domain of the directory
`,
    });
  });

  test("answers 1 for an address that is unknown or claimed twice, and names the entries", async () => {
    expect(await find("nobody@example.com")).toMatchObject({
      code: 1,
      out: expect.stringContaining("unknown"),
    });
    const twin = await find("twin@example.com", "--json");
    expect(twin.code).toBe(1);
    expect(JSON.parse(twin.out)).toMatchObject([{ address: "twin@example.com", kind: "ambiguous" }]);
    expect(twin.err).toContain(`uid=twin1,${BASE}`);
  });

  test("says which server has no directory", async () => {
    expect(await find("joe@example.com", "--server", "plain")).toMatchObject({
      code: 2,
      err: expect.stringContaining("no `categorizer.file` and no `categorizer.ldap`"),
    });
    expect(await find("joe@example.com", "--server", "nowhere")).toMatchObject({ code: 2 });
  });
});
