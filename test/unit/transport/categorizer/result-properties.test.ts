// What later sinks read of the categorization in the properties of the original (REFERENCE 4.6.2, 4.6.3).
import { expect, test } from "vitest";
import { IMMPID } from "../../../../src/message/properties.ts";
import { nativeSink } from "../transport-house.ts";
import { type Lines, SENDER, delivered, directoryOf, openCategorizer } from "./categorizer-house.ts";

const LINES: Lines = {
  aliases: { "info@corp.example": ["ann@corp.example"] },
  users: {
    "ann@corp.example": { aliases: ["a.nn@corp.example"], displayName: "Ann Lee" },
    "bob@corp.example": { displayName: "Bob", forwardTo: ["bob@far.example"] },
    "long@corp.example": { displayName: "x".repeat(10_000) },
  },
  lists: {
    "staff@corp.example": { members: ["ann@corp.example", "eve@far.example"], owner: "ann@corp.example" },
  },
};

interface Result {
  readonly message: string;
  readonly status: number | undefined;
  readonly recipients: readonly (readonly (string | undefined)[])[];
  readonly isWritten: boolean;
}

/** What a sink of OnPostCategorize reads of the messages that one to these recipients comes to. */
async function resultsFor(
  to: readonly string[],
  prepared: Readonly<Record<string, string>> = {},
): Promise<Result[]> {
  const results: Omit<Result, "isWritten">[] = [];
  const before = nativeSink(({ recipients }) => {
    for (const [address, name] of Object.entries(prepared))
      recipients.propertiesOf(address).put(IMMPID.RP_DISPLAY_NAME, name);
  });
  const after = nativeSink(({ sender, properties, recipients }) => {
    const read = recipients.items.map(({ address }) => {
      const own = recipients.propertiesOf(address);
      return [address, own.find(IMMPID.RP_DSN_PRE_CAT_ADDRESS), own.find(IMMPID.RP_DISPLAY_NAME)];
    });
    results.push({ message: sender, status: properties.find(IMMPID.MP_HR_CAT_STATUS), recipients: read });
  });
  await using house = await openCategorizer(
    directoryOf(LINES),
    {},
    { sinks: [before], laterSinks: { OnPostCategorize: [after] } },
  );
  await house.accept(to);
  await house.empty();
  expect(delivered(house)).toHaveLength(results.flatMap(({ recipients }) => recipients).length);
  const isWritten = house.log.some(({ message }) => message === "message categorized");
  return results.map((result) => ({ ...result, isWritten }));
}

test("its result, the name in the directory, and the address before it are there, in the copies as well", async () => {
  expect(await resultsFor(["a.nn@corp.example", "bob@corp.example", "eve@far.example"])).toEqual([
    {
      message: SENDER,
      status: 0,
      recipients: [
        ["ann@corp.example", "rfc822;a.nn@corp.example", "Ann Lee"],
        ["eve@far.example", undefined, undefined],
        ["bob@far.example", "rfc822;bob@corp.example", undefined],
      ],
      isWritten: true,
    },
  ]);
  expect(await resultsFor(["staff@corp.example"])).toMatchObject([
    {
      message: "ann@corp.example",
      status: 0,
      recipients: [
        ["ann@corp.example", "rfc822;staff@corp.example", "Ann Lee"],
        ["eve@far.example", "rfc822;staff@corp.example", undefined],
      ],
    },
  ]);
  expect((await resultsFor(["info@corp.example"]))[0]?.recipients).toEqual([
    ["ann@corp.example", "rfc822;info@corp.example", "Ann Lee"],
  ]);
});

test("a message that comes out as it went in is not written for the names, and what a sink has written counts", async () => {
  const [result] = await resultsFor(["ann@corp.example", "long@corp.example"], {
    "ann@corp.example": "Chief",
  });
  expect(result).toEqual({
    message: SENDER,
    status: 0,
    recipients: [
      ["ann@corp.example", undefined, "Chief"],
      ["long@corp.example", undefined, "x".repeat(256)],
    ],
    isWritten: false,
  });
});
