// What a report says of mail that waits: why it does, when it was tried last (RFC 3464 §2.3.7), and until when attempts go on (§2.3.8).
import { describe, expect, test } from "vitest";
import { ownReply } from "../../../../src/core/reply.ts";
import { IMMPID } from "../../../../src/message/properties.ts";
import type { DeliveryOutcome } from "../../../../src/smtp/client/destination.ts";
import { createRetryPolicy } from "../../../../src/transport/retry-policy.ts";
import { DEFAULT_RETRY_SETTINGS } from "../../../support/default-settings.ts";
import { acceptMany } from "../many-messages.ts";
import {
  HOUR,
  type House,
  type HouseChoices,
  MINUTE,
  type OnEvent,
  accepted,
  nativeSink,
  openHouse,
  unreachable,
  until,
} from "../transport-house.ts";

const LOCAL_EXPIRY = 20 * HOUR;
const REMOTE_EXPIRY = 30 * HOUR;

/** Tries what has failed once, and no more before it expires. */
async function lazyHouse(choices: HouseChoices = {}): Promise<House> {
  const house = await openHouse(choices);
  const settings = { ...DEFAULT_RETRY_SETTINGS, glitchRetries: 0, intervalsMs: [100 * HOUR] };
  const retry = createRetryPolicy({
    local: { ...settings, expiryMs: LOCAL_EXPIRY },
    remote: { ...settings, expiryMs: REMOTE_EXPIRY },
  });
  house.transport.reconfigure({ ...house.live(), retry });
  return house;
}

/** One that sends nothing to far.example, nor to Drop. */
async function waitingHouse(onEvent?: OnEvent): Promise<House> {
  const house = await lazyHouse(onEvent && { sinks: [nativeSink(onEvent)] });
  for (const queue of ["far.example", "local"]) await house.transport.admin.freeze(queue);
  return house;
}

const reports = (house: House): string[] => house.world.to("client.example").map(({ text }) => text);

