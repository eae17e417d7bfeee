import { afterAll, beforeAll, expect, test } from "vitest";
import { type HostileHost, losesOnlyItsOwn, startHostileHost } from "./hostile-host.ts";

let host: HostileHost;
beforeAll(async () => {
  host = await startHostileHost();
});
afterAll(() => host[Symbol.asyncDispose]());

// The other kinds are in test/long: each of them ends processes for seconds.
test.each(["heap.js", "uninterruptible.js"])("X04 X06 lose only their own message: %s", (name) =>
  losesOnlyItsOwn(host, name),
);

test("a throw names the line of the source", async () => {
  const { outcomes } = await host.run("thrower.ts");
  expect(outcomes[0]?.fault).toMatchObject({
    kind: "throw",
    message: expect.stringMatching(/^thrower\.ts:3:\d+: /),
  });
});
