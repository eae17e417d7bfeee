import { expect, test } from "vitest";
import { crashLoop } from "./crash-loop.ts";
import { temporaryFolder } from "../store-samples.ts";

test("everything acknowledged before a kill is found again with the same bytes", async () => {
  await using folder = await temporaryFolder();
  expect(await crashLoop(folder.path, 20, 80)).toBeGreaterThan(20);
}, 60_000);
