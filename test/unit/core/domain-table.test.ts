import { describe, expect, test } from "vitest";
import { DomainTable } from "../../../src/core/domain-table.ts";

const table = new DomainTable([
  ["example.com", "itself"],
  ["*.example.com", "below"],
  ["*.deep.example.com", "far below"],
  ["bücher.example", "in Unicode"],
  ["example.com", "too late"],
]);

describe("a table by domain", () => {
  test.each([
    ["example.com", "itself"],
    ["EXAMPLE.com.", "itself"],
    ["a.example.com", "below"],
    ["b.a.example.com", "below"],
    ["deep.example.com", "below"],
    ["a.deep.example.com", "far below"],
    ["xn--bcher-kva.example", "in Unicode"],
    ["notexample.com", undefined],
    ["com", undefined],
    ["", undefined],
  ])("answers for %s what its most special name says: %s", (domain, value) => {
    expect(table.find(domain)).toBe(value);
  });

  test("answers for every domain where a * is, and for that of an address without one", () => {
    const all = new DomainTable([["*", "all"]]);
    expect(["example.com", "com", ""].map((domain) => all.find(domain))).toEqual(["all", "all", "all"]);
  });
});
