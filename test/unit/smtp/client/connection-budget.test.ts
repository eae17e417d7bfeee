// All outgoing connections together (MaxOutConnections).
import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../../src/core/logger.ts";
import {
  type BudgetUser,
  ConnectionBudget,
  DEFAULT_BUDGET_LIMITS,
} from "../../../../src/smtp/client/connection-budget.ts";
import { createDestination } from "../../../../src/smtp/client/connection-pool.ts";
import type { Destination } from "../../../../src/smtp/client/destination.ts";
import { eventually } from "../../../support/eventually.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { codesOf, destinationTo, DROP, messageOf, type Peer, SILENCE, STALL, startPeer } from "./support.ts";

interface TestUser extends BudgetUser {
  isNew: boolean;
  want(): void;
  giveBack(): void;
}

/** Takes, and gives back when it is told to. */
function userOf(budget: ConnectionBudget, isSick = false, onTaken?: (user: TestUser) => void): TestUser {
  let connections = 0;
  const user = {
    get connections() {
      return connections;
    },
    isSick,
    isNew: false,
    want() {
      if (!budget.take(user)) return;
      connections += 1;
      onTaken?.(user);
    },
    giveBack() {
      connections -= 1;
      budget.release(user);
    },
    roomAgain: () => user.want(),
    giveUpIdle: () => undefined,
    giveUpOpening: () => false,
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

test("while connections are scarce, one that has never answered gets one, and then its fair share", () => {
  const budget = new ConnectionBudget(10);
  const large = userOf(budget);
  for (let count = 0; count < 6; count += 1) large.want();
  const late = userOf(budget);
  late.isNew = true;
  for (let count = 0; count < 3; count += 1) late.want();
  expect(late.connections).toBe(1);
  late.isNew = false;
  for (let count = 0; count < 3; count += 1) late.want();
  large.want();
  expect([large.connections, late.connections]).toEqual([6, 4]);
});

test("what idles goes to one that has none at once, to one that has some when it has rested", () => {
  const budget = new ConnectionBudget(2);
  const keeper = userOf(budget);
  const [busy, late] = [userOf(budget), userOf(budget)];
  const asked: number[] = [];
  keeper.giveUpIdle = (keptMs) => {
    asked.push(keptMs);
    if (keptMs > 0) return;
    budget.keeps(keeper, false);
    keeper.giveBack();
  };
  keeper.want();
  budget.keeps(keeper, true);
  busy.want();
  busy.want();
  late.want();
  expect(asked).toEqual([1000, 0]);
  expect([keeper, busy, late].map(({ connections }) => connections)).toEqual([0, 1, 1]);
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

describe("next hops that are sick", () => {
  /** Of ten connections they have two; as all are scarce, they borrow none. */
  const limited = (scarcePercent = 100): ConnectionBudget =>
    new ConnectionBudget(10, { ...DEFAULT_BUDGET_LIMITS, sickPercent: 20, scarcePercent });
  const deliver = (to: Destination, count: number): Promise<number[][]> =>
    Promise.all(Array.from({ length: count }, async () => codesOf(await to.deliver(messageOf()))));
  const sessionsOf = (peers: readonly Peer[]): number =>
    peers.reduce((sum, { sessions }) => sum + sessions.length, 0);
  /** Nobody has anything: what one alone can take of ten, healthy and sick. */
  const expectAllBack = (budget: ConnectionBudget, most = [2, 8]): void => {
    const taken = [userOf(budget, true), userOf(budget)].map((user) => {
      for (let count = 0; count < 10; count += 1) user.want();
      const { connections } = user;
      for (let count = 0; count < connections; count += 1) user.giveBack();
      return connections;
    });
    expect(taken).toEqual(most);
  };
  /** Refuses its first session, and says nothing in those that follow. */
  const startDead = (): Promise<Peer> =>
    startPeer({
      answers: { greeting: (_line, { number }) => (number === 1 ? "421 4.3.2 not now" : STALL) },
    });

  test("N01 dead ones together hold no more than their share, take turns, and the others have the rest", async () => {
    const budget = limited();
    const dead = await Promise.all([1, 2, 3, 4].map(() => startDead()));
    await using well = await startPeer();
    await using toWell = destinationTo(well, { budget });
    const destinations = dead.map((peer) => destinationTo(peer, { budget }));
    for (const destination of destinations)
      expect((await destination.deliver(messageOf())).kind).toBe("unreachable");
    const lost = destinations.flatMap((destination) =>
      [1, 2, 3].map(async () => (await destination.deliver(messageOf())).kind),
    );
    await eventually(() => sessionsOf(dead) === 4 + 2, { what: "the share of the dead" });
    expect(await deliver(toWell, 30)).toEqual(Array.from({ length: 30 }, () => [250]));
    expect(dead.map(({ sessions }) => sessions.length)).toEqual([2, 2, 1, 1]);
    // What the first two give up goes to those who have waited.
    for (const { sessions } of dead.slice(0, 2)) sessions[1]?.socket.destroy();
    await eventually(() => sessionsOf(dead) === 4 + 4, { what: "the turns of the others" });
    expect(dead.map(({ sessions }) => sessions.length)).toEqual([2, 2, 2, 2]);
    for (const peer of dead) await peer[Symbol.asyncDispose]();
    expect(new Set(await Promise.all(lost))).toEqual(new Set(["unreachable"]));
    await Promise.all([toWell.close(), ...destinations.map((destination) => destination.close())]);
    expectAllBack(budget);
  });

  test("one whose replies take longer than those of others is one of them, until they come as fast", async () => {
    const clock = new ManualClock();
    const budget = limited();
    const to = (peer: Peer): Destination =>
      createDestination(
        {
          nextHops: [{ host: "127.0.0.1", port: peer.port }],
          heloName: "relay.example",
          budget,
          maxMessagesPerConnection: 1,
        },
        silentLogger,
        clock,
      );
    let manner: "slow" | "mute" | "fast" = "slow";
    await using slow = await startPeer({
      answers: {
        ".": () => {
          if (manner === "slow") clock.setForward(5000);
          return manner === "mute" ? SILENCE : "250 2.0.0 Ok";
        },
      },
    });
    await using well = await startPeer();
    const [toSlow, toWell] = [to(slow), to(well)];
    await deliver(toWell, 3);
    await deliver(toSlow, 1);
    manner = "mute";
    const waiting = deliver(toSlow, 9);
    const taken = (): number => slow.sessions.filter(({ messages }) => messages.length === 1).length;
    await eventually(() => taken() === 1 + 2, { what: "its share" });
    await deliver(toWell, 8);
    expect(slow.sessions).toHaveLength(1 + 2);
    manner = "fast";
    for (const { socket } of slow.sessions.slice(1)) socket.write("250 2.0.0 Ok\r\n");
    expect(await waiting).toHaveLength(9);
    manner = "mute";
    const before = slow.sessions.length;
    const again = deliver(toSlow, 6);
    await eventually(() => taken() === before + 6, { what: "connections like others" });
    for (const { socket } of slow.sessions.slice(before)) socket.destroy();
    await expect(again).rejects.toThrow("unreachable");
    await Promise.all([toSlow.close(), toWell.close()]);
    expectAllBack(budget);
  });

  test("N01 one that says nothing for some time is one of them before its deadline", async () => {
    const clock = new ManualClock();
    const budget = limited(50);
    await using mute = await startPeer({ answers: { greeting: STALL } });
    await using well = await startPeer();
    const to = (peer: Peer): Destination =>
      createDestination(
        { nextHops: [{ host: "127.0.0.1", port: peer.port }], heloName: "relay.example", budget },
        silentLogger,
        clock,
      );
    const [toMute, toWell] = [to(mute), to(well)];
    const lost = [1, 2].map(() => toMute.deliver(messageOf()));
    await eventually(() => mute.sessions.length === 2, { what: "two sessions of one that is new" });
    await clock.advance(5000);
    lost.push(toMute.deliver(messageOf()));
    expect(await deliver(toWell, 5)).toHaveLength(5);
    expect(mute.sessions).toHaveLength(2);
    await clock.advance(300_000);
    expect((await Promise.all(lost.slice(0, 2))).map(({ kind }) => kind)).toEqual([
      "unreachable",
      "unreachable",
    ]);
    await mute[Symbol.asyncDispose]();
    await Promise.all([...lost, toMute.close(), toWell.close()]);
    expectAllBack(budget, [5, 8]);
  });

  test("the healthy who wait go first, in order, and a sick one after ten of them", () => {
    const budget = limited();
    const order: string[] = [];
    const holders = Array.from({ length: 10 }, () => userOf(budget));
    for (const holder of holders) holder.want();
    const waitAs = (name: string): void => {
      const taken = (user: TestUser): void => {
        order.push(name);
        holders.push(user);
      };
      userOf(budget, name.startsWith("sick"), taken).want();
    };
    const names = ["sick 1", "sick 2", ...Array.from({ length: 22 }, (_, index) => `healthy ${index + 1}`)];
    for (const name of names) waitAs(name);
    for (let turn = 0; turn < names.length; turn += 1) holders.shift()?.giveBack();
    const healthy = names.slice(2);
    expect(order).toEqual([
      ...healthy.slice(0, 10),
      "sick 1",
      ...healthy.slice(10, 20),
      "sick 2",
      ...healthy.slice(20),
    ]);
  });

  test("what nobody else needs they borrow, half of all at most, and give it back message by message to those who wait", () => {
    const budget = limited(50);
    const sick = Array.from({ length: 9 }, () => userOf(budget, true));
    for (const user of sick) user.want();
    const held = (users: readonly TestUser[]): number =>
      users.reduce((sum, { connections }) => sum + connections, 0);
    expect(held(sick)).toBe(5);
    const [borrower] = sick;
    if (borrower === undefined) return;
    expect(budget.mustYield(borrower, true)).toBe(false);
    const well = Array.from({ length: 7 }, () => userOf(budget));
    for (const user of well) user.want();
    expect(held(well)).toBe(5);
    const busy = sick.filter(({ connections }) => connections > 0);
    for (const user of busy) if (budget.mustYield(user, true)) user.giveBack();
    expect([held(sick), held(well)]).toEqual([3, 7]);
    // One more that wants a second: the last that is borrowed goes, and the share stays.
    well[0]?.want();
    for (const user of busy) if (user.connections > 0 && budget.mustYield(user, true)) user.giveBack();
    expect([held(sick), held(well)]).toEqual([2, 8]);
    for (const user of well) while (user.connections > 0) user.giveBack();
    expect(held(sick)).toBe(5);
  });

  test("N01 dead ones that have borrowed make room at once, and what they waited for goes later", async () => {
    const budget = limited(50);
    let isDead = true;
    const dead = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(() =>
        startPeer({
          answers: {
            greeting: (_line, { number }) => {
              if (number === 1) return "421 4.3.2 not now";
              return isDead ? STALL : "220 back";
            },
          },
        }),
      ),
    );
    await using second = await startPeer({ answers: { greeting: "421 4.3.2 not now" } });
    const toDead = dead.map((peer) => {
      const nextHops = [peer, second].map(({ port }) => ({ host: "127.0.0.1", port }));
      return destinationTo(peer, { budget, nextHops });
    });
    for (const to of toDead) await to.deliver(messageOf());
    const late = toDead.map((to) => to.deliver(messageOf()));
    await eventually(() => sessionsOf(dead) === 6 + 5, { what: "all that may be borrowed" });
    const well = await Promise.all([...Array(8).keys()].map(() => startPeer({ answers: { ".": SILENCE } })));
    const toWell = well.map((peer) => destinationTo(peer, { budget }));
    const sent = toWell.map((to) => to.deliver(messageOf()));
    const taken = (): number => well.filter(({ sessions }) => sessions[0]?.messages.length === 1).length;
    await eventually(() => taken() === 8, { what: "a connection for each that answers" });
    const open = dead.flatMap(({ sessions }) => sessions.slice(1)).filter(({ socket }) => !socket.destroyed);
    expect(open).toHaveLength(2);
    // What was given up does not try its other host.
    expect(second.sessions).toHaveLength(6);
    isDead = false;
    for (const { socket } of open) socket.destroy();
    for (const { sessions } of well) sessions[0]?.socket.write("250 2.0.0 Ok\r\n");
    const kinds = (await Promise.all([...sent, ...late])).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "report")).toHaveLength(8 + 4);
    await Promise.all([...toDead, ...toWell].map((to) => to.close()));
    expectAllBack(budget, [5, 8]);
    for (const peer of [...dead, ...well]) await peer[Symbol.asyncDispose]();
  });

  test("what one next hop has beyond its share while others have nothing, it gives up message by message", () => {
    const budget = new ConnectionBudget(10);
    const first = userOf(budget);
    for (let count = 0; count < 10; count += 1) first.want();
    const others = [1, 2, 3, 4].map(() => userOf(budget));
    for (const other of others) other.want();
    while (budget.mustYield(first, true)) first.giveBack();
    expect([first, ...others].map(({ connections }) => connections)).toEqual([6, 1, 1, 1, 1]);
    for (const other of others) for (let count = 0; count < 10; count += 1) other.want();
    expect(budget.mustYield(first, true)).toBe(false);
  });
});
