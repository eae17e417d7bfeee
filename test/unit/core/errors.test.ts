import { expect, test } from "vitest";
import { describeError } from "../../../src/core/errors.ts";

test("an error is described on one line, and its blanks are its own", () => {
  expect(describeError(new Error("one \r\n\t two  three\n"))).toBe("one two  three ");
});

test("an error of many blanks is described in time that grows with its size only", () => {
  const startedAt = performance.now();
  expect(describeError(new Error(`a${" ".repeat(150_000)}b`))).toHaveLength(150_002);
  expect(performance.now() - startedAt).toBeLessThan(2000);
});
