import { expect, test } from "vitest";
import type { EventName } from "../../../src/events/catalog.ts";
import { ruleWarning } from "../../../src/events/rule-check.ts";

test.each<readonly [event: EventName, rule: string, why: string | undefined]>([
  ["OnTransportSubmission", "", undefined],
  ["OnTransportSubmission", "mail from=*;rcpt to=*@*example.com;ehlo=*.example.com", undefined],
  ["OnTransportSubmission", "mail from=*<*", undefined],
  ["OnTransportSubmission", " ; ", "its rule has no condition, so it is never called"],
  ["OnTransportSubmission", "everything", '"everything" (there is no =); none is left'],
  ["OnTransportSubmission", "mail=*", "conditions begin with EHLO, MAIL FROM or RCPT TO"],
  ["OnTransportSubmission", "constructor=a", "conditions begin with EHLO, MAIL FROM or RCPT TO"],
  ["OnTransportSubmission", "__proto__=a", "conditions begin with EHLO, MAIL FROM or RCPT TO"],
  ["OnTransportSubmission", "mail from=", "there is no pattern behind ="],
  ["OnTransportSubmission", "mail from=a*b@c", "* may stand at the ends"],
  ["OnTransportSubmission", "mail from=<>", "without < and >"],
  ["OnTransportSubmission", "rcpt to=*@a.example OR mail from=*@b.example", "a ; stands between conditions"],
  ["OnTransportSubmission", "rcpt to=*@a.example, *@b.example", "a ; stands between conditions"],
  ["OnPreCategorize", "rcpt to=*@example.com>", "without < and >"],
  ["OnPostCategorize", "ehlo=a@example.com", "the name of a host has no @"],
  ["OnInboundCommand", "EHLO;MAIL FROM=*@example.com;XFOO=*", undefined],
  ["OnInboundCommand", "MAIL=", "there is no pattern behind ="],
  ["OnInboundCommand", "RCPT=<*@example.com>", "without < and >"],
  ["OnInboundCommand", "M A I L", "it begins with no verb"],
  ["StoreDriver", "mail from=*", "its rule is ignored: bindings of StoreDriver have none"],
])("the rule of a binding of %s, %j: %s", (event, rule, why) => {
  const told = ruleWarning(event, rule);
  expect(why === undefined ? told : told?.includes(why)).toBe(why === undefined ? undefined : true);
});

test("one condition that counts is enough", () => {
  expect(ruleWarning("OnTransportSubmission", "nonsense;mail from=*")).toBe(
    'its rule has conditions that do not count: "nonsense" (there is no =)',
  );
});
