// Size and names of source files.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { listSources } from "./source-files.ts";

const MAX_LINES = 400;
const KEBAB_CASE = /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)(?:\.[a-z0-9]+)*$/;

const tooLong = (file: string, text: string): string[] => {
  const lines = text.split("\n").length - 1;
  return lines > MAX_LINES ? [`${file} has ${lines} lines: it holds two things`] : [];
};

const badName = (file: string): string[] =>
  file.split("/").every((part) => KEBAB_CASE.test(part)) ? [] : [`${file} is not kebab-case`];

describe("source files", () => {
  const sources = listSources("src/**/*.ts", "runtime/**/*.ts");

  test("hold at most 400 lines", () => {
    expect(sources.flatMap((file) => tooLong(file, readFileSync(file, "utf8")))).toEqual([]);
  });

  test("have names in kebab-case", () => {
    expect(
      [...sources, ...listSources("test/**/*.ts", "tools/**/*.ts", "bench/**/*.ts")].flatMap(badName),
    ).toEqual([]);
  });

  test("begin with what they are for", () => {
    const silent = listSources("src/**/*.ts").filter(
      (file) => !/^(?:\/\/|\/\*\*?) \S/.test(readFileSync(file, "utf8")),
    );
    expect(silent).toEqual([]);
  });

  test("are refused when they are too long or named otherwise", () => {
    expect(tooLong("a.ts", "x\n".repeat(401))).toHaveLength(1);
    expect(badName("src/core/retrySchedule.ts")).toHaveLength(1);
    expect(badName("src/Core/a.ts")).toHaveLength(1);
    expect(badName("src/core/retry-schedule.test.ts")).toEqual([]);
  });
});
