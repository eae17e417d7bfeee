// Thousands of conversations with next hops that answer by chance: each message has one end, and nobody is told of a delivery that
// the next hop has not confirmed; nothing is left behind.
import { expect, test } from "vitest";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { ConnectionBudget } from "../../../src/smtp/client/connection-budget.ts";
import { createDestination } from "../../../src/smtp/client/connection-pool.ts";
import type { DeliveryOutcome, OutboundMessage } from "../../../src/smtp/client/destination.ts";
import type { OutboundProtocol } from "../../../src/smtp/client/sinks/outbound-events.ts";
import { randomFrom } from "../../support/edit-run.ts";
import { RandomHop, type TakenContent } from "../../support/random-hop.ts";
import { messageOf, startPeer } from "../../unit/smtp/client/support.ts";
import { idleSinks, protocolOf } from "../../unit/smtp/client/watched.ts";

const ROUNDS = 1300;
const AT_ONCE = 4;
const MESSAGES = 8;
const MOST_CONNECTIONS = 3;
/** For whatever waits for the next hop: a silent one must not make the run long. */
const PATIENCE_MS = 150;

const DEADLINES = {
  connectMs: 2000,
  greetingMs: PATIENCE_MS,
  commandMs: PATIENCE_MS,
  dataInitiationMs: PATIENCE_MS,
  dataBlockMs: PATIENCE_MS,
  endOfDataMs: PATIENCE_MS,
  quitMs: PATIENCE_MS,
};

const append = (): OutboundProtocol =>
  protocolOf({ OnPerRecipient: [{ priority: 100, onEvent: (context) => context.appendCommand(" XA=1") }] });

class CountingClock implements Clock {
  waiting = 0;
  now(): number {
    return systemClock.now();
  }
  after(delayMs: number, call: () => void): () => void {
    this.waiting += 1;
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.waiting -= 1;
      isOver = true;
    };
    const cancel = systemClock.after(delayMs, () => {
      end();
      call();
    });
    return () => {
      end();
      cancel();
    };
  }
}

const messageOfRound = (number: number, random: () => number): OutboundMessage =>
  messageOf({
    to: Array.from({ length: 1 + Math.floor(random() * 3) }, (_, at) => `r${at}.${number}@hop.example`),
    text: `Subject: ${number}\r\n\r\n${"..dots\r\nand a line\r\n".repeat(random() < 0.1 ? 20_000 : 2)}`,
    ...(random() < 0.1 ? { body: "BINARYMIME" } : {}),
  });

function checkEnd(
  seed: number,
  message: OutboundMessage,
  outcome: DeliveryOutcome,
  taken: readonly TakenContent[],
): void {
  const token = /\d+/.exec(message.content.header.toString())?.[0];
  const contents = taken.filter((one) => one.token === token && one.confirmed.length > 0);
  const what = `seed ${seed}, message ${token}: ${JSON.stringify(outcome)}`;
  expect(contents.length, `${what} is taken once`).toBeLessThan(2);
  if (outcome.kind === "unreachable") {
    if (contents.length > 0) expect(outcome.mayDuplicate, what).toBe(true);
    return;
  }
  const { replies } = outcome.report;
  expect(replies, what).toHaveLength(message.recipients.length);
  for (const [at, { address }] of message.recipients.entries())
    if ((replies[at]?.code ?? 0) < 400)
      expect(contents[0]?.confirmed, `${what}, ${address}`).toContain(address);
}

async function round(seed: number): Promise<number> {
  const random = randomFrom(seed);
  const pick = <T>(among: readonly T[]): T | undefined => among[Math.floor(random() * among.length)];
  const isLmtp = random() < 0.3;
  const hop = new RandomHop({ random, hostility: pick([0, 0.02, 0.1, 0.4]) ?? 0, isLmtp });
  await using peer = await startPeer(hop.script);
  const protocol = pick([undefined, undefined, append, idleSinks])?.();
  const clock = new CountingClock();
  const destination = createDestination(
    {
      nextHops: [{ host: "127.0.0.1", port: peer.port }],
      heloName: "relay.example",
      dialect: isLmtp ? "lmtp" : "smtp",
      maxConnections: 1 + Math.floor(random() * MOST_CONNECTIONS),
      maxMessagesPerConnection: pick([1, 3, 100]) ?? 100,
      groupWithinMs: pick([0, 20, 60_000]) ?? 20,
      xforward: random() < 0.5,
      reopenPauseMs: PATIENCE_MS,
      budget: new ConnectionBudget(MOST_CONNECTIONS),
      deadlines: DEADLINES,
      ...(protocol === undefined ? {} : { protocol }),
    },
    silentLogger,
    clock,
  );
  const { capacity } = destination;
  const messages = Array.from({ length: MESSAGES }, (_, number) => messageOfRound(number, random));
  const outcomes = await Promise.all(messages.map((message) => destination.deliver(message)));
  await expect.poll(() => destination.capacity, { message: `seed ${seed}: capacity` }).toBe(capacity);
  await Promise.all([destination.close(), destination.close()]);
  expect(clock.waiting, `seed ${seed}: timers`).toBe(0);
  for (const [at, message] of messages.entries()) {
    const outcome = outcomes[at];
    if (outcome !== undefined) checkEnd(seed, message, outcome, hop.taken);
  }
  return hop.taken.filter(({ confirmed }) => confirmed.length > 0).length;
}

test("N02 N03 ten thousand messages to next hops that answer by chance", async () => {
  let next = 1;
  let delivered = 0;
  const run = async (): Promise<void> => {
    while (next <= ROUNDS) {
      // oxlint-disable-next-line no-await-in-loop -- so many at once
      const confirmed = await round(next++);
      delivered += confirmed;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  expect(delivered).toBeGreaterThan(ROUNDS);
});
