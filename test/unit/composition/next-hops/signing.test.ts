import { chmod, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Signers, loadSigners } from "../../../../src/composition/next-hops/signing.ts";
import { checkConfig, loadConfig } from "../../../../src/config/load.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { Content } from "../../../../src/message/content.ts";
import { createDrop } from "../../../../src/store/drop.ts";
import { LocalCourier } from "../../../../src/transport/couriers/local-courier.ts";
import { ed25519Key, rsaKey } from "../../../support/signing-keys.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const rsa = rsaKey(1024).pem;
const ed25519 = ed25519Key().pem;

async function load(
  folder: string,
  entries: readonly Record<string, unknown>[],
  pem: string = rsa,
  mode = 0o600,
  relay: Record<string, unknown> = {},
): Promise<Signers | undefined> {
  const signing = entries.map((entry) => ({
    domain: "example.com",
    selector: "s",
    keyFile: "key.pem",
    ...entry,
  }));
  await writeFile(join(folder, "onarrival.yaml"), JSON.stringify({ virtualServers: [{ signing, relay }] }));
  await writeFile(join(folder, "key.pem"), pem);
  await chmod(join(folder, "key.pem"), mode);
  return loadSigners(await loadConfig(join(folder, "onarrival.yaml")), systemClock, silentLogger);
}

describe("keys of the configuration", () => {
  test("are not asked for when there are none", async () => {
    await using folder = await tempFolder("signing");
    expect(await load(folder.path, [])).toBeUndefined();
  });

  test.each([
    ["everybody may read", {}, rsa, 0o644, /key\.pem: everybody may use it \(mode 644\)/],
    ["is not there", { keyFile: "gone.pem" }, rsa, 0o600, /gone\.pem: ENOENT/],
    ["is of another kind", { algorithm: "rsa-sha256" }, ed25519, 0o600, /is for ed25519-sha256/],
    ["cannot seal", { arc: true }, ed25519, 0o600, /arc takes an RSA key/],
  ])("one that %s is refused", async (_name, entry, pem, mode, why) => {
    await using folder = await tempFolder("signing");
    const loading = load(folder.path, [entry], pem, mode);
    await expect(loading).rejects.toThrow(why);
    await expect(loading).rejects.toMatchObject({ code: "SIGNING_KEY_UNUSABLE" });
  });

  test("one that its group may read is taken", async () => {
    await using folder = await tempFolder("signing");
    expect(await load(folder.path, [{}], rsa, 0o640)).toBeDefined();
  });
});

test("a list of those who may not relay makes nobody one whose mail is signed", async () => {
  await using folder = await tempFolder("signing");
  const header = "From: a@example.com\r\nSubject: x\r\n\r\n";
  const origin = { via: "smtp", arrivalTime: 0, server: "default", clientAddress: "127.0.0.1" } as const;
  const recipients = [{ address: "b@far.example" }];
  const message = {
    id: "ID",
    sender: "a@example.com",
    recipients,
    envelope: { sender: "a@example.com", recipients },
    content: Content.fromBuffer(Buffer.from(`${header}body\r\n`)),
    origin,
  };
  const signedBy = async (relay: Record<string, unknown>): Promise<boolean> => {
    const signers = await load(folder.path, [{}], rsa, 0o600, relay);
    return (await signers?.out(message)) !== message.content;
  };
  const networks = ["127.0.0.0/8"];
  expect([await signedBy({ networks }), await signedBy({ networks, mode: "except" })]).toEqual([true, false]);
});

test("what goes to Drop is signed by the entries that say so", async () => {
  await using folder = await tempFolder("signing");
  expect((await load(folder.path, [{}]))?.drop).toBeUndefined();
  const signers = await load(folder.path, [{ drop: true }, { selector: "t" }]);
  await mkdir(join(folder.path, "Drop"));
  const courier = new LocalCourier(
    createDrop({ folder: join(folder.path, "Drop"), sync: false }),
    1,
    signers?.drop,
  );
  const outcome = await courier.deliver({
    id: "ID",
    sender: "a@example.com",
    recipients: [{ address: "b@example.com" }],
    envelope: { sender: "a@example.com", recipients: [] },
    content: Content.fromBuffer(Buffer.from("From: a@example.com\r\n\r\nx\r\n")),
    origin: { via: "pickup", arrivalTime: 0, server: "default" },
  });
  expect(outcome.kind).toBe("report");
  const [name = ""] = await readdir(join(folder.path, "Drop"));
  const text = await readFile(join(folder.path, "Drop", name), "latin1");
  expect(text.match(/^DKIM-Signature:/gm)).toHaveLength(1);
  expect(text).toContain("s=s;");
});

describe("the settings refuse", () => {
  const server = (signing: unknown): string => JSON.stringify({ virtualServers: [{ signing }] });
  const entry = { domain: "example.com", selector: "s", keyFile: "k" };

  test.each([
    [
      "a DNS server that is a name",
      JSON.stringify({ dns: { servers: ["ns.example.com"] } }),
      "must be an address",
    ],
    [
      "two seals",
      server([
        { ...entry, arc: true },
        { ...entry, arc: true },
      ]),
      "more than one entry with arc",
    ],
    [
      "a seal with Ed25519",
      server([{ ...entry, arc: true, algorithm: "ed25519-sha256" }]),
      "takes an RSA key",
    ],
    ["a selector with blanks", server([{ ...entry, selector: "a b" }]), "must be a selector"],
  ])("%s", (_name, text, why) => {
    expect(() => checkConfig(text, "onarrival.yaml")).toThrow(why);
  });
});
