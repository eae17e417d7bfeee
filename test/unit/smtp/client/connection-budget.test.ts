// All outgoing connections together (MaxOutConnections).
import { expect, test } from "vitest";
import { type BudgetUser, ConnectionBudget } from "../../../../src/smtp/client/connection-budget.ts";
import { codesOf, destinationTo, DROP, messageOf, startPeer } from "./support.ts";

interface TestUser extends BudgetUser {
  want(): void;
}

/** Takes and never gives back. */
function userOf(budget: ConnectionBudget): TestUser {
  let connections = 0;
  const user = {
    get connections() {
      return connections;
    },
    want() {
      if (budget.take(user)) connections += 1;
    },
    roomAgain: () => user.want(),
    giveUpIdle: () => undefined,
  };
  return user;
}

test("a next hop that keeps its connections for later makes room for one that has mail now", async () => {
  await using near = await startPeer();
  await using far = await startPeer();
  const budget = new ConnectionBudget(1);
  await using toNear = destinationTo(near, { budget, idleMs: 60_000 });
  await using toFar = destinationTo(far, { budget, idleMs: 60_000 });
  for (const destination of [toNear, toFar, toNear, toNear])
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
  expect([near.sessions.length, far.sessions.length]).toEqual([2, 1]);
});

test("those who wait get their turns, whoever has most to send, and never more connections than there may be", async () => {
  let open = 0;
  let most = 0;
  const answers = {
    EHLO: () => {
      most = Math.max(most, ++open);
      return "250 x";
    },
    QUIT: () => {
      open -= 1;
      return "221 bye";
    },
  };
  await using large = await startPeer({ answers });
  await using small = await startPeer({ answers });
  const budget = new ConnectionBudget(2);
  await using toLarge = destinationTo(large, { budget, maxMessagesPerConnection: 5 });
  await using toSmall = destinationTo(small, { budget, maxMessagesPerConnection: 5 });
  let done = 0;
  const crowd = Array.from({ length: 60 }, async () => {
    await toLarge.deliver(messageOf());
    done += 1;
  });
  await toSmall.deliver(messageOf());
  // It came 61st and waited for one connection of the others to have its five messages done.
  expect(done).toBeLessThan(30);
  await Promise.all(crowd);
  expect(most).toBeLessThanOrEqual(2);
});

test("a hundred next hops that never come to an end leave a connection to one that comes later", () => {
  const budget = new ConnectionBudget(1000);
  const slow = Array.from({ length: 100 }, () => userOf(budget));
  for (let round = 0; round < 20; round += 1) for (const user of slow) user.want();
  const late = userOf(budget);
  late.want();
  expect(late.connections).toBe(1);
  expect(Math.max(...slow.map(({ connections }) => connections))).toBeLessThanOrEqual(11);
});

test("one next hop alone may use nearly all of them, and all of a few", () => {
  for (const [max, used] of [
    [1, 1],
    [2, 2],
    [10, 8],
    [1000, 800],
  ] as const) {
    const budget = new ConnectionBudget(max);
    const user = userOf(budget);
    for (let count = 0; count < max; count += 1) user.want();
    expect(user.connections).toBe(used);
  }
});

test("a connection that was refused or lost is given back", async () => {
  await using rude = await startPeer({ answers: { greeting: "554 no" } });
  await using lost = await startPeer({ answers: { DATA: DROP } });
  await using good = await startPeer();
  const budget = new ConnectionBudget(1);
  await using toRude = destinationTo(rude, { budget });
  await using toLost = destinationTo(lost, { budget });
  await using toGood = destinationTo(good, { budget });
  const outcomes = await Promise.all(
    [toRude, toLost, toGood, toRude, toGood].map((destination) => destination.deliver(messageOf())),
  );
  expect(outcomes.map(({ kind }) => kind)).toEqual([
    "unreachable",
    "unreachable",
    "report",
    "unreachable",
    "report",
  ]);
});
