// The Pickup folder: a file moved in is mail, with or without envelope lines; a bad one goes to Badmail with the reason.
import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually, sleep } from "../support/eventually.ts";
import { serviceConfig } from "../support/service-config.ts";
import { startService, type Service } from "../support/service.ts";
import { tempFolder } from "../support/temp-folder.ts";

const crlf = (lines: readonly string[]): string => lines.map((line) => `${line}\r\n`).join("");

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterEach(() => service.clear());
afterAll(() => service[Symbol.asyncDispose]());

/** Written beside and moved in, as the documentation asks. */
async function pickUp(to: Service, name: string, text: string): Promise<void> {
  const beside = join(to.folder, `writing-${name}`);
  await writeFile(beside, text);
  await rename(beside, join(to.mailroot, "Pickup", name));
}

test("x-sender and x-receiver make the envelope and leave the message", async () => {
  await pickUp(
    service,
    "with-envelope.eml",
    crlf([
      "X-Sender: alice@example.com",
      "x-receiver: bob@example.net",
      "x-receiver: carol@example.org",
      "From: somebody@else.example",
      "To: nobody@else.example",
      "Subject: from Pickup",
      "",
      ".leading dot",
      ".",
      "after the lone dot",
    ]),
  );
  const [file] = await service.dropped(1);
  const text = file?.content.toString("latin1") ?? "";
  expect(text).toMatch(/^x-sender: alice@example\.com\r$/im);
  expect(text).toMatch(/^x-receiver: bob@example\.net\r$/im);
  expect(text).toMatch(/^x-receiver: carol@example\.org\r$/im);
  expect(text.match(/x-sender/gi)).toHaveLength(1);
  expect(text).toContain("\r\n.leading dot\r\n.\r\nafter the lone dot\r\n");
  expect(text).toMatch(
    /\r\nReceived: by \S+ \(from Pickup\)\r\n\tid [0-9A-Z]{18};\r\n\t[^\r]+\r\nFrom: somebody/,
  );
});

test("N08 a file that has come round more often than limits.maxHops goes to Badmail with the reason", async () => {
  const rounds = Array.from(
    { length: 31 },
    (_, hop) => `Received: by h${hop}.example; Thu, 1 Jan 2026 00:00:00 +0000`,
  );
  await pickUp(
    service,
    "round.eml",
    crlf(["x-sender: a@example.com", "x-receiver: b@example.com", ...rounds, "", "body"]),
  );
  const reason = await eventually(
    async () => (await service.badmail()).find(({ name }) => name.endsWith(".BDR")),
    { what: "the reason in Badmail" },
  );
  expect(reason.content.toString()).toMatch(/31 Received fields, limits\.maxHops is 30/);
  expect(await service.drop()).toEqual([]);
});

test("without envelope lines the header names sender and recipients, and Bcc is removed", async () => {
  await pickUp(
    service,
    "plain.txt",
    crlf([
      "From: Alice <alice@example.com>",
      "To: Bob <bob@example.net>",
      "Cc: carol@example.org",
      "Bcc: secret@example.org",
      "Subject: header only",
      "",
      "body",
    ]),
  );
  const [file] = await service.dropped(1);
  const text = file?.content.toString("latin1") ?? "";
  expect(text).toMatch(/^x-sender: alice@example\.com\r$/im);
  for (const address of ["bob@example.net", "carol@example.org", "secret@example.org"]) {
    expect(text.toLowerCase()).toContain(`x-receiver: ${address}\r\n`);
  }
  expect(text).not.toMatch(/^Bcc:/im);
});

test("a script sees the name of the Pickup file", async () => {
  await using scripted = await startService({
    config: {},
    scripts: {
      "name.js": `export default function onArrival(msg) {
        msg.Subject = "picked up " + msg.EnvelopeFields.Item("http://schemas.microsoft.com/cdo/smtpenvelope/pickupfilename").Value;
        msg.DataSource.Save();
      }`,
    },
  });
  await pickUp(
    scripted,
    "named.eml",
    crlf(["x-sender: a@example.com", "x-receiver: b@example.com", "Subject: x", "", "y"]),
  );
  const [file] = await scripted.dropped(1);
  expect(file?.content.toString("latin1")).toMatch(/^Subject: picked up .*named\.eml\r$/m);
});

test("a file without a recipient goes to Badmail with the reason", async () => {
  await pickUp(service, "nobody.eml", crlf(["From: a@example.com", "Subject: to nobody", "", "body"]));
  const files = await eventually(
    async () => {
      const found = await service.badmail();
      // The message is written last: where it is, its companions are whole.
      return found.some((file) => /\.bad$/i.test(file.name)) && found;
    },
    { what: "the message and its reason in Badmail" },
  );
  expect(files.some((file) => /\.bad$/i.test(file.name) && file.content.includes("to nobody"))).toBe(true);
  expect(
    files.some((file) => /\.bdr$/i.test(file.name) && /recipient/i.test(file.content.toString("utf8"))),
  ).toBe(true);
  expect(await service.drop()).toEqual([]);
});

test("files that lie in Pickup before the start are taken", async () => {
  await service.kill();
  await writeFile(
    join(service.mailroot, "Pickup", "early.eml"),
    crlf(["x-sender: a@example.com", "x-receiver: b@example.com", "Subject: early", "", "bird"]),
  );
  await service.start();
  const [file] = await service.dropped(1);
  expect(file?.content.toString("latin1")).toContain("Subject: early");
});

test("Q01 a file is not taken while its writer pauses for a second", async () => {
  const file = join(service.mailroot, "Pickup", "slow.eml");
  await writeFile(file, crlf(["x-sender: a@example.com", "x-receiver: b@example.com", "", "the one half"]));
  await sleep(900);
  await writeFile(file, "the other half\r\n", { flag: "a" });
  const [dropped] = await service.dropped(1);
  expect(dropped?.content.toString("latin1")).toContain("the one half\r\nthe other half\r\n");
});

test("Pickup, Drop and Badmail may lie elsewhere; a name without a domain is completed", async () => {
  await using elsewhere = await tempFolder();
  const at = (name: string): string => join(elsewhere.path, name);
  const folders = { pickup: at("out"), drop: at("in"), badmail: at("bad") };
  const domains = { local: ["a.example"], default: "b.example", alias: ["c.example"] };
  await using scattered = await startService({ config: serviceConfig({ server: { folders, domains } }) });
  const put = async (text: string): Promise<void> => {
    await writeFile(at("writing"), text);
    await rename(at("writing"), at("out/file"));
  };
  await put(crlf(["x-sender: alice", "x-receiver: bob@c.example", "Subject: elsewhere", "", "body"]));
  const files = async (name: string, end: string): Promise<string[]> =>
    (await readdir(at(name))).filter((file) => file.endsWith(end));
  await eventually(async () => (await files("in", ".eml")).length === 1, { what: "a file in Drop" });
  const [name = ""] = await files("in", ".eml");
  expect(await readFile(at(`in/${name}`), "utf8")).toMatch(
    /^x-sender: alice@b\.example\r\nx-receiver: bob@c\.example\r\n/,
  );
  await put("From: a@b.example\r\nSubject: to nobody\r\n\r\n");
  await eventually(async () => (await files("bad", ".BAD")).length === 1, { what: "a file in Badmail" });
  expect(scattered.mailroot).not.toBe(elsewhere.path);
});
