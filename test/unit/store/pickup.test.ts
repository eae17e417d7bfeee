import { chmod, mkdir, readFile, readdir, rename, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import type { LogFields } from "../../../src/core/logger.ts";
import { mail, openPickup, until } from "./pickup-samples.ts";
import { temporaryFolder } from "./store-samples.ts";

describe("Pickup (REFERENCE 8.1 item 11)", () => {
  test("submits a file once and removes it", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path);
    await writeFile(path.join(pickup.folder, "hello.txt"), mail);
    await until(() => pickup.taken.length > 0);
    await until(async () => (await readdir(path.join(folder.path, "Queue", "pickup"))).length === 0);
    expect(await readdir(pickup.folder)).toEqual([]);
    expect(pickup.taken).toHaveLength(1);
    expect(pickup.taken[0]).toMatchObject({
      origin: { via: "pickup", pickupFileName: "hello.txt" },
      envelope: { sender: "alice@example.com", recipients: [{ address: "bob@example.net" }] },
      text: "Subject: s\r\n\r\nbody\r\n",
    });
    expect(pickup.taken[0]?.origin.clientAddress).toBeUndefined();
  });

  test("takes files of every name that a folder can hold, and gives the script as much of it as goes behind an id", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path);
    const names = [
      `${"a".repeat(100)}.eml`,
      `${"b".repeat(232)}.eml`,
      "c".repeat(255),
      "d\u{1f4e7}".repeat(51),
    ];
    for (const name of names) await writeFile(path.join(pickup.folder, name), mail);
    await until(() => pickup.taken.length === names.length);
    expect(pickup.taken.map(({ origin }) => origin.pickupFileName ?? "").sort()).toEqual([
      names[0],
      names[1],
      "c".repeat(236),
      `${"d\u{1f4e7}".repeat(47)}d`,
    ]);
  });

  test("puts its Received field in front, and nothing else is changed", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path);
    const before = Math.floor(Date.now() / 1000) * 1000;
    await writeFile(path.join(pickup.folder, "hello.txt"), mail);
    await until(() => pickup.taken.length > 0);
    const { id = "", trace = "" } = pickup.taken[0] ?? {};
    const [, date = ""] =
      /^Received: by relay\.example \(from Pickup\)\r\n\tid (?:[0-9A-Z]{18});\r\n\t(.*)\r\n$/.exec(trace) ??
      [];
    expect(trace).toContain(`\tid ${id};\r\n`);
    expect(Date.parse(date)).toBeGreaterThanOrEqual(before);
  });

  test("N08 a program that puts what comes out back into Pickup: the message ends in Badmail when it has come round too often", async () => {
    await using folder = await temporaryFolder();
    let rounds = 0;
    await using pickup = await openPickup(folder.path, {
      submit: async (_id, _origin, { sender, recipients }, content) => {
        rounds += 1;
        const lines = `x-sender: ${sender}\r\nx-receiver: ${recipients[0]?.address}\r\n`;
        const file = path.join(folder.path, "round");
        await writeFile(file, Buffer.concat([Buffer.from(lines), await content.toBuffer()]));
        await rename(file, path.join(pickup.folder, `${rounds}.eml`));
      },
    });
    await writeFile(path.join(pickup.folder, "0.eml"), mail);
    await until(() => pickup.warnings.length > 0);
    expect(rounds).toBe(4);
    expect(pickup.warnings).toMatchObject([
      { code: "PICKUP_INVALID", text: expect.stringMatching(/4 Received fields, limits\.maxHops is 3/) },
    ]);
    expect(await readdir(pickup.folder)).toEqual([]);
  });

  test("Q01 waits until a file that is being written has stopped growing", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path, { settleMs: () => 150 });
    const file = path.join(pickup.folder, "slow.eml");
    await writeFile(file, mail);
    for (let line = 0; line < 8; line += 1) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      await writeFile(file, `${line}\r\n`, { flag: "a" });
    }
    await until(() => pickup.taken.length > 0);
    expect(pickup.taken[0]?.text).toBe("Subject: s\r\n\r\nbody\r\n0\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n");
  });

  test("Q01 waits for a writer that pauses, and not for what was moved in whole", async () => {
    await using folder = await temporaryFolder();
    let settleMs = 60_000;
    await using pickup = await openPickup(folder.path, { settleMs: () => settleMs });
    await writeFile(path.join(pickup.folder, "slow.eml"), `${mail}half`);
    await writeFile(path.join(folder.path, "whole"), mail);
    await rename(path.join(folder.path, "whole"), path.join(pickup.folder, "whole.eml"));
    await until(() => pickup.taken.length > 0);
    await writeFile(path.join(pickup.folder, "slow.eml"), " and the rest\r\n", { flag: "a" });
    settleMs = 20;
    await until(() => pickup.taken.length > 1);
    expect(pickup.taken.map(({ origin, text }) => [origin.pickupFileName, text])).toEqual([
      ["whole.eml", "Subject: s\r\n\r\nbody\r\n"],
      ["slow.eml", "Subject: s\r\n\r\nbody\r\nhalf and the rest\r\n"],
    ]);
  });

  test("Q01 does not wait for a file that was written long ago", async () => {
    await using folder = await temporaryFolder();
    await mkdir(path.join(folder.path, "Pickup"));
    const file = path.join(folder.path, "Pickup", "old.eml");
    await writeFile(file, mail);
    await utimes(file, new Date(Date.now() - 120_000), new Date(Date.now() - 120_000));
    await using pickup = await openPickup(folder.path, { settleMs: () => 60_000 });
    await until(() => pickup.taken.length > 0);
  });

  test("Q01 what a writer adds while its file is submitted is in Badmail with all of the file", async () => {
    await using folder = await temporaryFolder();
    const claims = path.join(folder.path, "Queue", "pickup");
    const errors: LogFields[] = [];
    await using pickup = await openPickup(folder.path, {
      logger: { ...silentLogger, error: (fields) => void errors.push(fields) },
      submit: async () => {
        const [claim = ""] = await readdir(claims);
        await writeFile(path.join(claims, claim), "late\r\n", { flag: "a" });
      },
    });
    await writeFile(path.join(pickup.folder, "open.eml"), mail);
    await until(() => errors.length > 0);
    await until(async () => (await readdir(claims)).length === 0);
    expect(errors).toMatchObject([{ code: "PICKUP_CHANGED", text: expect.stringMatching(/^open\.eml: /) }]);
    const { badmail: id } = errors[0] ?? {};
    const kept = path.join(folder.path, "Badmail", `${String(id)}.BAD`);
    expect(await readFile(kept, "utf8")).toBe(`${mail}late\r\n`);
  });

  test("takes files that come one after the other without end", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path, { settleMs: () => 200 });
    for (let number = 0; pickup.taken.length === 0 && number < 40; number += 1) {
      await writeFile(path.join(folder.path, "whole"), mail);
      await rename(path.join(folder.path, "whole"), path.join(pickup.folder, `${number}.eml`));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(pickup.taken.length).toBeGreaterThan(0);
  });

  test("Q01 leaves empty files, links and folders alone, with one warning each", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path);
    await writeFile(path.join(folder.path, "secret"), mail);
    await symlink(path.join(folder.path, "secret"), path.join(pickup.folder, "link.eml"));
    await mkdir(path.join(pickup.folder, "folder"));
    await writeFile(path.join(pickup.folder, "empty.eml"), "");
    await writeFile(path.join(pickup.folder, ".hidden"), mail);
    await until(() => pickup.warnings.length >= 3);
    await writeFile(path.join(pickup.folder, "last.eml"), mail);
    await until(() => pickup.taken.length > 0);
    expect(pickup.taken).toHaveLength(1);
    expect(pickup.warnings.map(({ reason }) => String(reason)).sort()).toEqual([
      "a symbolic link is not followed",
      "not a file",
      "the file is empty",
    ]);
    expect((await readdir(pickup.folder)).sort()).toEqual([".hidden", "empty.eml", "folder", "link.eml"]);
  });

  // Other systems keep such names from being.
  test.runIf(process.platform === "linux")("Q01 says that a name which is no UTF-8 is left", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path);
    const name = Buffer.concat([
      Buffer.from(path.join(pickup.folder, "/")),
      Buffer.of(0xdc),
      Buffer.from(".eml"),
    ]);
    await writeFile(name, mail);
    await until(() => pickup.warnings.length > 0);
    await writeFile(path.join(pickup.folder, "last.eml"), mail);
    await until(() => pickup.taken.length > 0);
    expect(pickup.warnings.map(({ reason }) => reason)).toEqual(["its name is not UTF-8"]);
  });

  test("Q01 leaves a file that is too large, with one warning, until it may be as large", async () => {
    await using folder = await temporaryFolder();
    let most = mail.length;
    await using pickup = await openPickup(folder.path, { maxBytes: () => most });
    await writeFile(path.join(pickup.folder, "large.eml"), `${mail}more\r\n`);
    await until(() => pickup.warnings.length > 0);
    await writeFile(path.join(pickup.folder, "small.eml"), mail);
    await until(() => pickup.taken.length > 0);
    expect(pickup.warnings.map(({ reason }) => reason)).toEqual([
      `the file has ${most + 6} bytes, limits.maxMessageSize is ${most}`,
    ]);
    expect(await readdir(pickup.folder)).toEqual(["large.eml"]);
    most += 6;
    await until(() => pickup.taken.length > 1);
    expect(pickup.taken[1]?.origin.pickupFileName).toBe("large.eml");
  });

  test("Q01 processes a read-only file once", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path);
    const file = path.join(pickup.folder, "read-only.eml");
    await writeFile(path.join(folder.path, "source"), mail);
    await chmod(path.join(folder.path, "source"), 0o444);
    await rename(path.join(folder.path, "source"), file);
    await until(() => pickup.taken.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(pickup.taken).toHaveLength(1);
    expect(await readdir(pickup.folder)).toEqual([]);
  });

  test("T03 takes a file whose time lies in the future", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path);
    const file = path.join(pickup.folder, "tomorrow.eml");
    await writeFile(file, mail);
    await utimes(file, new Date(Date.now() + 86_400_000), new Date(Date.now() + 86_400_000));
    await until(() => pickup.taken.length > 0);
    expect(pickup.taken[0]?.text).toBe("Subject: s\r\n\r\nbody\r\n");
  });

  test("takes a file whatever its extension, as text without dot stuffing, and completes names without a domain", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path, { defaultDomain: () => "local.example" });
    const text =
      'x-sender: alice\nx-receiver: "b c"\nx-receiver: d@e.example\nSubject: s\n\n.one\n..two\n.\nend\n';
    await writeFile(path.join(folder.path, "source"), text);
    await rename(path.join(folder.path, "source"), path.join(pickup.folder, "REPORT.0815"));
    await until(() => pickup.taken.length > 0);
    const [taken] = pickup.taken;
    expect(taken?.envelope).toEqual({
      sender: "alice@local.example",
      recipients: [{ address: '"b c"@local.example' }, { address: "d@e.example" }],
    });
    expect(taken?.text).toBe("Subject: s\r\n\r\n.one\r\n..two\r\n.\r\nend\r\n");
    expect(taken?.origin).toEqual({
      via: "pickup",
      arrivalTime: expect.any(Number),
      server: "default",
      pickupFileName: "REPORT.0815",
    });
  });

  test("moves a file without recipient to Badmail with the reason", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path);
    await writeFile(path.join(pickup.folder, "bad.eml"), "From: a@example.com\nSubject: nobody\n\nbody\n");
    const badmail = path.join(folder.path, "Badmail");
    // A name with a leading dot is a file that is still being written.
    const names = async (): Promise<string[]> =>
      (await readdir(badmail).catch((): string[] => [])).filter((name) => !name.startsWith(".")).sort();
    await until(async () => (await names()).length === 3 && (await readdir(pickup.folder)).length === 0);
    const [bad = "", , reason = ""] = await names();
    expect(bad).toMatch(/^[0-9A-Z]{18}\.BAD$/);
    expect(await readFile(path.join(badmail, bad), "utf8")).toContain("Subject: nobody\n");
    expect(await readFile(path.join(badmail, reason), "utf8")).toMatch(
      /PICKUP_INVALID[^]*bad\.eml[^]*recipient/,
    );
    expect(pickup.taken).toEqual([]);
  });

  test("Q01 streams a large file with LF line ends", async () => {
    await using folder = await temporaryFolder();
    await using pickup = await openPickup(folder.path, { settleMs: () => 60 });
    const lines = `${"a line of text\n".repeat(300_000)}last line without end`;
    await writeFile(path.join(folder.path, "large"), `To: b@example.com\nFrom: a@example.com\n\n${lines}`);
    await rename(path.join(folder.path, "large"), path.join(pickup.folder, "large.eml"));
    await until(() => pickup.taken.length > 0);
    const wanted = `To: b@example.com\r\nFrom: a@example.com\r\n\r\n${lines.replaceAll("\n", "\r\n")}\r\n`;
    expect(pickup.taken[0]?.text === wanted).toBe(true);
  });

  test("Q02 takes a claimed file of the last run again only when its message was not committed", async () => {
    await using folder = await temporaryFolder();
    const claims = path.join(folder.path, "Queue", "pickup");
    await mkdir(claims, { recursive: true });
    await writeFile(path.join(claims, "00000000000COMMITD~one.eml"), mail);
    await writeFile(path.join(claims, "00000000000CLAIMED~two.eml"), mail);
    await using pickup = await openPickup(folder.path, {}, (id) => id === "00000000000COMMITD");
    await until(async () => (await readdir(claims)).length === 0);
    expect(pickup.taken.map(({ id, origin }) => [id, origin.pickupFileName])).toEqual([
      ["00000000000CLAIMED", "two.eml"],
    ]);
  });

  test("Q02 submits each of many files exactly once, with two instances on one folder", async () => {
    await using folder = await temporaryFolder();
    await using first = await openPickup(path.join(folder.path, "one"));
    const shared = first.folder;
    await using second = await openPickup(path.join(folder.path, "two"), {
      folder: shared,
      claimFolder: path.join(folder.path, "claims"),
    });
    const names = Array.from({ length: 300 }, (_, index) => `${index}.eml`);
    await Promise.all(names.map((name) => writeFile(path.join(shared, name), mail)));
    const all = (): string[] =>
      [...first.taken, ...second.taken].map(({ origin }) => origin.pickupFileName ?? "");
    await until(() => all().length >= names.length);
    await until(async () => (await readdir(shared)).length === 0);
    expect(all().sort()).toEqual(names.sort());
  });
});
