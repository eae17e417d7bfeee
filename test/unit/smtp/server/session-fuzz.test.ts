import { expect, test } from "vitest";
import { fuzzState, SESSION_STATES, startFuzzed } from "../../../support/session-fuzz.ts";

test.each(Object.keys(SESSION_STATES))(
  "S15 S17 whatever a client sends %s, it is answered or the session ends, and the next client is served",
  async (state) => {
    const faults: unknown[] = [];
    const note = (fault: unknown): void => void faults.push(fault);
    process.on("uncaughtExceptionMonitor", note);
    await using run = await startFuzzed(state);
    await fuzzState(run, state, 12);
    process.off("uncaughtExceptionMonitor", note);
    expect(faults).toEqual([]);
  },
);
