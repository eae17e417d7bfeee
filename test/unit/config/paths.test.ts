// Paths in onarrival.yaml are relative to its folder, wherever the service was started from.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { likelyMailroot, loadConfig } from "../../../src/config/load.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const CONFIG = `
mailroot: mail
scripts: { folder: sinks, secretsFile: keys/secrets }
tracking: { folder: track }
virtualServers:
  - name: default
    folders: { drop: in }
    tls: { certificate: keys/cert, key: keys/key }
    auth: { accessTokens: { keysFile: keys/jwks, issuer: "https://issuer.example", audience: mail } }
    signing: [{ domain: a.example, selector: s, keyFile: keys/dkim }]
    protocolLog: { folder: talk }
    delivery: { smartHost: hub.example, auth: { user: u, tokenFile: keys/token } }
    domains:
      remote: [{ name: b.example, smartHost: hub.example, auth: { user: u, passwordFile: keys/password } }]
  - { name: other, mailroot: second, listen: ["127.0.0.1:0"] }
bindings:
  - { event: OnTransportSubmission, sinkClass: tag.ts }
`;

test("every file and folder that settings name", async () => {
  await using folder = await tempFolder("paths");
  const at = (...steps: string[]): string => path.join(folder.path, ...steps);
  await mkdir(at("keys"));
  await writeFile(at("keys", "password"), "one\n");
  await writeFile(at("onarrival.yaml"), CONFIG);
  expect(await loadConfig(at("onarrival.yaml"))).toMatchObject({
    mailroot: at("mail"),
    scripts: { folder: at("sinks"), secretsFile: at("keys", "secrets") },
    tracking: { folder: at("track") },
    virtualServers: [
      {
        folders: { drop: at("in") },
        tls: { certificate: at("keys", "cert"), key: at("keys", "key") },
        auth: { accessTokens: { keysFile: at("keys", "jwks") } },
        signing: [{ keyFile: at("keys", "dkim") }],
        protocolLog: { folder: at("talk") },
        delivery: { auth: { tokenFile: at("keys", "token") } },
        domains: { remote: [{ auth: { passwordFile: at("keys", "password"), password: "one" } }] },
      },
      { mailroot: at("second") },
    ],
    bindings: [{ sinkClass: at("tag.ts") }],
  });
});

test.each(["mailroot: ''", "mailroot: [m]", "bindings: [", "x"])(
  "a file that says no mailroot has the usual one: %s",
  async (text) => {
    await using folder = await tempFolder("paths");
    const file = path.join(folder.path, "onarrival.yaml");
    await writeFile(file, text);
    expect(await likelyMailroot(file)).toBe(path.join(folder.path, "mailroot"));
  },
);

test("a file that is no configuration is not read", async () => {
  await using folder = await tempFolder("paths");
  const file = path.join(folder.path, "onarrival.yaml");
  await writeFile(file, Buffer.alloc(16 * 1024 * 1024 + 1, "#"));
  await expect(loadConfig(file)).rejects.toMatchObject({ code: "CONFIG_UNREADABLE" });
});
