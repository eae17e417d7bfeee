// Jobs between two turns, when their process is about to end.
import { expect, test } from "vitest";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import type { PerformedRequest } from "../../../../src/sandbox/capabilities/broker-contract.ts";
import { WaitingJobs } from "../../../../src/sandbox/pool/waiting-jobs.ts";
import { callOf, taskOf } from "../../../sandbox/pool/pool-fixture.ts";

test("a job whose answer came when its process was ending is among those that wait", async () => {
  const { promise, resolve } = Promise.withResolvers<PerformedRequest>();
  const asked: string[] = [];
  const broker = { perform: () => promise };
  const jobs = new WaitingJobs<string>({ broker, clock: systemClock, log: silentLogger }, (held) => {
    asked.push(held);
    return false;
  });
  const requests = [{ request: 1, body: { kind: "kv", operation: "get", key: "k" }, length: 0 }];
  jobs.waits(1, taskOf([callOf("waits")]), "held", { call: 0, requests }, Buffer.alloc(0));
  resolve({ answer: { kind: "kv", found: false }, bytes: Buffer.alloc(0) });
  await expect.poll(() => asked).toEqual(["held"]);
  expect(jobs.close()).toEqual(["held"]);
});
