// Attempts that end because their courier was replaced: nobody was asked.
import { expect, test } from "vitest";
import type { RouterSubject } from "../../../../src/events/contexts/router-contexts.ts";
import { type Reply, reply } from "../../../../src/core/reply.ts";
import { CLOSED } from "../../../../src/smtp/client/destination.ts";
import type { Courier } from "../../../../src/transport/queues/destination-queue.ts";
import { openHouse, until } from "../transport-house.ts";

test("what reloads break off uses up no attempts, and its router hears of no failure", async () => {
  const failed: string[] = [];
  const router = (subject: RouterSubject): void => {
    if (subject.kind !== "route") return;
    subject.router = {
      getNextHop: () => "default",
      connectionFailed: (nextHop) => void failed.push(nextHop),
    };
  };
  let attempts = 0;
  let answer = (_reply: Reply): void => undefined;
  const remoteCourier = (): Courier => ({
    capacity: 1,
    deliver() {
      attempts += 1;
      return new Promise((resolve) => {
        answer = (said) =>
          resolve({
            kind: "unreachable",
            reason: "",
            transient: true,
            reply: said,
            remote: "",
            mayDuplicate: false,
          });
      });
    },
    close: () => Promise.resolve(),
  });
  await using house = await openHouse({ routerSinks: [router], remoteCourier });
  await house.accept(["a@far.example"]);
  for (let edits = 1; edits <= 5; edits += 1) {
    await until(() => attempts === edits);
    house.transport.reconfigure(house.live());
    answer(CLOSED);
  }
  await until(() => attempts === 6);
  expect([house.queue[0]?.attempts, failed]).toEqual([0, []]);
  answer(reply(451, "4.1", "connection refused"));
  await until(() => house.queue[0]?.nextAttempt !== undefined);
  expect([house.queue[0]?.attempts, failed]).toEqual([1, ["far.example"]]);
});