const fieldOf = (text: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)\r$`, "m").exec(text)?.[1];

/** Waits for a report of this action on each of `count` messages. */
async function reportsOf(house: House, action: string, count = 1): Promise<string[]> {
  const found = (): string[] => reports(house).filter((text) => fieldOf(text, "Action") === action);
  await until(async () => {
    await house.clock.advance(MINUTE);
    return found().length >= count;
  }, `reports: ${action}`);
  expect(found()).toHaveLength(count);
  return found();
}

const lastAttempts = (texts: readonly string[]): number[] =>
  texts.map((text) => Date.parse(fieldOf(text, "Last-Attempt-Date") ?? ""));

const refused = (): DeliveryOutcome =>
  ({ ...unreachable(), reply: ownReply(421, "4.1", "connect ECONNREFUSED") }) as DeliveryOutcome;

describe("of mail behind a dead next hop, more than was tried", () => {
  const MANY = 8;

  async function strandedHouse(choices: HouseChoices): Promise<House> {
    const house = await lazyHouse(choices);
    house.world.answers.set("far.example", refused);
    await acceptMany(house, MANY);
    await until(() => house.queue.every(({ state }) => state === "retry"), "an attempt");
    expect(house.transport.depths().messages).toBe(MANY);
    expect(house.world.attempts.length).toBeLessThan(MANY);
    return house;
  }

  test.each([
    ["in memory", {}],
    ["parked", { maxInMemory: 1 }],
  ])("%s, each report gives the reason and the time of the last attempt", async (_name, choices) => {
    await using house = await strandedHouse(choices);
    const tried = house.clock.now();
    await house.clock.advance(12 * HOUR);
    const notices = await reportsOf(house, "delayed", MANY);
    for (const notice of notices) {
      expect(notice).toContain("at hop.example: 421 4.4.1 connect ECONNREFUSED\r\n");
      expect(fieldOf(notice, "Diagnostic-Code")).toBe("X-OnArrival; 421 4.4.1 connect ECONNREFUSED");
      expect(fieldOf(notice, "Remote-MTA")).toBe("dns; hop.example");
    }
    await house.clock.advance(18 * HOUR);
    const failures = await reportsOf(house, "failed", MANY);
    for (const failure of failures)
      expect(fieldOf(failure, "Diagnostic-Code")).toBe(
        "X-OnArrival; 554 5.4.7 Delivery time expired; last at hop.example: 421 4.4.1 connect ECONNREFUSED",
      );
    expect(new Set(lastAttempts([...notices, ...failures]))).toEqual(new Set([tried]));
  });

  test("a restart forgets neither", async () => {
    await using before = await strandedHouse({});
    const tried = before.clock.now();
    await before.clock.advance(12 * HOUR);
    await reportsOf(before, "delayed", MANY);
    await until(() => before.queue.length === MANY, "the end of the notices");
    // Nothing is tried in the next run before all of it has expired.
    before.world.capacity = 0;
    await using house = await before.crash();
    await house.clock.advance(48 * HOUR);
    await until(() => house.queue.every(({ sender }) => sender === ""));
    house.world.capacity = 20;
    house.transport.admin.force("client.example");
    const failures = await reportsOf(house, "failed", MANY);
    for (const failure of failures) expect(failure).toContain("last at hop.example: 421 4.4.1 connect");
    expect(new Set(lastAttempts(failures))).toEqual(new Set([tried]));
  });

  test("one that came later hears the reason, and of no attempt at it", async () => {
    await using house = await strandedHouse({});
    await house.clock.advance(HOUR);
    await house.accept(["late@far.example"]);
    await house.clock.advance(12 * HOUR);
    const late = (await reportsOf(house, "delayed", MANY + 1)).find((text) => text.includes("late@"));
    expect(late).toContain("at hop.example: 421 4.4.1 connect ECONNREFUSED\r\n");
    expect(late).not.toContain("Last-Attempt-Date");
  });

  test("one that waits for something else, as the next hop answers again, hears nothing of it", async () => {
    await using house = await strandedHouse({});
    house.world.answers.delete("far.example");
    house.transport.admin.force("far.example");
    await house.empty();
    await house.transport.admin.freeze("far.example");
    await house.accept(["late@far.example"]);
    await house.clock.advance(12 * HOUR);
    const [notice = ""] = await reportsOf(house, "delayed");
    expect(fieldOf(notice, "Diagnostic-Code")).toBe("X-OnArrival; 451 4.4.0 No attempt was made yet");
  });
});

test("what happened at the next hop at last counts, also after an answer to the message itself", async () => {
  await using house = await lazyHouse();
  house.world.answers.set("far.example", (message) => accepted(message, 450, "mailbox busy"));
  await house.accept(["first@far.example"]);
  await until(() => house.queue[0]?.state === "retry");
  const answered = house.clock.now();
  await house.clock.advance(HOUR);
  house.world.answers.set("near.example", (message) => accepted(message, 450, "mailbox busy"));
  house.world.answers.set("far.example", refused);
  await house.accept(["other@near.example"]);
  await house.accept(["second@far.example"]);
  await until(() => house.world.attempts.length === 3);
  const tried = house.clock.now();
  await house.clock.advance(11 * HOUR);
  await reportsOf(house, "delayed", 1);
  await house.clock.advance(HOUR);
  const notices = await reportsOf(house, "delayed", 3);
  const of = (address: string): string => notices.find((text) => text.includes(address)) ?? "";
  expect(of("first@")).toContain("Diagnostic-Code: X-OnArrival; 421 4.4.1 connect ECONNREFUSED");
  expect(of("other@")).toContain("Diagnostic-Code: smtp; 450 4.1.1 mailbox busy");
  expect(lastAttempts([of("first@"), of("second@"), of("other@")])).toEqual([tried, tried, tried]);
  expect(tried).toBeGreaterThan(answered);
});

test("without an attempt no report has a time of one", async () => {
  await using house = await waitingHouse();
  await house.accept(["a@far.example"]);
  await house.clock.advance(12 * HOUR);
  const [notice = ""] = await reportsOf(house, "delayed");
  expect(notice).not.toMatch(/^(?:Last-Attempt-Date|Remote-MTA):/m);
  await house.clock.advance(18 * HOUR);
  const [failure = ""] = await reportsOf(house, "failed");
  expect(fieldOf(failure, "Diagnostic-Code")).toBe("X-OnArrival; 554 5.4.7 Delivery time expired");
  expect(failure).not.toMatch(/^(?:Last-Attempt-Date|Remote-MTA):/m);
});

describe("a notice of delay says that attempts go on until", () => {
  const untilOf = async (house: House, waitMs = 12 * HOUR): Promise<number> => {
    await house.clock.advance(waitMs);
    const [notice = ""] = await reportsOf(house, "delayed");
    return Date.parse(fieldOf(notice, "Will-Retry-Until") ?? "");
  };

  test("the message expires by the settings as they are now", async () => {
    await using house = await waitingHouse();
    const arrived = house.clock.now();
    await house.accept(["a@far.example"]);
    expect(await untilOf(house)).toBe(arrived + REMOTE_EXPIRY);
  });

  test("local mail expires", async () => {
    await using house = await waitingHouse();
    const arrived = house.clock.now();
    await house.accept(["a@local.example"]);
    expect(await untilOf(house)).toBe(arrived + LOCAL_EXPIRY);
  });

  test("mail that a failing sink holds expires, which has the patience of local mail", async () => {
    await using house = await waitingHouse((msg) => {
      if (msg.sender !== "") throw new Error("broken");
    });
    const arrived = house.clock.now();
    await house.accept(["a@far.example"]);
    expect(await untilOf(house)).toBe(arrived + LOCAL_EXPIRY);
  });

  test("the time that a sink has set", async () => {
    await using house = await waitingHouse((msg) => {
      if (msg.sender === "") return;
      msg.properties.put(IMMPID.MP_EXPIRE_DELAY, new Date(msg.arrivalTime.getTime() - 1));
      msg.properties.put(IMMPID.MP_EXPIRE_NDR, new Date(msg.arrivalTime.getTime() + 10 * MINUTE));
    });
    const arrived = house.clock.now();
    await house.accept(["a@far.example"]);
    expect(await untilOf(house, 0)).toBe(arrived + 10 * MINUTE);
  });

  test("a deferred message expires, which ages from the time when it may leave", async () => {
    await using house = await waitingHouse((msg) => {
      if (msg.sender !== "") msg.deferredDeliveryTime = new Date(msg.arrivalTime.getTime() + HOUR);
    });
    const arrived = house.clock.now();
    await house.accept(["a@far.example"]);
    expect(await untilOf(house, 13 * HOUR)).toBe(arrived + HOUR + REMOTE_EXPIRY);
  });
});
