import { expect, test } from "vitest";
import type { Delivery } from "../../../../src/transport/queues/destination-queue.ts";
import { ReadyDeliveries } from "../../../../src/transport/queues/ready-deliveries.ts";
import { collectGarbage } from "../../../support/collect-garbage.ts";
import type { Priority } from "../../../../src/transport/queues/parked-messages.ts";

function delivery(priority: Priority = "normal"): Delivery {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the lines look at nothing else
  return { message: { priority }, state: "ready" } as Delivery;
}

test("first in, first out within a priority; high before normal before low", () => {
  const ready = new ReadyDeliveries();
  const [low, first, second, high] = [delivery("low"), delivery(), delivery(), delivery("high")];
  for (const one of [low, first, second, high]) ready.push(one);
  expect([ready.take(), ready.take(), ready.take(), ready.take(), ready.take()]).toEqual([
    high,
    first,
    second,
    low,
    undefined,
  ]);
  expect(ready.size).toBe(0);
});

test("of those that were taken nothing stays in memory while others wait", async () => {
  const ready = new ReadyDeliveries();
  const taken: WeakRef<Delivery>[] = [];
  for (let count = 0; count < 100; count += 1) ready.push(delivery());
  for (let count = 0; count < 50; count += 1) {
    const one = ready.take();
    if (one !== undefined) taken.push(new WeakRef(one));
  }
  await collectGarbage();
  expect(taken).toHaveLength(50);
  // The last one may still stand in a register.
  expect(taken.filter((one) => one.deref() !== undefined).length).toBeLessThanOrEqual(1);
  expect(ready.first(100)).toHaveLength(50);
  expect(ready.size).toBe(50);
});
