// What a report says of time: until when attempts go on (RFC 3464 §2.3.8).
import { describe, expect, test } from "vitest";
import { IMMPID } from "../../../src/message/properties.ts";
import { createRetryPolicy } from "../../../src/transport/retry-policy.ts";
import { DEFAULT_RETRY_SETTINGS } from "../../../src/transport/retry-schedule.ts";
import { HOUR, type House, MINUTE, type OnEvent, nativeSink, openHouse, until } from "./transport-house.ts";

const LOCAL_EXPIRY = 20 * HOUR;
const REMOTE_EXPIRY = 30 * HOUR;

/** A house of these times that sends nothing to far.example, nor to Drop. */
async function waitingHouse(onEvent?: OnEvent): Promise<House> {
  const house = await openHouse(onEvent && { sinks: [nativeSink(onEvent)] });
  const retry = createRetryPolicy({
    local: { ...DEFAULT_RETRY_SETTINGS, expiryMs: LOCAL_EXPIRY },
    remote: { ...DEFAULT_RETRY_SETTINGS, expiryMs: REMOTE_EXPIRY },
  });
  house.transport.reconfigure({ ...house.live(), retry });
  for (const queue of ["far.example", "local"]) house.transport.admin.freeze(queue);
  return house;
}

/** The fields of the next report to the sender. */
async function nextReport(house: House): Promise<(field: string) => string | undefined> {
  const before = house.world.to("client.example").length;
  await until(async () => {
    await house.clock.advance(MINUTE);
    return house.world.to("client.example").length > before;
  }, "a report");
  const text = house.world.to("client.example")[before]?.text ?? "";
  return (field) => new RegExp(`^${field}: (.*)\r$`, "m").exec(text)?.[1];
}

describe("a notice of delay says that attempts go on until", () => {
  const untilOf = async (house: House, waitMs = 12 * HOUR): Promise<number> => {
    await house.clock.advance(waitMs);
    const field = await nextReport(house);
    expect(field("Action")).toBe("delayed");
    return Date.parse(field("Will-Retry-Until") ?? "");
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
