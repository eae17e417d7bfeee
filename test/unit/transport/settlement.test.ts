import { describe, expect, test } from "vitest";
import type { Recipient } from "../../../src/core/envelope.ts";
import { reply } from "../../../src/core/reply.ts";
import type { AttemptResult, Delivery } from "../../../src/transport/queues/destination-queue.ts";
import { createQueuedMessage } from "../../../src/transport/queued-message.ts";
import { type Settlement, describeReply, expiredReply, settle } from "../../../src/transport/settlement.ts";

function settled(
  recipients: readonly Recipient[],
  result: AttemptResult,
  { local = false, sender = "s@client.example" } = {},
): Settlement & { states: string[] } {
  const records = recipients.map((recipient) => ({ recipient, state: "pending" as const }));
  const message = createQueuedMessage(
    "ID",
    { via: "smtp", arrivalTime: 0, server: "default" },
    { sender, recipients },
    undefined,
  );
  const delivery: Pick<Delivery, "message" | "records"> = { message, records };
  const found = settle(delivery, result, local, 1);
  return { ...found, states: records.map(({ state }) => state) };
}

const replies = (codes: readonly number[], dsn = false): AttemptResult => ({
  kind: "replies",
  replies: codes.map((code) => reply(code, "1.1", `said ${code}`)),
  remote: "hop",
  dsn,
});
const to = (...addresses: string[]): Recipient[] => addresses.map((address) => ({ address }));
const kinds = ({ reports }: Settlement): string[] =>
  reports.map(({ kind, records }) => `${kind} ${records.map(({ recipient }) => recipient.address).join()}`);

describe("an attempt", () => {
  test("gives each recipient the state of its own reply", () => {
    const found = settled(to("a", "b", "c", "d"), replies([250, 550, 450, 251]));
    expect(found.states).toEqual(["relayed", "bounced", "pending", "relayed"]);
    expect(found.pending.map(({ recipient }) => recipient.address)).toEqual(["c"]);
    expect(kinds(found)).toEqual(["failed b"]);
  });

  test("at Drop delivers", () => {
    expect(settled(to("a"), replies([250]), { local: true }).states).toEqual(["delivered"]);
  });

  test("leaves a recipient without a reply pending", () => {
    expect(settled(to("a", "b"), replies([250])).states).toEqual(["relayed", "pending"]);
  });

  test("that did not reach the next hop leaves all pending, or bounces all when every host refused for good", () => {
    const unreachable = (code: number): AttemptResult => ({
      kind: "unreachable",
      reply: reply(code, "4.1", "no"),
      remote: "hop",
    });
    expect(settled(to("a", "b"), unreachable(451)).states).toEqual(["pending", "pending"]);
    expect(settled(to("a", "b"), unreachable(554)).states).toEqual(["bounced", "bounced"]);
  });
});

describe("a report", () => {
  const asked: Recipient = { address: "a", notify: ["SUCCESS"] };

  test("of success is ours only when the next hop did not take the DSN parameters", () => {
    expect(kinds(settled([asked], replies([250], false)))).toEqual(["relayed a"]);
    expect(kinds(settled([asked], replies([250], true)))).toEqual([]);
    expect(kinds(settled([asked], replies([250], false), { local: true }))).toEqual(["delivered a"]);
    expect(kinds(settled([asked], replies([250], true), { local: true }))).toEqual([]);
  });

  test("of failure is not for those who asked for none", () => {
    const found = settled(
      [{ address: "a", notify: ["NEVER"] }, asked, { address: "b", notify: ["FAILURE"] }, { address: "c" }],
      replies([550, 550, 550, 550]),
    );
    expect(kinds(found)).toEqual(["failed b,c"]);
    expect(found.states).toEqual(["bounced", "bounced", "bounced", "bounced"]);
  });

  test("of failure to the null sender is due all the same, because Badmail hears of it", () => {
    expect(kinds(settled(to("a"), replies([550]), { sender: "" }))).toEqual(["failed a"]);
    expect(kinds(settled([asked], replies([250]), { sender: "" }))).toEqual([]);
  });
});

test("a reply is told in one line", () => {
  expect(describeReply(reply(550, "1.1", "no\r\nsuch user"))).toBe("550 5.1.1 no such user");
  expect(describeReply(expiredReply(reply(451, "4.1", "refused")))).toBe(
    "554 5.4.7 Delivery time expired; last: 451 4.4.1 refused",
  );
  expect(describeReply(expiredReply(reply(451, "4.1", "refused"), "mx.example.net [192.0.2.1]:25"))).toBe(
    "554 5.4.7 Delivery time expired; last at mx.example.net [192.0.2.1]:25: 451 4.4.1 refused",
  );
  expect(describeReply(expiredReply(undefined))).toBe("554 5.4.7 Delivery time expired");
});
