import path from "node:path";
import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { DOMAIN_KEYS, INHERITED_KEYS, knownSchema } from "../../../src/config/inheritance.ts";
import { checkConfig, loadConfig } from "../../../src/config/load.ts";
import { serverFolders } from "../../../src/config/server-folders.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const serversOf = (text: string): ReturnType<typeof checkConfig>["virtualServers"] =>
  checkConfig(text, "x.yaml").virtualServers;

describe("what a virtual server inherits", () => {
  const servers = serversOf(`
limits: { maxRecipients: 7, maxHops: 12 }
relay: { networks: [10.0.0.0/8, 192.0.2.0/24] }
delivery: { smartHost: hub.example, startTls: required }
virtualServers:
  - name: inner
  - name: outer
    listen: ["127.0.0.1:0"]
    limits: { maxRecipients: 70 }
    relay: { networks: [] }
    delivery: { smartHost: null, mx: true }
`);

  test("a key at the top of the file counts for every virtual server", () => {
    expect(servers[0]).toMatchObject({
      name: "inner",
      limits: { maxRecipients: 7, maxHops: 12 },
      relay: { networks: ["10.0.0.0/8", "192.0.2.0/24"] },
      delivery: { smartHost: "hub.example", startTls: "required" },
    });
  });

  test("a server overrides single keys, a list as a whole, and takes a key away with null", () => {
    expect(servers[1]).toMatchObject({
      limits: { maxRecipients: 70, maxHops: 12 },
      relay: { networks: [] },
      delivery: { mx: true, startTls: "required" },
    });
    expect(servers[1]?.delivery.smartHost).toBeUndefined();
  });

  test("without virtualServers it counts for the one that is there", () => {
    expect(serversOf("limits: { maxRecipients: 3 }\n")).toMatchObject([
      { name: "default", limits: { maxRecipients: 3 } },
    ]);
  });

  test("each virtual server has a copy of its own", () => {
    const [one, two] = serversOf(
      "signing: [{ domain: a.example, selector: s, keyFile: k.pem }]\nvirtualServers: [{ name: a }, { name: b, listen: ['[::1]:0'] }]\n",
    );
    expect(one?.signing).toEqual(two?.signing);
    expect(one?.signing[0]).not.toBe(two?.signing[0]);
  });
});

describe("what is wrong is told where it stands", () => {
  test.each([
    [
      "at the top, once for all servers",
      "limits:\n  maxRecipients: none\nvirtualServers: [{ name: a }, { name: b }]\n",
      /^x\.yaml:2:18 limits\.maxRecipients: [^\n]+$/,
    ],
    [
      "at the top, although every server overrides it",
      "limits:\n  maxRecipients: none\nvirtualServers: [{ limits: { maxRecipients: 2 } }]\n",
      /^x\.yaml:2:18 limits\.maxRecipients: [^\n]+$/,
    ],
    [
      "in a server",
      "limits: { maxRecipients: 5 }\nvirtualServers:\n  - limits:\n      maxRecipients: none\n",
      /^x\.yaml:4:22 virtualServers\[0\]\.limits\.maxRecipients: [^\n]+$/,
    ],
    [
      "of an unknown key at the top",
      "limits:\n  maxRecipient: 5\nvirtualServers: [{ limits: { maxHop: 5 } }]\n",
      /^x\.yaml:2:3 limits\.maxRecipient: unknown key \(did you mean "maxRecipients"\?\)\nx\.yaml:3:30 virtualServers\[0\]\.limits\.maxHop: unknown key \(did you mean "maxHops"\?\)$/,
    ],
    ["of a key that is missing", "tls: { certificate: a.pem }\n", /^x\.yaml:1:1 tls\.key: [^\n]+$/],
    [
      "of a key that each server has for itself",
      'listen: ["127.0.0.1:25"]\n',
      /^x\.yaml:1:1 listen: unknown key \(did you mean "virtualServers\[\]\.listen" or "admin\.listen"\?\)$/,
    ],
    [
      "of keys that go together in the one place only",
      "delivery: { mx: true }\nvirtualServers:\n  - delivery: { smartHost: hub.example }\n",
      /^x\.yaml:3:5 virtualServers\[0\]\.delivery: smartHost and mx exclude each other$/,
    ],
    [
      "of a folder that two would write to",
      "protocolLog: { enabled: true, folder: logs }\nvirtualServers: [{ name: a }, { name: b, listen: ['[::1]:0'] }]\n",
      /^x\.yaml:1:39 protocolLog\.folder: is where an earlier virtual server has its protocol log: [^\n]+$/,
    ],
    [
      "null takes nothing away that is not inherited",
      "virtualServers:\n  - delivery: { smartHost: null }\n",
      /^x\.yaml:2:28 virtualServers\[0\]\.delivery\.smartHost: [^\n]+$/,
    ],
  ])("%s", (_where, text, problems) => {
    expect(() => checkConfig(text, "x.yaml")).toThrow(problems);
  });
});

