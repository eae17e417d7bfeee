// CDO.DropDirectory and its Messages over a Drop folder with files as the service writes them, through the real script host.
import { mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type GrantingHost, startGrantingHost } from "./granting-host.ts";

const ALLOWED = { drop: true };
const OPEN = `const d = new ActiveXObject("CDO.DropDirectory").GetMessages();`;
const nameOf = (number: number): string => `${String(number).padStart(12, "0")}ABCDEF.eml`;

let host: GrantingHost;
let drop = "";
beforeAll(async () => {
  host = await startGrantingHost((root) => ({
    dropFolder: () => path.join(root, "Drop"),
    settings: { processes: 1, maxDropMessages: 3 },
  }));
  drop = path.join(host.root, "Drop");
  await writeFile(path.join(host.root, "secret.eml"), "secret");
});
afterAll(() => host[Symbol.asyncDispose]());
beforeEach(async () => {
  await mkdir(drop);
  for (const number of [3, 1, 2])
    await writeFile(
      path.join(drop, nameOf(number)),
      `x-sender: s@example.com\r\nx-receiver: r@example.com\r\nSubject: number ${number}\r\n\r\nbody ${number}\r\n`,
    );
  await writeFile(path.join(drop, "foreign.eml"), "Subject: foreign\r\n\r\n");
  await writeFile(path.join(drop, ".000000000009ABCDEF.tmp"), "");
  await symlink(path.join(host.root, "secret.eml"), path.join(drop, nameOf(7)));
});
afterEach(() => rm(drop, { recursive: true }));

const say = async (code: string, allow = ALLOWED): Promise<readonly string[]> => {
  const { said, fault } = await host.run(code, allow);
  if (fault !== undefined) throw new Error(fault);
  return said;
};
const left = async (): Promise<string[]> =>
  (await readdir(drop)).filter((name) => name.startsWith("0")).toSorted();

test("the messages that the service wrote are there, oldest first, as messages with their envelope lines", async () => {
  expect(
    await say(`${OPEN} console.log(d.Count, d.length, d.Item(1).Subject, d(2).TextBody.trim(), d.FileName(3));
      console.log([...d].map((m) => m.Subject).join());
      const e = new Enumerator(d); e.moveNext(); console.log(e.item() === d.Item(2), d.FileName(e.item()));
      console.log(d.Item(1).Fields("urn:schemas:mailheader:x-receiver").Value, new CDO.DropDirectory().GetMessages().count)`),
  ).toEqual([
    `3 3 number 1 body 2 ${nameOf(3)}`,
    "number 1,number 2,number 3",
    `true ${nameOf(2)}`,
    "r@example.com 3",
  ]);
});

test("a message of Drop is no new one: its text stays when its HTML is set, until the script says otherwise", async () => {
  expect(
    await say(`${OPEN} const m = d.Item(1); const was = m.AutoGenerateTextBody; m.HTMLBody = "<p>page"; console.log(was, m.TextBody.trim());
      m.AutoGenerateTextBody = true; d.Item(1).HTMLBody = "<p>other"; console.log(m.TextBody)`),
  ).toEqual(["false body 1", "other"]);
});

test("Delete removes the file and those behind it move up; DeleteAll removes the rest and nothing else", async () => {
  expect(
    await say(
      `${OPEN} d.Delete(2); console.log(d.Count, d.FileName(2)); d.Delete(d.Item(1)); console.log(d.Count)`,
    ),
  ).toEqual([`2 ${nameOf(3)}`, "1"]);
  expect(await left()).toEqual([nameOf(3), nameOf(7)]);
  expect(await say(`${OPEN} d.DeleteAll(); console.log(d.Count)`)).toEqual(["0"]);
  expect((await readdir(drop)).toSorted()).toEqual(
    [".000000000009ABCDEF.tmp", nameOf(7), "foreign.eml"].toSorted(),
  );
});

test("a further file of a message comes before it, and is deleted as its own", async () => {
  const further = nameOf(2).replace(".", "-2.");
  await writeFile(path.join(drop, further), "Subject: further\r\n\r\n");
  expect(await say(`${OPEN} console.log(d(2).Subject); d.Delete(2); console.log(d.FileName(2))`)).toEqual([
    "further",
    nameOf(2),
  ]);
  expect(await left()).toEqual([nameOf(1), nameOf(2), nameOf(3), nameOf(7)]);
});

test("a message of Drop can be changed and sent, and is bound to no file", async () => {
  expect(
    await say(
      `${OPEN} const m = d(1); m.Subject = "changed"; console.log(m.DataSource.SourceClass); m.DataSource.Save()`,
    ),
  ).toEqual(["", expect.stringMatching(/^CDO_E_NOT_OPENED /)]);
  expect(await say(`${OPEN} console.log(d(1).Subject)`)).toEqual(["number 1"]);
});

test("the folder may be named when it is the service's Drop", async () => {
  expect(
    await say(`console.log(new CDO.DropDirectory().GetMessages(${JSON.stringify(`${drop}/`)}).Count)`),
  ).toEqual(["3"]);
});

describe("refused", () => {
  test.each([
    ["without the capability", OPEN, /^CDO_E_NOT_AVAILABLE .*allow: \{ drop: true \}/, {}],
    [
      "another folder",
      `new CDO.DropDirectory().GetMessages("/etc")`,
      /^CDO_E_UNSAFE_OPERATION .*only the Drop folder/,
      ALLOWED,
    ],
    ["a place that is not there", `${OPEN} d.Item(4)`, /^CDO_E_NOT_FOUND .*message 4 of 3/, ALLOWED],
    ["a place below the first", `${OPEN} d.Delete(0)`, /^CDO_E_NOT_FOUND /, ALLOWED],
    ["a message of another place", `${OPEN} d.FileName(msg)`, /^CDO_E_NOT_FOUND /, ALLOWED],
    ["writing Count", `${OPEN} d.Count = 1`, /^CDO_E_PROP_READONLY /, ALLOWED],
  ])("%s", async (_what, code, expected, allow) => {
    const { said } = await host.run(code, allow);
    expect(said).toEqual([expect.stringMatching(expected)]);
    expect(await left()).toHaveLength(4);
  });

  test("a message that is gone meanwhile", async () => {
    expect(
      await say(`${OPEN} const other = new CDO.DropDirectory().GetMessages(); other.Delete(1); d.Delete(1); console.log(d.Count);
        other.Delete(1); d.Item(1)`),
    ).toEqual(["2", expect.stringMatching(/^CDO_E_NOT_FOUND .*no longer/)]);
  });

  test("more messages than limits.messages", async () => {
    expect(
      (await host.run(`${OPEN} for (const m of d) m.Subject;`, ALLOWED, { limits: { messages: 2 } })).fault,
    ).toMatch(/messages \(2\)/);
  });
});

test("a listing is bounded by maxDropMessages; the rest comes with the next", async () => {
  await writeFile(path.join(drop, nameOf(4)), "Subject: number 4\r\n\r\n");
  expect(
    await say(
      `${OPEN} console.log(d.Count); d.DeleteAll(); console.log([...new CDO.DropDirectory().GetMessages()].map((m) => m.Subject).join())`,
    ),
  ).toEqual(["3", "number 4"]);
});
