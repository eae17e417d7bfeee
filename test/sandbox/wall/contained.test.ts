// Hostile scripts that the sandbox process ends itself: a bounded outcome, the same process, and the next message is served.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONTAINED } from "./hostile-scripts.ts";
import { Wall } from "./wall.ts";

const LIMITS = { timeoutMs: 60, cpuMs: 60, memoryMb: 32, hostCalls: 20_000, growthBytes: 4 * 1024 * 1024 };
/** What the next message is served within: a loaded machine may take 60 ms to run anything. */
const INNOCENT_LIMITS = { timeoutMs: 5000, cpuMs: 5000 };
const INNOCENT = `msg.Fields.Item("urn:schemas:mailheader:x-seen").Value = "yes"; msg.Fields.Update(); msg.DataSource.Save();`;

/** Two of each case; test/long runs them all. */
const CASES = CONTAINED.filter(({ id }, index) => CONTAINED[index - 2]?.id !== id);

let wall: Wall;
beforeAll(async () => {
  const scripts = Object.fromEntries(CASES.map(({ body }, index) => [`h${index}`, body]));
  wall = await Wall.start({ ...scripts, innocent: INNOCENT }, LIMITS);
  for (let run = 0; run < 2; run += 1) await wall.run("innocent", { limits: INNOCENT_LIMITS });
});
afterAll(() => wall.stop());

describe("a hostile script", () => {
  test.each(CASES.map((script, index) => ({ ...script, index })))(
    "$id $title ends in a bounded outcome without effect, and its process goes on",
    async ({ index, ends }) => {
      const pids = [...wall.host.pids];
      const outcome = await wall.run(`h${index}`);
      expect(outcome.fault?.kind ?? "none").toMatch(new RegExp(`^(?:timeout|${ends})$`));
      expect(outcome).toMatchObject({ verdict: 0 });
      expect(outcome.splices ?? outcome.recipients ?? outcome.sender ?? outcome.status).toBeUndefined();
      expect(outcome.fault?.message.length ?? 0).toBeLessThanOrEqual(1100);
      // oxlint-disable-next-line no-control-regex -- a terminal must not obey a script
      expect(outcome.fault?.message).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]|file:|node_modules|src\//);
      const next = await wall.run("innocent", { limits: INNOCENT_LIMITS });
      expect(next.fault).toBeUndefined();
      expect(next.splices?.[0]?.bytes.toString()).toMatch(/x-seen: yes/i);
      expect(wall.host.pids).toEqual(pids);
    },
  );
});
