// Directories of a file, and several as one.
import { expect, test } from "vitest";
import type { DirectoryAnswer } from "../../../../src/events/contexts/directory-entries.ts";
import { DirectoryChain } from "../../../../src/transport/categorizer/directory-chain.ts";
import type { Directory } from "../../../../src/transport/categorizer/directory.ts";
import { FileDirectory } from "../../../../src/transport/categorizer/file-directory.ts";
import { content, directoryOf } from "./categorizer-house.ts";

async function ask(directory: Directory, ...addresses: string[]): Promise<string[]> {
  const queries = addresses.map((value) => ({ by: "address", value }) as const);
  const answers: readonly DirectoryAnswer[] = await directory.resolve(queries, []);
  return answers.map((answer) => (answer.kind === "found" ? answer.entry.key : answer.kind));
}

test("a file knows its domains, and the further names of the first one", async () => {
  const lines = content({ users: { "ann@corp.example": { aliases: ["a.lee@far.example"] } } });
  const directory = new FileDirectory(lines, ["corp.example", "corp.test"], {
    alias: ["corp.test"],
    standsFor: "corp.example",
  });
  expect(
    await ask(
      directory,
      "ANN@Corp.Example",
      "a.lee@far.example",
      "ann@corp.test",
      "bob@corp.test",
      "x@far.example",
    ),
  ).toEqual(["ann@corp.example", "ann@corp.example", "ann@corp.example", "unknown", "not-mine"]);
});

test("a file knows the subdomains that a pattern means, and names of theirs, in both spellings", async () => {
  const lines = content({ users: { "ann@corp.example": {}, "ann@x.corp.example": {} } });
  const directory = new FileDirectory(lines, ["corp.example", "*.corp.example", "*.bücher.example"], {
    alias: ["*.bücher.example"],
    standsFor: "corp.example",
  });
  expect(
    await ask(
      directory,
      "ann@X.corp.example",
      "bob@x.corp.example",
      "ann@de.BÜCHER.example",
      "bob@de.xn--bcher-kva.example",
      "ann@bücher.example",
      "x@notcorp.example",
    ),
  ).toEqual(["ann@x.corp.example", "unknown", "ann@corp.example", "unknown", "not-mine", "not-mine"]);
});

test("the first directory that has an entry answers; only those that have none are asked further", async () => {
  const asked: number[] = [];
  const second = directoryOf({
    users: { "bob@corp.example": {}, "ann@corp.example": { aliases: ["second@x"] } },
  });
  const chain = new DirectoryChain([
    directoryOf({ users: { "ann@corp.example": {} } }),
    {
      resolve: (queries, attributes) => {
        asked.push(queries.length);
        return second.resolve(queries, attributes);
      },
      close: () => second.close(),
    },
  ]);
  expect(
    await ask(chain, "ann@corp.example", "bob@corp.example", "nobody@corp.example", "x@far.example"),
  ).toEqual(["ann@corp.example", "bob@corp.example", "unknown", "not-mine"]);
  expect(asked).toEqual([3]);
  await chain.close();
});
