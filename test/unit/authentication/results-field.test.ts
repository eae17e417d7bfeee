import { describe, expect, test } from "vitest";
import { isOfServer, resultsValue } from "../../../src/authentication/results-field.ts";

describe("a field is ours", () => {
  test.each([
    ["mx.example.net; spf=pass", true],
    ["MX.Example.NET ; spf=pass", true],
    ["mx.example.net 1; spf=pass", true],
    [" (a (nested) comment) mx.example.net; none", true],
    ['"mx.example.net"; spf=pass', true],
    ['"mx.exam\\ple.net"; spf=pass', true],
    ["mx.example.net", true],
    ["mx.example.org; spf=pass", false],
    ["other.mx.example.net; spf=pass", false],
    ["(mx.example.net) other; spf=pass", false],
    ["", false],
  ])("%j: %s", (value, expected) => {
    expect(isOfServer(value, "mx.example.net")).toBe(expected);
  });
});

test("values are tokens, or quoted and bounded", () => {
  const value = resultsValue("mx", [
    { method: "dkim", result: "pass", properties: [["header.d", "a.example"]] },
    {
      method: "spf",
      result: "fail",
      reason: 'say "no"',
      properties: [
        ["smtp.mailfrom", `"${"x".repeat(1000)};"@e`],
        ["smtp.helo", undefined],
      ],
    },
  ]);
  expect(value).toContain(
    'mx; dkim=pass header.d=a.example; spf=fail reason="say \\"no\\"" smtp.mailfrom="\\"x',
  );
  expect(value.length).toBeLessThan(450);
});

test("no result at all is said as none", () => {
  expect(resultsValue("mx", [])).toBe("mx; none");
});
