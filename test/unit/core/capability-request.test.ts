import { expect, test } from "vitest";
import { capabilityRequestProblem } from "../../../src/core/capability-request.ts";

const FETCH = { kind: "fetch", url: "https://a.example/", method: "GET", headers: [["x-a", "b"]] };
const SET = { kind: "kv", operation: "set", key: "k", ttlMs: 1 };
const DNS = { kind: "dns", type: "MX", name: "_dmarc.a.example" };

test.each([
  FETCH,
  { ...FETCH, headers: [] },
  SET,
  { kind: "kv", operation: "get", key: "ä" },
  { kind: "kv", operation: "delete", key: "k" },
  DNS,
])("a request as it should be has no problem: %j", (request) => {
  expect(capabilityRequestProblem(request)).toBeUndefined();
});

test.each([
  [undefined, "no request"],
  [null, "no request"],
  [{}, "no request"],
  [{ kind: "file" }, "kind"],
  [{ ...FETCH, url: 7 }, "URL"],
  [{ ...FETCH, url: "x".repeat(10_000) }, "URL"],
  [{ ...FETCH, url: "\ud800" }, "URL"],
  [{ ...FETCH, method: "get" }, "method"],
  [{ ...FETCH, method: "x GET" }, "method"],
  [{ ...FETCH, method: "GET x" }, "method"],
  [{ ...FETCH, headers: {} }, "headers"],
  [{ ...FETCH, headers: [["x"]] }, "name of a header"],
  [{ ...FETCH, headers: [["x y", ""]] }, "name of a header"],
  [{ ...FETCH, headers: [[":x", ""]] }, "name of a header"],
  [{ ...FETCH, headers: [["x", 7]] }, "value of the header x"],
  [{ ...FETCH, headers: [["x", "a\r\nb: c"]] }, "value of the header x"],
  [{ ...FETCH, headers: [["x", "a\0"]] }, "value of the header x"],
  [{ ...FETCH, headers: Array.from({ length: 101 }, () => ["x", "y"]) }, "100 headers"],
  [
    {
      ...FETCH,
      headers: [
        ["a", "x".repeat(20_000)],
        ["b", "x".repeat(20_000)],
      ],
    },
    "characters of headers",
  ],
  [{ ...SET, operation: "drop" }, "operation"],
  [{ ...SET, key: "" }, "key"],
  [{ ...SET, key: "k".repeat(1025) }, "key"],
  [{ ...SET, ttlMs: 0 }, "ttlMs"],
  [{ ...SET, ttlMs: 1.5 }, "ttlMs"],
  [{ ...SET, ttlMs: "1" }, "ttlMs"],
  [{ kind: "kv", operation: "get", key: "k", ttlMs: 5 }, "ttlMs"],
  [{ ...DNS, type: "mx" }, "type of record"],
  [{ ...DNS, name: "a b" }, "name"],
  [{ ...DNS, name: 7 }, "name"],
  [{ ...DNS, name: "a".repeat(256) }, "name"],
])("%j is refused", (request, problem) => {
  expect(capabilityRequestProblem(request)).toContain(problem);
});
