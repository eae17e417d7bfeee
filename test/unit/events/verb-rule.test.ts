import { describe, expect, test } from "vitest";
import { matchesCommand, matchesVerb, parseVerbRule } from "../../../src/events/verb-rule.ts";

describe("rules of protocol events", () => {
  test.each([
    ["EHLO", "EHLO", "client.example.net", true],
    ["ehlo", "EHLO", "client.example.net", true],
    ["EHLO", "MAIL", "", false],
    ["MAIL;RCPT", "RCPT", "a@b", true],
    ["mail from=*", "MAIL", "a@example.com", true],
    ["RCPT TO=*@example.com", "RCPT", "A@EXAMPLE.com", true],
    ["RCPT TO=*@example.com", "RCPT", "a@example.org", false],
    ["EHLO=mx*.example.*", "EHLO", "mx7.example.net", true],
    ["EHLO=mx*.example.*", "EHLO", "mx7.sample.net", false],
    ["X=a*a", "X", "a", false],
    ["X=a*a", "X", "aba", true],
    ["X=*ab*ba", "X", "aba", false],
    ["X=*a*b*", "X", "xbxaxb", true],
    ["*", "ANYTHING", "at all", true],
    ["_EOD", "_EOD", "", true],
  ])("%s and %s %s: %s", (text, verb, argument, expected) => {
    const rule = parseVerbRule(text);
    expect(rule.ignored).toEqual([]);
    expect(matchesCommand(rule, verb, argument)).toBe(expected);
  });

  test("conditions that cannot be parsed are named, and the others count", () => {
    const rule = parseVerbRule("E H L O; =x; MAIL; EHLO=");
    expect(rule.ignored).toEqual(["E H L O", "=x", "EHLO="]);
    expect(matchesVerb(rule, "MAIL")).toBe(true);
    expect(matchesVerb(rule, "EHLO")).toBe(false);
  });

  test("a pattern of many stars is linear in the text that a client sends", () => {
    const rule = parseVerbRule(`X=${"a*".repeat(400)}b`);
    const started = process.cpuUsage().user;
    expect(matchesCommand(rule, "X", "a".repeat(4000))).toBe(false);
    expect(process.cpuUsage().user - started).toBeLessThan(500_000);
  });
});
