// What senders may send and recipients take, and what the sender of a refused message hears.
import { expect, test } from "vitest";
import { accepted } from "../transport-house.ts";
import type { Lines } from "./categorizer-house.ts";
import { SENDER, delivered, directoryOf, openCategorizer, reports } from "./categorizer-house.ts";

const BIG = `Subject: big\r\n\r\n${"x".repeat(2000)}\r\n`;

const LINES: Lines = {
  users: {
    "boss@corp.example": { aliases: ["chief@corp.example"] },
    "ann@corp.example": {},
    "small@corp.example": { maxReceive: 1000 },
    "shy@corp.example": { acceptFrom: ["chief@corp.example", "*@friend.example"] },
    "cross@corp.example": { rejectFrom: [SENDER] },
    "inner@corp.example": { requireAuthentication: true },
    "meek@corp.example": { maxSend: 1000, maxRecipients: 2 },
  },
  lists: {
    "board@corp.example": { members: ["managers@corp.example"], acceptFrom: ["members"] },
    "managers@corp.example": { members: ["boss@corp.example"] },
    "both@corp.example": { members: ["ann@corp.example", "small@corp.example"] },
  },
};

interface Case {
  readonly what: string;
  readonly to: string;
  readonly sender?: string;
  readonly text?: string;
  readonly user?: string;
  readonly via?: "pickup" | "dsn";
  readonly status?: string;
}

const CASES: readonly Case[] = [
  { what: "more bytes than the recipient takes", to: "small@corp.example", text: BIG, status: "5.3.4" },
  { what: "fewer bytes than the recipient takes", to: "small@corp.example" },
  {
    what: "more bytes than the sender may send",
    to: "a@far.example",
    sender: "meek@corp.example",
    text: BIG,
    status: "5.3.4",
  },
  { what: "a sender who is not on the list of the recipient", to: "shy@corp.example", status: "5.7.1" },
  { what: "a sender of a domain on the list", to: "shy@corp.example", sender: "any@friend.example" },
  { what: "a sender on the list by another address", to: "shy@corp.example", sender: "boss@corp.example" },
  { what: "a sender whom the recipient rejects", to: "cross@corp.example", status: "5.7.1" },
  { what: "another sender", to: "cross@corp.example", sender: "other@far.example" },
  { what: "a sender without a password", to: "inner@corp.example", status: "5.7.1" },
  { what: "a sender with a password", to: "inner@corp.example", user: "ann" },
  { what: "mail of the Pickup folder", to: "inner@corp.example", via: "pickup" },
  {
    what: "our own report to somebody who takes mail of friends only",
    to: "shy@corp.example",
    sender: "",
    via: "dsn",
  },
  { what: "a list, by somebody who is no member", to: "board@corp.example", status: "5.7.1" },
  { what: "a list, by a member of a list in it", to: "board@corp.example", sender: "boss@corp.example" },
  { what: "an unknown user of our domain", to: "nobody@corp.example", status: "5.1.1" },
  { what: "postmaster, whom nobody wrote into the directory", to: "Postmaster@corp.example" },
  { what: "an unknown user of another domain", to: "nobody@far.example" },
];

test.each(CASES)("$what: $status", async ({ to, status, sender = SENDER, text, user, via }) => {
  await using house = await openCategorizer(directoryOf(LINES), { unknown: "fail" });
  await house.accept([to], {
    sender,
    ...(text && { text }),
    origin: { ...(user && { user }), ...(via && { via }) },
  });
  await house.empty();
  if (status === undefined) {
    expect(house.world.sent).toHaveLength(1);
    expect(house.world.sent[0]?.sender).toBe(sender);
  } else {
    expect(delivered(house)).toEqual([]);
    expect(reports(house)[0]?.to).toBe(sender);
    expect(reports(house)[0]?.text).toMatch(new RegExp(`Final-Recipient: rfc822;${to}[^]*Status: ${status}`));
  }
});

test("recipients are counted behind lists: one more than the sender may have fails them all", async () => {
  await using house = await openCategorizer(directoryOf(LINES));
  await house.accept(["both@corp.example"], { sender: "meek@corp.example" });
  await house.accept(["both@corp.example", "a@far.example"], { sender: "meek@corp.example" });
  await house.empty();
  expect(delivered(house)).toEqual(["ann@corp.example", "small@corp.example"]);
  expect(reports(house)[0]?.text.match(/Status: 5\.5\.3/g)).toHaveLength(2);
});

test("a member who cannot take it does not keep it from the others, and the report names the list", async () => {
  await using house = await openCategorizer(directoryOf(LINES));
  await house.accept(["both@corp.example"], { text: BIG });
  await house.empty();
  expect(delivered(house)).toEqual(["ann@corp.example"]);
  expect(reports(house)[0]?.text).toMatch(
    /Original-Recipient: rfc822;both@corp\.example\r\nFinal-Recipient: rfc822;small@corp\.example/,
  );
});

test("recipients by further names of an entry fail, and are expanded, by the names that the client used", async () => {
  const { users, lists } = LINES;
  const directory = directoryOf({
    users: { ...users, "small@corp.example": { maxReceive: 1000, aliases: ["tiny@corp.example"] } },
    lists: {
      ...lists,
      "team@corp.example": { members: ["ann@corp.example"], aliases: ["crew@corp.example"] },
    },
  });
  await using house = await openCategorizer(directory);
  const recipients = [
    { address: "small@corp.example" },
    { address: "tiny@corp.example", originalRecipient: "rfc822;wee@far.example" },
    { address: "crew@corp.example", notify: ["SUCCESS"] as const },
  ];
  await house.accept(recipients, { text: BIG });
  await house.empty();
  const fields = reports(house).flatMap(
    ({ text }) => text.match(/(?:Original|Final)-Recipient: .*|Action: .*/g) ?? [],
  );
  expect(fields).toEqual([
    "Final-Recipient: rfc822;small@corp.example",
    "Action: failed",
    "Original-Recipient: rfc822;wee@far.example",
    "Final-Recipient: rfc822;tiny@corp.example",
    "Action: failed",
    "Final-Recipient: rfc822;crew@corp.example",
    "Action: expanded",
  ]);
  expect(delivered(house)).toEqual(["ann@corp.example"]);
});

test("what cannot be returned because its sender is null goes to Badmail", async () => {
  await using house = await openCategorizer(directoryOf(LINES), { unknown: "fail" });
  house.world.answer = (message) => accepted(message, 550, "no");
  // One fails here, and one later, at the next hop.
  const id = await house.accept(["nobody@corp.example", "gone@far.example"], { sender: "" });
  await house.empty();
  const why = await house.read("Badmail", `${id}.BDR`);
  expect(why.match(/^Re(?:ason|cipient): .*$/gm)).toEqual([
    expect.stringMatching(/nobody@corp\.example: .*No such user here/),
    expect.stringMatching(/gone@far\.example: .*no$/),
    "Recipient: <nobody@corp.example>",
    "Recipient: <gone@far.example>",
  ]);
  expect(JSON.parse(await house.read("Badmail", `${id}.BDP`))).toMatchObject({
    recipients: [{ address: "nobody@corp.example" }, { address: "gone@far.example" }],
  });
  expect(house.transport.counts.recipients).toMatchObject({ badmail: 2, bounced: 0 });
});
