// Lists, forwards and aliases: who gets the message in the end, what the sender hears, and that nobody is lost or served twice.
import { describe, expect, test } from "vitest";
import { FileDirectory } from "../../../../src/transport/categorizer/file-directory.ts";
import { SENDER, content, delivered, directoryOf, openCategorizer, reports } from "./categorizer-house.ts";
import { accepted } from "../transport-house.ts";

const STAFF = { lists: { "staff@corp.example": { members: ["ann@corp.example", "bob@far.example"] } } };

describe("a list", () => {
  test("is replaced by its members, each of which is written to once", async () => {
    const directory = directoryOf({
      lists: {
        "all@corp.example": { members: ["staff@corp.example", "ANN@corp.example", "eve@far.example"] },
        ...STAFF.lists,
      },
    });
    await using house = await openCategorizer(directory);
    await house.accept(["all@corp.example", "bob@far.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["ANN@corp.example", "bob@far.example", "eve@far.example"]);
    expect(house.transport.counts.recipients).toMatchObject({ relayed: 3, expanded: 1 });
  });

  test("that holds itself through another one ends, and its members get the message", async () => {
    const directory = directoryOf({
      lists: {
        "a@corp.example": { members: ["b@corp.example", "one@far.example"] },
        "b@corp.example": { members: ["a@corp.example", "two@far.example"] },
      },
    });
    await using house = await openCategorizer(directory);
    await house.accept(["a@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["one@far.example", "two@far.example"]);
    expect(reports(house)).toEqual([]);
  });

  test("without members, or of nothing but itself, is reported and not swallowed", async () => {
    const directory = directoryOf({
      lists: { "none@corp.example": {}, "self@corp.example": { members: ["self@corp.example"] } },
    });
    await using house = await openCategorizer(directory);
    await house.accept(["none@corp.example", "self@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual([]);
    const [report] = reports(house);
    expect(report?.to).toBe(SENDER);
    expect(report?.text).toContain("Status: 5.2.4");
    expect(report?.text).toContain("Status: 5.4.6");
  });

  test("with an owner sends under the owner's name, whose reports go there; what the sender asked for ends", async () => {
    const directory = directoryOf({
      users: { "boss@corp.example": {} },
      lists: {
        "news@corp.example": {
          members: ["ann@far.example", "gone@corp.example"],
          owner: "boss@corp.example",
        },
      },
    });
    await using house = await openCategorizer(directory, { unknown: "fail" });
    await house.accept([
      { address: "news@corp.example", notify: ["SUCCESS"] },
      { address: "direct@far.example" },
    ]);
    await house.empty();
    const [toList] = house.world.sent.filter(({ to }) => to.includes("ann@far.example"));
    expect(toList?.sender).toBe("boss@corp.example");
    expect(house.world.sent.find(({ to }) => to.includes("direct@far.example"))?.sender).toBe(SENDER);
    const found = reports(house);
    expect(found.find(({ to }) => to === "boss@corp.example")?.text).toMatch(
      /Original-Recipient: rfc822;news@corp\.example\r\nFinal-Recipient: rfc822;gone@corp\.example\r\nAction: failed\r\nStatus: 5\.1\.1/,
    );
    expect(found.find(({ to }) => to === SENDER)?.text).toContain("Action: delivered");
  });
});

test("a list that reports to nobody sends from the null sender, and what fails in it fails quietly", async () => {
  const directory = directoryOf({
    lists: {
      "quiet@corp.example": { members: ["ann@far.example", "gone@corp.example"], reportTo: "nobody" },
    },
  });
  await using house = await openCategorizer(directory, { unknown: "fail" });
  await house.accept(["quiet@corp.example"]);
  await house.empty();
  expect(house.world.sent.map(({ sender, to }) => [sender, to])).toEqual([["", ["ann@far.example"]]]);
  expect(await house.files("Badmail")).toEqual([]);
  expect(house.transport.counts.recipients).toMatchObject({ relayed: 1, bounced: 1, expanded: 1 });
});

test("a report on its way through a list with an owner keeps the null sender", async () => {
  const directory = directoryOf({
    users: { "boss@corp.example": {} },
    lists: { "news@corp.example": { members: ["ann@far.example"], owner: "boss@corp.example" } },
  });
  await using house = await openCategorizer(directory);
  await house.accept(["news@corp.example"], { sender: "" });
  await house.empty();
  expect(house.world.sent.map(({ sender, to }) => [sender, to])).toEqual([["", ["ann@far.example"]]]);
});

describe("what the sender asked for (RFC 3461 §5.2.7)", () => {
  test("SUCCESS is answered by an expanded report on the list, and does not go on to the members", async () => {
    await using house = await openCategorizer(directoryOf(STAFF));
    await house.accept([{ address: "staff@corp.example", notify: ["SUCCESS", "FAILURE"] }]);
    await house.empty();
    const [report, ...others] = reports(house);
    expect(report?.to).toBe(SENDER);
    expect(report?.text).toMatch(
      /Final-Recipient: rfc822;staff@corp\.example\r\nAction: expanded\r\nStatus: 2\./,
    );
    expect(others).toEqual([]);
    expect(delivered(house)).toEqual(["ann@corp.example", "bob@far.example"]);
  });

  test("FAILURE goes on to the members, and the expanded report does not deny it", async () => {
    const members = ["ann@corp.example", "bob@far.example"];
    await using house = await openCategorizer(directoryOf({ lists: { "staff@corp.example": { members } } }));
    house.world.answers.set("far.example", (message) => accepted(message, 550, "no such user"));
    await house.accept([{ address: "staff@corp.example", notify: ["SUCCESS", "FAILURE"] }]);
    await house.empty();
    const texts = reports(house).map(({ text }) => text);
    expect(texts).toHaveLength(2);
    expect(texts.find((text) => text.includes("Action: failed"))).toContain("rfc822;bob@far.example");
    expect(texts.find((text) => text.includes("Action: expanded"))).toContain(
      "\r\nYou will get no report of deliveries to single members.\r\n",
    );
  });

  test("an alias for one address hands everything on, and the first name stays known", async () => {
    const directory = directoryOf({ aliases: { "info@corp.example": ["ann@far.example"] } });
    await using house = await openCategorizer(directory);
    house.world.answer = (message) => {
      expect(message.recipients).toEqual([
        {
          address: "ann@far.example",
          notify: ["SUCCESS"],
          originalRecipient: "rfc822;info@corp.example",
          properties: { RP_DSN_PRE_CAT_ADDRESS: "rfc822;info@corp.example" },
        },
      ]);
      return { kind: "report", report: { replies: [{ code: 250, text: "ok" }], remote: "hop", dsn: true } };
    };
    await house.accept([{ address: "info@corp.example", notify: ["SUCCESS"] }]);
    await house.empty();
    expect(delivered(house)).toEqual(["ann@far.example"]);
    expect(reports(house)).toEqual([]);
  });
});

describe("a forward", () => {
  test("keeps a copy when it says so", async () => {
    const directory = directoryOf({
      users: {
        "ann@corp.example": { forwardTo: ["ann@far.example"], keepCopy: true },
        "bob@corp.example": { forwardTo: ["bob@far.example"] },
      },
    });
    await using house = await openCategorizer(directory);
    await house.accept(["ann@corp.example", "bob@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["ann@corp.example", "ann@far.example", "bob@far.example"]);
  });

  test("that names its own entry, by whatever name, is a copy kept here, and nothing else when it names nobody else", async () => {
    const lines = {
      aliases: {
        "info@corp.example": ["INFO@corp.example", "info@far.example"],
        "only@corp.example": ["only@corp.example"],
      },
      users: {
        "ann@corp.example": {
          aliases: ["a.lee@corp.example"],
          forwardTo: ["a.lee@corp.example", "ann@far.example"],
        },
        "bob@corp.example": { forwardTo: ["bob@corp.test"] },
        "eve@corp.example": { forwardTo: ["eve@corp.test", "eve@far.example"] },
        // Of a further name of the domain, and yet somebody else.
        "eve@corp.test": {},
      },
    };
    const further = { alias: ["corp.test"], standsFor: "corp.example" };
    const directory = new FileDirectory(content(lines), ["corp.example", "corp.test"], further);
    await using house = await openCategorizer(directory, { unknown: "fail" });
    const to = [
      "info@corp.example",
      "only@corp.example",
      "ann@corp.example",
      "bob@corp.example",
      "eve@corp.example",
    ];
    await house.accept(to);
    await house.empty();
    expect(delivered(house)).toEqual([
      "ann@corp.example",
      "ann@far.example",
      "bob@corp.example",
      "eve@corp.test",
      "eve@far.example",
      "info@corp.example",
      "info@far.example",
      "only@corp.example",
    ]);
    expect(reports(house)).toEqual([]);
  });

  test("round in a circle is reported once; a copy kept on the way ends it", async () => {
    const directory = directoryOf({
      users: {
        "a@corp.example": { forwardTo: ["b@corp.example"] },
        "b@corp.example": { forwardTo: ["c@corp.example"] },
        "c@corp.example": { forwardTo: ["b@corp.example"] },
        "x@corp.example": { forwardTo: ["y@corp.example"] },
        "y@corp.example": { forwardTo: ["x@corp.example"], keepCopy: true },
      },
    });
    await using house = await openCategorizer(directory);
    await house.accept(["a@corp.example", "x@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["y@corp.example"]);
    const found = reports(house);
    expect(found).toHaveLength(1);
    expect(found[0]?.text.match(/Status: 5\.4\.6/g)).toHaveLength(1);
    expect(found[0]?.text).toContain("Final-Recipient: rfc822;a@corp.example");
  });

  test("of two recipients to each other is a circle as well", async () => {
    const directory = directoryOf({
      users: {
        "a@corp.example": { forwardTo: ["b@corp.example"] },
        "b@corp.example": { forwardTo: ["a@corp.example"] },
      },
    });
    await using house = await openCategorizer(directory);
    await house.accept(["a@corp.example", "b@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual([]);
    expect(reports(house)[0]?.text.match(/Status: 5\.4\.6/g)?.length).toBeGreaterThan(0);
  });
});

describe("limits", () => {
  test("lists nested deeper than maxDepth fail, the others do not", async () => {
    const directory = directoryOf({
      lists: {
        "l0@corp.example": { members: ["l1@corp.example", "one@far.example"] },
        "l1@corp.example": { members: ["l2@corp.example", "two@far.example"] },
        "l2@corp.example": { members: ["three@far.example"] },
      },
    });
    await using house = await openCategorizer(directory, { maxDepth: 2 });
    await house.accept(["l0@corp.example"]);
    await house.empty();
    expect(delivered(house)).toEqual(["one@far.example", "two@far.example"]);
    expect(reports(house)[0]?.text).toMatch(/Final-Recipient: rfc822;l2@corp\.example[^]*Status: 5\.4\.6/);
  });

  test("a message that would come to more than maxRecipients goes to nobody", async () => {
    const members = Array.from({ length: 30 }, (_one, index) => `m${index}@far.example`);
    const directory = directoryOf({ lists: { "big@corp.example": { members } } });
    await using house = await openCategorizer(directory, { maxRecipients: 20 });
    await house.accept(["big@corp.example", "one@far.example"]);
    await house.empty();
    expect(delivered(house)).toEqual([]);
    expect(reports(house)[0]?.text.match(/Status: 5\.5\.3/g)).toHaveLength(2);
  });

  test("thousands of members are looked up in batches, and all of them get it", async () => {
    const members = Array.from({ length: 5000 }, (_one, index) => `m${index}@far.example`);
    const directory = directoryOf({ lists: { "big@corp.example": { members } } });
    await using house = await openCategorizer(directory, { batchSize: 100 });
    await house.accept(["big@corp.example"]);
    await house.empty();
    expect(delivered(house)).toHaveLength(5000);
  });
});
