import { describe, expect, test } from "vitest";
import { needsProblem } from "../../../../src/sandbox/versions/script-needs.ts";
import { Secrets } from "../../../../src/sandbox/capabilities/secrets.ts";

const secretsOf = (values: Record<string, string>): Secrets => new Secrets(new Map(Object.entries(values)));

describe("secrets", () => {
  test("go only to those whose binding names them", () => {
    const secrets = secretsOf({ A: "value a", B: "value b" });
    expect(secrets.pick(["A", "UNDEFINED"])).toEqual({ A: "value a" });
    expect(secrets.pick([])).toBeUndefined();
    expect(secrets.pick(undefined)).toBeUndefined();
  });

  test.each([
    ["the value", "key is hunter2!", "key is [secret KEY]"],
    ["each time", "hunter2!hunter2! x", "[secret KEY][secret KEY] x"],
    ["the longest first", "hunter2!-long", "[secret LONG]"],
    ["as part of a URL", "https://a/?k=s%20p%2Fc", "https://a/?k=[secret SPACED]"],
    ["with characters of regular expressions", "a.*$&b", "[secret PATTERN]"],
    ["a line of several", "MIIEvQIBADANBgkqhkiG9w0BAQ is in", "[secret PEM] is in"],
    ["not a short one", "abc in abcdef", "abc in abcdef"],
    ["nothing else", "HUNTER2! is another", "HUNTER2! is another"],
  ])("are taken out of texts: %s", (_what, text, expected) => {
    const secrets = secretsOf({
      SHORT: "abc",
      KEY: "hunter2!",
      LONG: "hunter2!-long",
      SPACED: "s p/c",
      PATTERN: "a.*$&b",
      PEM: "-----BEGIN-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nshort\n",
    });
    expect(secrets.redact(text)).toBe(expected);
  });

  const AWKWARD = 'pa"ss\\word+x y';
  test.each([
    ["as console shows it in an object", `{q: ${JSON.stringify(AWKWARD)}}`, '{q: "[secret KEY]"}'],
    ["in a form", new URLSearchParams({ q: AWKWARD }).toString(), "q=[secret KEY]"],
    ["in the path of a URL", new URL(`http://host/${AWKWARD}/x`).href, "http://host/[secret KEY]/x"],
    ["as one line", "key pa ss word", "key [secret TAB]"],
    ["as base64", `Basic ${btoa(AWKWARD)}`, /^Basic \[secret KEY\].?=*$/],
    ["as base64 behind one byte", `Basic ${btoa(`u${AWKWARD}`)}`, /^Basic ..\[secret KEY\].?=*$/],
    ["as base64 behind two", `Basic ${btoa(`u:${AWKWARD}:`)}`, /^Basic ...\[secret KEY\].{1,3}=*$/],
    ["where the text was cut", 'is "http://a/pa"ss\\wo…" or', 'is "http://a/[secret KEY]…" or'],
    ["where an encoded one was cut", "q=pa%22ss%5Cwo…", "q=[secret KEY]…"],
    ["the longest where the text was cut", "zzzzabcd… abcd…", "[secret LONG]… [secret OTHER]…"],
    ["not three characters of it", 'pa"…', 'pa"…'],
  ])("are taken out in other forms and in part: %s", (_what, text, expected) => {
    const secrets = secretsOf({
      KEY: AWKWARD,
      TAB: "pa\tss\r\nword",
      OTHER: "abcd and much more",
      LONG: "zzzzabcd-efg",
    });
    expect(secrets.redact(text)).toEqual(
      typeof expected === "string" ? expected : expect.stringMatching(expected),
    );
  });

  test("that were replaced are still taken out: a script may hold the old value", () => {
    const secrets = secretsOf({ KEY: "old value" });
    secrets.replace(new Map([["KEY", "new value"]]));
    expect(secrets.redact("old value, new value")).toBe("[secret KEY], [secret KEY]");
    expect(secrets.pick(["KEY"])).toEqual({ KEY: "new value" });
  });

  test("leave console lines, faults and notes of edits of a call", () => {
    const secrets = secretsOf({ KEY: "hunter2!" });
    const outcome = {
      verdict: 0,
      logs: [{ level: "info", text: "using hunter2!" }],
      logsDropped: 0,
      micros: 1,
      readBody: false,
      fault: { kind: "throw", message: "a.ts:1:1: no hunter2!", script: "a.ts", version: "v" },
      changes: [{ what: "header X-hunter2!", line: 1 }],
    } as const;
    const redacted = secrets.redactOutcome(outcome);
    expect(JSON.stringify(redacted)).not.toContain("hunter2!");
    expect(redacted).toMatchObject({
      logs: [{ level: "info", text: "using [secret KEY]" }],
      fault: { message: "a.ts:1:1: no [secret KEY]" },
      changes: [{ what: "header X-[secret KEY]", line: 1 }],
    });
  });
});

describe("what a script asks for at load", () => {
  const allow = { fetch: ["https://a.test/"], kv: true, dns: true, secrets: ["KEY"] };

  test("is granted when each of its bindings grants it", () => {
    const needs = ["fetch", "kv", "dns", "secret KEY"];
    expect(needsProblem("a.ts", needs, [{ binding: "one", allow }])).toBeUndefined();
    expect(needsProblem("a.ts", [], [])).toBeUndefined();
  });

  test.each([
    ["fetch", { ...allow, fetch: [] }, 'allow: { fetch: ["https://host/path/"] }'],
    ["kv", { ...allow, kv: false }, "allow: { kv: true }"],
    ["dns", { fetch: allow.fetch }, "allow: { dns: true }"],
    ["secret OTHER", allow, 'allow: { secrets: ["OTHER"] }'],
  ])("%s that one binding does not grant is named with the setting", (need, narrow, setting) => {
    const bindings = [
      { binding: "one", allow: { ...allow, secrets: ["KEY", "OTHER"] } },
      { binding: "two", allow: narrow },
    ];
    const problem = needsProblem("a.ts", [need], bindings);
    expect(problem).toBe(
      `a.ts: asks for ${need}, which its binding "two" does not grant; in the configuration it needs ${setting}`,
    );
  });

  test("is not granted to a script that the configuration does not mention", () => {
    expect(needsProblem("a.ts", ["kv"], [])).toMatch(
      /needs an entry under bindings .* allow: \{ kv: true \}/,
    );
  });

  test("that is unknown is granted by nothing", () => {
    expect(needsProblem("a.ts", ["root"], [{ binding: "one", allow }])).toContain("asks for root");
  });
});
