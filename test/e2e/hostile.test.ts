// P2: five hostile scripts at once, innocent messages beside them; a thousand of these in test/long.
import { test } from "vitest";
import { hostileRun } from "../support/hostile-run.ts";

test("five kinds of hostile scripts hold their own messages only, and a corrected script releases them", () =>
  hostileRun(200));
