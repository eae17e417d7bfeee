import { describe, expect, test } from "vitest";
import { matchesCondition, parseRule, type Rule, type RuleSubject } from "../../../src/events/rule.ts";
import { RuleIndex } from "../../../src/events/rule-index.ts";

const subject = (parts: Partial<{ helo: string; from: string; to: string[] }>): RuleSubject => ({
  heloDomain: parts.helo,
  sender: parts.from ?? "",
  recipients: (parts.to ?? []).map((address) => ({ address })),
});

/** Condition by condition: what the index has to find without. */
const matchesRule = ({ conditions }: Rule, message: RuleSubject): boolean =>
  conditions.some((condition) => matchesCondition(condition, message));

describe("the rule grammar of the original", () => {
  test.each([
    ["mail from=*", { from: "" }, true],
    ["mail from=*", { from: "a@b" }, true],
    ["mail from=*user", { from: "myuser@x.com" }, true],
    ["mail from=user*", { from: "user1@x.com" }, true],
    ["mail from=*user*", { from: "1user2@x.com" }, true],
    ["mail from=*user", { from: "user1@x.com" }, false],
    ["mail from=*user", { from: "myser@x.com" }, false],
    ["RCPT TO=*@example.com", { to: ["a@EXAMPLE.com"] }, true],
    ["rcpt to=*@example.com", { to: ["a@sub.example.com"] }, false],
    ["rcpt to=*@*example.com", { to: ["a@notexample.com"] }, true],
    ["mail from=Joe@Example.com", { from: "joe@example.com" }, true],
    ["ehlo=*.microsoft.com", { helo: "Mail.Microsoft.Com" }, true],
    ["ehlo=*.microsoft.com", {}, false],
    ["ehlo=server.microsoft.com;mail from=*.microsoft.com", { from: "x@a.microsoft.com" }, true],
    ["rcpt to=somename*;mail from=user1*", { from: "user17@y", to: ["other@z"] }, true],
    ["rcpt to=somename*;mail from=user1*", { from: "nobody@y", to: ["other@z"] }, false],
    ["RCPT TO = b@x.com", { to: ["a@x.com", "b@x.com"] }, true],
    ["MAIL FROM=@x.com", { from: "anyone@x.com" }, true],
  ] as const)("%s on %o is %s", (rule, parts, expected) => {
    const parsed = parseRule(rule);
    const message = subject({ ...parts, to: "to" in parts ? [...parts.to] : [] });
    expect(matchesRule(parsed, message)).toBe(expected);
    expect(new RuleIndex([parsed]).matches(message)).toEqual(expected ? [0] : []);
  });

  test("conditions that cannot be parsed are ignored, and a rule of nothing else never fires", () => {
    const rule = parseRule("nonsense;mail from=a*b@x;rcpt to=");
    expect(rule.conditions).toEqual([]);
    expect(rule.ignored).toEqual(["nonsense", "mail from=a*b@x", "rcpt to="]);
    expect(matchesRule(rule, subject({ from: "ab@x" }))).toBe(false);
  });
});

describe("the rule index", () => {
  test("answers matching positions in order, each once, whatever condition matched", () => {
    const index = new RuleIndex([
      parseRule("rcpt to=*@b.com;mail from=a@a.com"),
      undefined,
      parseRule("rcpt to=x@b.com"),
      parseRule("rcpt to=x@b.com;rcpt to=*@b.com;rcpt to=x*"),
      parseRule("mail from=*;mail from=*"),
      parseRule("rcpt to=y@b.com"),
    ]);
    expect(index.matches(subject({ from: "a@a.com", to: ["X@B.com", "z@b.com"] }))).toEqual([0, 1, 2, 3, 4]);
  });

  test("finds for every form of pattern what trying each rule finds", () => {
    const patterns =
      "* a a* *a *a* a@x.com *@x.com @x.com a@* a*@x.com *a@x.com *@*.x.com *@*x.com *@x* a@*.x.com *@.x.com *.x.com x.com a@x.com@".split(
        " ",
      );
    const rules = ["ehlo", "mail from", "rcpt to"].flatMap((field) =>
      patterns.map((pattern) => parseRule(`${field}=${pattern}`)),
    );
    const index = new RuleIndex(rules);
    const addresses = ["", "a", "A@X.com", "b@Sub.x.com", "a@a.sub.x.com", "ba@x.com", "ab@notx.com"];
    addresses.push("a@b@x.com", "a@x.com@", "x.com", "@.x.com", "a@.x.com", "a@x.community");
    for (const address of addresses) {
      for (const parts of [
        { from: address },
        { from: "none@none", to: ["o@o", address] },
        { helo: address },
      ]) {
        const message = subject({ from: "none@none", ...parts });
        const expected = rules.flatMap((rule, position) => (matchesRule(rule, message) ? [position] : []));
        expect(index.matches(message), JSON.stringify(parts)).toEqual(expected);
      }
    }
  });
});
