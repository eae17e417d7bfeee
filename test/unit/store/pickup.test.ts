import { chmod, mkdir, readFile, readdir, rename, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import type { Envelope, Origin } from "../../../src/core/envelope.ts";
import { OnArrivalError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { LogFields } from "../../../src/core/logger.ts";
import { parseAddressList } from "../../../src/mime/addresses.ts";
import { createBadmail } from "../../../src/store/badmail.ts";
import { LineEnds, parsePickupMessage } from "../../../src/store/pickup-message.ts";
import type { PickupMessage, PickupRefusal } from "../../../src/store/pickup-message.ts";
import { createPickup } from "../../../src/store/pickup.ts";
import type { PickupOptions } from "../../../src/store/pickup.ts";
import { createStore, temporaryFolder } from "./store-samples.ts";

const parseAddresses = (raw: string): string[] => parseAddressList(raw).map(({ address }) => address);

interface Taken {
  readonly id: string;
  /** The Received field in front. */
  readonly trace: string;
  readonly origin: Origin;
  readonly envelope: Envelope;
  readonly text: string;
}

/** A Pickup on a real mailroot; what it submits is committed to the store and noted. */
async function openPickup(
  mailroot: string,
  options: Partial<PickupOptions> = {},
  isCommitted?: (id: string) => boolean,
) {
  const store = createStore(path.join(mailroot, "Queue"));
  const { messages } = await store.open();
  const known = new Set(messages.map(({ id }) => id));
  const taken: Taken[] = [];
  const warnings: LogFields[] = [];
  const folder = path.join(mailroot, "Pickup");
  await mkdir(folder, { recursive: true });
  const pickup = createPickup({
    folder,
    pollMs: 20,
    settleMs: 20,
    hostName: () => "relay.example",
    maxHops: () => 3,
    nextId: store.nextId,
    createSpool: () => store.createSpoolFile(),
    submit: async (id, origin, envelope, content) => {
      await store.commit(id, origin, envelope, content);
      const [trace = "", ...rest] = (await content.toBuffer()).toString().split(/(?<=\r\n)(?![ \t])/);
      taken.push({ id, origin, envelope, trace, text: rest.join("") });
    },
    parseAddresses,
    badmail: createBadmail({ folder: path.join(mailroot, "Badmail") }),
    logger: { ...silentLogger, warn: (fields) => void warnings.push(fields) },
    clock: systemClock,
    ...options,
  });
  await pickup.start(isCommitted ?? ((id) => known.has(id)));
  const close = async (): Promise<void> => {
    await pickup.close();
    await store.close();
  };
  return { folder, taken, warnings, close, [Symbol.asyncDispose]: close };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const mail = "x-sender: alice@example.com\r\nx-receiver: bob@example.net\r\nSubject: s\r\n\r\nbody\r\n";

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
    await using pickup = await openPickup(folder.path, { settleMs: 150 });
    const file = path.join(pickup.folder, "slow.eml");
    await writeFile(file, mail);
    for (let line = 0; line < 8; line += 1) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      await writeFile(file, `${line}\r\n`, { flag: "a" });
    }
    await until(() => pickup.taken.length > 0);
    expect(pickup.taken[0]?.text).toBe("Subject: s\r\n\r\nbody\r\n0\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n");
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

  test("C17 a folder that vanishes is told once, and what lies in it is taken when it is back", async () => {
    await using folder = await temporaryFolder();
    const lines: string[] = [];
    const note = (_fields: LogFields, line: string): void => void lines.push(line);
    let rounds = 0;
    const clock: Clock = {
      ...systemClock,
      after: (delayMs, wake) => {
        rounds += 1;
        return systemClock.after(delayMs, wake);
      },
    };
    await using pickup = await openPickup(folder.path, {
      logger: { ...silentLogger, info: note, error: note },
      clock,
    });
    await rename(pickup.folder, path.join(folder.path, "away"));
    await until(() => lines.length > 0);
    const before = rounds;
    await until(() => rounds > before + 5);
    await writeFile(path.join(folder.path, "away", "waits.eml"), mail);
    await rename(path.join(folder.path, "away"), pickup.folder);
    await until(() => pickup.taken.length > 0);
    expect(lines).toEqual([
      "Pickup cannot be read; its files are taken when it can",
      "Pickup can be read again",
    ]);
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
    await using pickup = await openPickup(folder.path, { settleMs: 60 });
    const lines = `${"a line of text\n".repeat(300_000)}last line without end`;
    await writeFile(path.join(folder.path, "large"), `To: b@example.com\nFrom: a@example.com\n\n${lines}`);
    await rename(path.join(folder.path, "large"), path.join(pickup.folder, "large.eml"));
    await until(() => pickup.taken.length > 0);
    const wanted = `To: b@example.com\r\nFrom: a@example.com\r\n\r\n${lines.replaceAll("\n", "\r\n")}\r\n`;
    expect(pickup.taken[0]?.text === wanted).toBe(true);
  });

  test("C07 keeps a file while the store takes nothing, and submits it under the same id later", async () => {
    await using folder = await temporaryFolder();
    const ids: string[] = [];
    await using pickup = await openPickup(folder.path, {
      submit: (id) => {
        ids.push(id);
        if (ids.length > 2) return Promise.resolve();
        return Promise.reject(new OnArrivalError("STORE_FAILED", "the disk is full"));
      },
    });
    await writeFile(path.join(pickup.folder, "a.eml"), mail);
    await until(() => ids.length === 3);
    await until(async () => (await readdir(path.join(folder.path, "Queue", "pickup"))).length === 0);
    expect(new Set(ids).size).toBe(1);
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

const parse = (text: string): PickupMessage | PickupRefusal =>
  parsePickupMessage(Buffer.from(text), parseAddresses, 3);

function convert(chunks: string[]): string {
  const lineEnds = new LineEnds();
  const converted = chunks.map((chunk) => lineEnds.convert(Buffer.from(chunk)).toString());
  return [...converted, lineEnds.end().toString()].join("");
}

/** Sender and recipients, or why the file is refused. */
function envelopeOf(text: string): string | string[] {
  const parsed = parse(text);
  if (parsed.kind === "refusal") return parsed.reason;
  return [parsed.envelope.sender, ...parsed.envelope.recipients.map(({ address }) => address)];
}

describe("the text of a Pickup file", () => {
  test("takes leading x-sender and x-receiver lines in any case, and they win over the header", () => {
    const text =
      "X-Receiver: <b@x.example>\nx-SENDER: a@x.example\nX-RECEIVER:c@x.example\nTo: z@x.example\nBcc: y@x.example\n\nhi";
    const parsed = parse(text);
    expect(envelopeOf(text)).toEqual(["a@x.example", "b@x.example", "c@x.example"]);
    expect(parsed.kind === "message" && parsed.header.toString()).toBe(
      "To: z@x.example\r\nBcc: y@x.example\r\n\r\n",
    );
  });

  test("H07 leaves x-receiver lines behind another field alone", () => {
    const text = "From: a@x.example\nTo: b@x.example\nx-receiver: c@x.example\n\n";
    expect(envelopeOf(text)).toEqual(["a@x.example", "b@x.example"]);
  });

  test("uses Sender before From, To, Cc and Bcc, and takes the Bcc field out", () => {
    const text =
      "From: f@x.example\nSender: s@x.example\nTo: t@x.example,\n u@x.example\nBcc: hidden@x.example,\n other@x.example\nCc: T@x.example\n\n";
    const parsed = parse(text);
    expect(envelopeOf(text)).toEqual([
      "s@x.example",
      "T@x.example",
      "u@x.example",
      "hidden@x.example",
      "other@x.example",
    ]);
    expect(parsed.kind === "message" && parsed.header.toString()).not.toMatch(/hidden|other/);
  });

  test("takes from the header what the lines leave open, the sender and the recipients each for itself", () => {
    const header = "From: f@x.example\nTo: t@x.example\nBcc: h@x.example\n\nhi";
    expect(envelopeOf(`x-receiver: b@x.example\n${header}`)).toEqual(["f@x.example", "b@x.example"]);
    expect(envelopeOf(`x-sender: a@x.example\n${header}`)).toEqual([
      "a@x.example",
      "t@x.example",
      "h@x.example",
    ]);
    const parsed = parse(`x-sender: a@x.example\n${header}`);
    expect(parsed.kind === "message" && parsed.header.toString()).toBe(
      "From: f@x.example\r\nTo: t@x.example\r\n\r\n",
    );
  });

  test("takes a message without header fields when the lines say from whom and to whom", () => {
    const lines = "x-sender: a@x.example\nx-receiver: b@x.example\n";
    const text = `${lines}\nSubject: of the body\n`;
    const parsed = parse(text);
    expect(envelopeOf(text)).toEqual(["a@x.example", "b@x.example"]);
    expect(parsed.kind === "message" && parsed.header.toString()).toBe("\r\n");
    expect(parsed.kind === "message" && text.slice(parsed.bodyStart)).toBe("Subject: of the body\n");
    expect(envelopeOf(lines)).toEqual(["a@x.example", "b@x.example"]);
  });

  test("takes the null sender, and refuses what is not one mailbox", () => {
    expect(envelopeOf("x-sender: <>\nx-receiver: b@x.example\nTo: q\n\n")).toEqual(["", "b@x.example"]);
    expect(
      envelopeOf("x-sender: a@x.example\nx-receiver: b@x.example> NOTIFY=NEVER <c@d\nTo: q\n\n"),
    ).toMatch(/x-receiver/);
    expect(
      envelopeOf("x-sender: a@x.example\nx-receiver: b@x.example\rRCPT TO:<z@x.example>\nTo: q\n\n"),
    ).toMatch(/x-receiver/);
    expect(envelopeOf("x-sender: a@x.example\n x-receiver: b@x.example\nTo: q\n\n")).toMatch(/x-sender/);
    expect(envelopeOf("x-sender: a@x.example\nx-sender: b@x.example\nTo: q\n\n")).toMatch(/more than one/);
    expect(envelopeOf("x-receiver: b@x.example\nTo: q\n\n")).toMatch(/no sender/);
    expect(envelopeOf("x-sender: a@x.example\nFrom: q@x.example\n\n")).toMatch(/no recipient/);
    expect(envelopeOf('From: MAILER-DAEMON <>\nTo: "x" <>, t@x.example\n\n')).toEqual(["", "t@x.example"]);
    expect(envelopeOf('From: f@x.example\nTo: "x" <>\n\n')).toMatch(/no recipient/);
    expect(envelopeOf("just text")).toMatch(/no sender|no header/);
  });

  test("has CRLF line ends afterwards, however the chunks were cut", () => {
    expect(convert(["a\nb\r\nc\rd\n\n.\n"])).toBe("a\r\nb\r\nc\r\nd\r\n\r\n.\r\n");
    expect(convert(["a\r", "\nb\r", "c", "\n", "\r"])).toBe("a\r\nb\r\nc\r\n\r\n");
    expect(convert(["no end"])).toBe("no end\r\n");
    expect(convert([""])).toBe("");
  });
});
