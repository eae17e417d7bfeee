// Many kills of a writing process on one store (FAULTS C01, C16).
import { expect, test } from "vitest";
import { crashLoop } from "../unit/store/segments/crash-loop.ts";
import { temporaryFolder } from "../unit/store/store-samples.ts";

test("C01 nothing acknowledged is lost over 200 kills", async () => {
  await using folder = await temporaryFolder();
  expect(await crashLoop(folder.path, 200, 300)).toBeGreaterThan(200);
});