test("the names of keys of single domains are keys of the schema", () => {
  const exists = (key: string): boolean => {
    let node: unknown = knownSchema();
    for (const step of key.split(/\.|(?=\[\])/)) {
      const next: unknown = Object(node)[step === "[]" ? "items" : "properties"];
      node = step === "[]" ? next : Object(next)[step];
    }
    return node !== undefined;
  };
  expect(exists("delivery.nonsense")).toBe(false);
  for (const [key, ofDomain] of Object.entries(DOMAIN_KEYS)) {
    expect([key, exists(key)]).toEqual([key, true]);
    expect([ofDomain, exists(ofDomain)]).toEqual([ofDomain, true]);
  }
  for (const key of ["limits", "retry", "protocolLog"]) expect(INHERITED_KEYS).toContain(key);
  for (const key of ["name", "listen", "mailroot"]) expect(INHERITED_KEYS).not.toContain(key);
});

describe("mailroots", () => {
  async function foldersOf(text: string, mailroot?: string): Promise<string[]> {
    await using folder = await tempFolder();
    const file = path.join(folder.path, "onarrival.yaml");
    await writeFile(file, text);
    const config = await loadConfig(file, { mailroot });
    return config.virtualServers.map((server) =>
      path.relative(folder.path, serverFolders(config, server).queue),
    );
  }

  test("the first virtual server has that of the service, each other one a folder in it, or what it names", async () => {
    expect(
      await foldersOf(
        "mailroot: mail\nvirtualServers: [{}, { name: in/side, listen: ['[::1]:0'] }, { name: b, mailroot: other, listen: ['[::1]:0'] }]\n",
      ),
    ).toEqual([
      path.join("mail", "Queue"),
      path.join("mail", "in_side", "Queue"),
      path.join("other", "Queue"),
    ]);
  });

  test("--mailroot is that of the first one, whatever the file says", async () => {
    expect(
      await foldersOf("virtualServers: [{ mailroot: a }, { name: b, listen: ['[::1]:0'] }]\n", "/srv/mail"),
    ).toEqual([
      expect.stringMatching(/srv[/\\]mail[/\\]Queue$/),
      expect.stringMatching(/srv[/\\]mail[/\\]b[/\\]Queue$/),
    ]);
  });

  test.each([
    ["virtualServers: [{}, { name: b, mailroot: ./mailroot }]", 'the virtual server "default"'],
    ["virtualServers: [{ mailroot: a }, { name: b, mailroot: ./a/ }]", 'the virtual server "default"'],
    ["virtualServers: [{}, { name: Pickup }]", 'the virtual server "default"'],
    ["virtualServers: [{}, { name: b, mailroot: mailroot/Queue/b }]", 'the virtual server "default"'],
    ["virtualServers: [{}, { name: a b }, { name: a_b }]", 'the virtual server "a b"'],
    ["virtualServers: [{ name: a, mailroot: mailroot/Scripts }]", "the service itself"],
  ])("%s is two on one folder", (text, whose) => {
    expect(() => checkConfig(text, "x.yaml")).toThrow(
      new RegExp(`x\\.yaml:1:\\d+ virtualServers\\[\\d\\]\\.mailroot: .* has files of ${whose} in it`),
    );
  });
});
