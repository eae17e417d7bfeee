// P2: five hostile scripts at once, a thousand innocent messages beside them.
import { test } from "vitest";
import { hostileRun } from "../support/hostile-run.ts";

test("five kinds of hostile scripts hold none of a thousand messages beside theirs", () => hostileRun(1000));
