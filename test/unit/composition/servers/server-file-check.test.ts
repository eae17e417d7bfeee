// Files that virtual servers name and that are missing or broken: what `check` tells, and that `serve` refuses the same.
import { generateKeyPairSync } from "node:crypto";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { checkCommand } from "../../../../src/cli/check.ts";
import { loadConfig } from "../../../../src/config/load.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { type Logger, silentLogger } from "../../../../src/core/logger.ts";
import { startRelay } from "../../../../src/relay.ts";
import { runInProcess } from "../../../support/command.ts";
import { rsaKey } from "../../../support/signing-keys.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const pemOf = (cipher?: object): { publicKey: string; privateKey: string } =>
  generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem", ...cipher },
  });
const other = pemOf();
const encrypted = pemOf({ cipher: "aes-256-cbc", passphrase: "x" }).privateKey;
const FIXTURES = fileURLToPath(new URL("../../../fixtures/tls/", import.meta.url));
const TLS = "tls: { certificate: certificate.pem, key: key.pem }";
const TOKENS = "auth: { accessTokens: { issuer: i, audience: a, keysFile: keys.json } }";
const SIGNING = "signing: [{ domain: a.example, selector: s, keyFile: dkim.pem }]";
const HOP = 'smartHost: "mail.example"';
const TOKEN = `delivery: { ${HOP}, auth: { user: u, tokenFile: token } }`;
const AUTHORITIES = `delivery: { ${HOP}, destinations: [{ to: "*", authoritiesFile: ca.pem }] }`;
const LINE = /^onarrival\.yaml:3:\d+ virtualServers\[1\]\./;

type Files = Readonly<Record<string, string>>;

async function withFiles<Result>(
  settings: string,
  files: Files,
  step: (file: string) => Promise<Result>,
): Promise<Result> {
  await using folder = await tempFolder("server-files");
  for (const name of ["certificate.pem", "key.pem"])
    await copyFile(path.join(FIXTURES, name), path.join(folder.path, name));
  await writeFile(path.join(folder.path, "dkim.pem"), rsaKey(1024).pem, { mode: 0o600 });
  for (const [name, text] of Object.entries(files))
    await writeFile(path.join(folder.path, name), text, { mode: 0o600 });
  const file = path.join(folder.path, "onarrival.yaml");
  const listen = 'listen: ["127.0.0.1:0"]';
  await writeFile(
    file,
    `virtualServers:\n  - { name: one, ${listen} }\n  - { name: two, ${listen}, ${settings} }\n`,
  );
  return await step(file);
}

async function problemsOf(file: string): Promise<string[]> {
  const check = checkCommand(() => Promise.resolve({ scripts: [], warnings: [] }));
  const { code, out } = await runInProcess([check], ["check", "--config", file, "--json"]);
  const { problems }: { problems: string[] } = JSON.parse(out);
  expect(code).toBe(problems.length === 0 ? 0 : 1);
  return problems;
}

async function serve(file: string): Promise<void> {
  const relay = await startRelay(await loadConfig(file), silentLogger, systemClock);
  await relay.stop();
}

