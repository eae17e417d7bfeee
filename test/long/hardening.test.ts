// The optional walls around sandbox processes, as an operator sets them.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Wall } from "../sandbox/wall/wall.ts";

const SCRIPTS = {
  work: `msg.Fields.Item("urn:schemas:mailheader:x-seen").Value = "yes"; msg.Fields.Update(); msg.DataSource.Save();`,
  loop: "for (;;);",
};

describe("a sandbox process", () => {
  test("without the compilers of machine code runs scripts and ends loops", async () => {
    const wall = await Wall.start(SCRIPTS, { timeoutMs: 300 }, { jitless: true });
    try {
      const outcome = await wall.run("work");
      expect(outcome.fault).toBeUndefined();
      expect(outcome.splices?.[0]?.bytes.toString()).toMatch(/x-seen: yes/i);
      expect((await wall.run("loop")).fault?.kind).toBe("timeout");
      for (const pid of wall.host.pids)
        expect(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")).toContain("--no-turbofan");
    } finally {
      await wall.stop();
    }
  });

  test.skipIf(process.platform !== "linux")("starts behind a wrapper that takes rights away", async () => {
    const wrapper = ["/usr/bin/setpriv", "--no-new-privs"];
    const wall = await Wall.start(SCRIPTS, { timeoutMs: 300 }, { wrapper });
    try {
      expect((await wall.run("work")).fault).toBeUndefined();
      expect(wall.host.pids.length).toBeGreaterThan(0);
      for (const pid of wall.host.pids)
        expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^NoNewPrivs:\t1$/m);
    } finally {
      await wall.stop();
    }
  });
});
