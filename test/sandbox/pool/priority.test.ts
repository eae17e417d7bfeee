import { getPriority } from "node:os";
import { expect, test } from "vitest";
import { callOf, createFixture, requestOf } from "./pool-fixture.ts";

const below = (niceness: number): number => Math.min(getPriority() + niceness, 19);

async function runMessages(fixture: ReturnType<typeof createFixture>, count: number): Promise<void> {
  const call = callOf("echo");
  await Promise.all(Array.from({ length: count }, () => fixture.runner.run(requestOf([call]))));
}

test.skipIf(process.platform === "win32").each([
  [0, 0],
  [10, 10],
])("a sandbox process of niceness %i gives way by %i, when it is warm", async (niceness, given) => {
  await using fixture = createFixture({ niceness });
  await runMessages(fixture, 900);
  const [worker = 0, lane = 0] = fixture.pool.pids;
  expect(getPriority(worker)).toBe(below(0));
  await runMessages(fixture, 200);
  expect(getPriority(worker)).toBe(below(given));
  expect(getPriority(lane)).toBe(below(5));
});