test("files that are as they should be are no problem", async () => {
  const authorities = await readFile(path.join(FIXTURES, "certificate.pem"), "utf8");
  const delivery = TOKEN.replace(" }", ` }, destinations: [{ to: "*", authoritiesFile: ca.pem }]`);
  const jwk = JSON.stringify({
    keys: [generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" })],
  });
  const files = { "ca.pem": authorities + authorities, token: "t\n", "keys.json": jwk };
  await withFiles([TLS, TOKENS, SIGNING, delivery].join(", "), files, async (file) => {
    expect(await problemsOf(file)).toEqual([]);
    await serve(file);
  });
});

test.each<[string, string, Files, RegExp]>([
  [
    "a certificate that is not there",
    TLS.replace("certificate.pem", "gone.pem"),
    {},
    /tls\.certificate: ENOENT.*gone\.pem/,
  ],
  [
    "no certificate",
    TLS,
    { "certificate.pem": "hello" },
    /tls\.certificate: \/.*\/certificate\.pem: no certificate in PEM/,
  ],
  [
    "a public key in place of a certificate",
    TLS,
    { "certificate.pem": other.publicKey },
    /tls\.certificate: .*: no certificate in PEM/,
  ],
  ["an empty certificate", TLS, { "certificate.pem": "" }, /tls\.certificate: .*: no certificate in PEM/],
  ["no key", TLS, { "key.pem": "hello" }, /tls\.key: \/.*\/key\.pem: no private key in PEM/],
  [
    "the key of another certificate",
    TLS,
    { "key.pem": other.privateKey },
    /tls\.key: .*: it is not the key of the certificate$/,
  ],
  [
    "a key of another kind",
    TLS,
    { "key.pem": rsaKey(2048).pem },
    /tls\.key: .*: it is not the key of the certificate$/,
  ],
  ["an encrypted key", TLS, { "key.pem": encrypted }, /tls\.key: .*: it needs a passphrase/],
  [
    "keys of tokens that are no JSON",
    TOKENS,
    { "keys.json": "{" },
    /auth\.accessTokens\.keysFile: \/.*\/keys\.json: no JWK set/,
  ],
  ["keys of tokens that are not there", TOKENS, {}, /auth\.accessTokens\.keysFile: ENOENT/],
  [
    "a signing key that is encrypted",
    SIGNING,
    { "dkim.pem": encrypted },
    /signing\[0\]\.keyFile: \/.*\/dkim\.pem: it needs a passphrase/,
  ],
  [
    "authorities that are none",
    AUTHORITIES,
    { "ca.pem": "hello" },
    /delivery\.destinations\[0\]\.authoritiesFile: \/.*\/ca\.pem has no certificate in PEM/,
  ],
  [
    "an authority that is cut short",
    AUTHORITIES,
    { "ca.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n" },
    /authoritiesFile: \/.*\/ca\.pem: certificate 1 does not load/,
  ],
])("%s is told with server, key and file, and refused by serve", async (_what, settings, files, why) => {
  await withFiles(settings, files, async (file) => {
    const problems = await problemsOf(file);
    expect(problems).toEqual([expect.stringMatching(why)]);
    expect(problems[0]).toMatch(LINE);
    await expect(serve(file)).rejects.toThrow(problems[0]);
  });
});

test("a certificate that has expired is warned of, and served", async () => {
  const expired = { "certificate.pem": await readFile(path.join(FIXTURES, "expired.pem"), "utf8") };
  await withFiles(TLS, expired, async (file) => {
    const check = checkCommand(() => Promise.resolve({ scripts: [], warnings: [] }));
    const { out } = await runInProcess([check], ["check", "--config", file, "--json"]);
    const { problems, warnings }: { problems: string[]; warnings: string[] } = JSON.parse(out);
    expect(problems).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /tls\.certificate: \/.*\/certificate\.pem: it expired at 2021-01-01T00:00:00.000Z$/,
      ),
    ]);
    expect(warnings[0]).toMatch(LINE);
    const told: unknown[] = [];
    const log: Logger = {
      ...silentLogger,
      warn: (fields) => void told.push(fields["problem"]),
      child: () => log,
    };
    const relay = await startRelay(await loadConfig(file), log, systemClock);
    await relay.stop();
    expect(told).toContain(warnings[0]);
  });
});

test("a token that is not there is told, and the service starts: it is read for each session", async () => {
  await withFiles(TOKEN, {}, async (file) => {
    expect(await problemsOf(file)).toEqual([
      expect.stringMatching(/virtualServers\[1\]\.delivery\.auth\.tokenFile: ENOENT/),
    ]);
    await serve(file);
  });
});

test("all of them are told at once", async () => {
  const files = { "key.pem": "x", "dkim.pem": "x", "keys.json": "x" };
  await withFiles([TLS, TOKENS, SIGNING, TOKEN].join(", "), files, async (file) => {
    expect(
      (await problemsOf(file)).map((problem) => / virtualServers\[1\]\.(\w+)/.exec(problem)?.[1]),
    ).toEqual(["tls", "auth", "signing", "delivery"]);
  });
});
