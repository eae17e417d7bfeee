import { mkdir, readFile, readdir, rm, rmdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { Content } from "../../../src/message/content.ts";
import { createBadmail } from "../../../src/store/badmail.ts";
import { createDrop } from "../../../src/store/drop.ts";
import { message, messageBytes, temporaryFolder } from "./store-samples.ts";

describe.each([{ sync: true }, { sync: false }])("Drop with sync $sync", ({ sync }) => {
  test("writes one whole file per message, its envelope first", async () => {
    await using folder = await temporaryFolder();
    const drop = createDrop({ folder: path.join(folder.path, "Drop"), sync });
    await drop.deliver("A1", "alice@example.com", ["bob@example.net", "carol@example.org"], message(1, 100));
    const file = path.join(folder.path, "Drop", "A1.eml");
    expect((await readFile(file)).toString()).toBe(
      `x-sender: alice@example.com\r\nx-receiver: bob@example.net\r\nx-receiver: carol@example.org\r\n${messageBytes(1, 100).toString()}`,
    );
  });

  test("Q04 replaces the file of the same id and no other", async () => {
    await using folder = await temporaryFolder();
    const drop = createDrop({ folder: folder.path, sync });
    const ids = ["A1", "A2", "A1", "A3", "A2", "A1"];
    await Promise.all(ids.slice(0, 2).map((id) => drop.deliver(id, "", ["b@x.example"], message(1))));
    for (const id of ids) await drop.deliver(id, "", ["b@x.example"], message(2));
    expect((await readdir(folder.path)).sort()).toEqual(["A1.eml", "A2.eml", "A3.eml"]);
  });

  test("Q04 further recipients of a message get a further file, and the same ones again the same", async () => {
    await using folder = await temporaryFolder();
    const drop = createDrop({ folder: folder.path, sync });
    const parts = [["a@x.example"], ["a@x.example", "b@x.example"], ["c@x.example"], ["d@x.example"]];
    for (const to of [...parts, ...parts]) await drop.deliver("A1", "s@x.example", to, message(1, 10), true);
    const receivers = async (name: string): Promise<string[]> => {
      const text = await readFile(path.join(folder.path, name), "latin1");
      return [...text.matchAll(/^x-receiver: (.*)\r$/gm)].map(([, to = ""]) => to);
    };
    const names = (await readdir(folder.path)).toSorted();
    expect(names).toEqual(["A1-2.eml", "A1-3.eml", "A1-4.eml", "A1.eml"]);
    const [two = "", three = "", four = "", one = ""] = names;
    expect(await Promise.all([one, two, three, four].map(receivers))).toEqual(parts);
  });

  test("Q04 recipients of a message who are delivered at one time, but apart, get a whole file each", async () => {
    await using folder = await temporaryFolder();
    const drop = createDrop({ folder: folder.path, sync });
    const to = ["a@x.example", "b@x.example", "c@x.example"];
    await Promise.all(to.map((one) => drop.deliver("A1", "s@x.example", [one], message(1, 5000), true)));
    const names = (await readdir(folder.path)).toSorted();
    const texts = await Promise.all(names.map((name) => readFile(path.join(folder.path, name), "latin1")));
    const body = messageBytes(1, 5000).toString("latin1");
    expect(texts.toSorted()).toEqual(
      to.map((one) => `x-sender: s@x.example\r\nx-receiver: ${one}\r\n${body}`),
    );
  });

  test("streams a content that lies on disk", async () => {
    await using folder = await temporaryFolder();
    const source = path.join(folder.path, "source");
    await writeFile(source, messageBytes(5, 700_000));
    const drop = createDrop({ folder: path.join(folder.path, "Drop"), sync });
    const content = Content.fromFile(Buffer.from("a: b\r\n\r\n"), {
      path: source,
      offset: 0,
      length: 700_000,
    });
    await drop.deliver("L1", "a@x.example", [], content);
    const written = await readFile(path.join(folder.path, "Drop", "L1.eml"));
    const wanted = Buffer.concat([
      Buffer.from("x-sender: a@x.example\r\na: b\r\n\r\n"),
      messageBytes(5, 700_000),
    ]);
    expect(written.equals(wanted)).toBe(true);
  });

  test("Q04 says STORE_FAILED when its folder is gone, and leaves nothing half written", async () => {
    await using folder = await temporaryFolder();
    const drop = createDrop({ folder: path.join(folder.path, "Drop"), sync });
    await rm(path.join(folder.path, "Drop"), { recursive: true });
    const failed = drop.deliver("A1", "", [], message(1));
    await expect(failed).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  test("H07 keeps an address with a line end on its line", async () => {
    await using folder = await temporaryFolder();
    const drop = createDrop({ folder: folder.path, sync });
    await drop.deliver("A1", "a@x.example\r\nx-receiver: evil@x.example", [], message(1, 10));
    const text = await readFile(path.join(folder.path, "A1.eml"), "utf8");
    expect(text.startsWith("x-sender: a@x.examplex-receiver: evil@x.example\r\nSubject")).toBe(true);
  });
});

test("Badmail holds the message, a readable reason and the envelope", async () => {
  await using folder = await temporaryFolder();
  const badmail = createBadmail({ folder: path.join(folder.path, "Badmail") });
  const envelope = { sender: "a@x.example", recipients: [{ address: "b@x.example\r\nCode: FORGED" }] };
  await badmail.put("B1", envelope, message(1), { code: "SCRIPT_FAILED", text: "line 3\nthrew" });
  const read = (name: string): Promise<Buffer> => readFile(path.join(folder.path, "Badmail", name));
  expect(await read("B1.BAD")).toEqual(messageBytes(1, 4096));
  expect(JSON.parse((await read("B1.BDP")).toString())).toEqual(envelope);
  const reason = (await read("B1.BDR")).toString().split("\r\n");
  expect(reason).toContain("Code: SCRIPT_FAILED");
  expect(reason).toContain("Reason: line 3 threw");
  expect(reason).not.toContain("Code: FORGED>");
});

test("Badmail says of a message why each time and for whom, once, also when it is put there at the same time", async () => {
  await using folder = await temporaryFolder();
  const badmail = createBadmail({ folder: folder.path });
  const put = (address: string, why: string): Promise<void> => {
    const envelope = { sender: "", recipients: [{ address, notify: ["FAILURE"] as const }] };
    const reason = { code: "UNDELIVERABLE_REPORT", text: `${address}: ${why}` };
    return badmail.put("B1", envelope, message(1), reason);
  };
  await Promise.all([put("b@x.example", "550 no"), put("c@y.example", "550 gone")]);
  await put("b@x.example", "550 no");
  const text = await readFile(path.join(folder.path, "B1.BDR"), "utf8");
  expect(text.split("\r\n").filter((line) => /^(Code|Reason|Recipient):/.test(line))).toEqual([
    "Code: UNDELIVERABLE_REPORT",
    "Reason: b@x.example: 550 no",
    "Code: UNDELIVERABLE_REPORT",
    "Reason: c@y.example: 550 gone",
    "Recipient: <b@x.example>",
    "Recipient: <c@y.example>",
  ]);
  expect(JSON.parse(await readFile(path.join(folder.path, "B1.BDP"), "utf8"))).toMatchObject({
    recipients: [{ address: "b@x.example", notify: ["FAILURE"] }, { address: "c@y.example" }],
  });
  expect(await readFile(path.join(folder.path, "B1.BAD"))).toEqual(messageBytes(1, 4096));
});

test("Badmail does not name those of an attempt that it had no room for", async () => {
  await using folder = await temporaryFolder();
  const badmail = createBadmail({ folder: folder.path });
  const put = (address: string): Promise<void> =>
    badmail.put("B1", { sender: "", recipients: [{ address }] }, message(1), {
      code: "BADMAIL_BY_SINK",
      text: address,
    });
  // The message is the last of the three files, and the largest.
  const inItsPlace = path.join(folder.path, ".B1.BAD.tmp");
  await mkdir(inItsPlace);
  await expect(put("gets-it@x.example")).rejects.toThrow();
  await rmdir(inItsPlace);
  await put("c@y.example");
  expect(JSON.parse(await readFile(path.join(folder.path, "B1.BDP"), "utf8"))).toMatchObject({
    recipients: [{ address: "c@y.example" }],
  });
  expect(await readFile(path.join(folder.path, "B1.BDR"), "utf8")).not.toContain("gets-it");
});
