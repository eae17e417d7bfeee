import { expect, test } from "vitest";
import { explainMessage } from "../../../src/cli/explain-text.ts";

test("a script that left no recipient is said to have left none", () => {
  const recipients: string[] = [];
  const call = {
    position: 0,
    version: "v1",
    micros: 5,
    verdict: 0,
    status: 0,
    recipients,
    recipientCount: 0,
  };
  const line = {
    id: "ID",
    time: 0,
    from: "a@example.com",
    to: ["b@example.com"],
    chain: "c",
    reached: 1,
    calls: [call],
    end: "discarded",
  };
  const binding = { name: "Tag", script: "tag.js", priority: 1, onError: "hold" };
  const runs = [{ line, chain: { chain: "c", bindings: [binding] } }];
  const told = explainMessage({ id: "ID", runs, categorizations: [], shadows: [] });
  expect(told).toContain("       recipients are now none");
});
