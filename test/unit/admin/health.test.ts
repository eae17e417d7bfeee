import { expect, test } from "vitest";
import { type HealthFacts, judgeHealth } from "../../../src/admin/health.ts";

const WELL: HealthFacts = {
  isStopping: false,
  storeRefusal: undefined,
  storeFailing: false,
  silentServers: [],
  lacksSandbox: false,
};

test("a service that does its work is healthy", () => {
  expect(judgeHealth(WELL)).toEqual({ healthy: true, reasons: [] });
});

test.each<[Partial<HealthFacts>, string]>([
  [{ isStopping: true }, "the service is stopping"],
  [{ storeRefusal: "7 bytes are free below /q" }, "the store refuses mail: 7 bytes are free below /q"],
  [{ storeFailing: true }, "the last write of the store failed"],
  [{ silentServers: ["inner"] }, "virtual server inner does not listen"],
  [{ lacksSandbox: true }, "no sandbox process can be started: messages for scripts wait or are held"],
])("%j is told as a reason", (facts, reason) => {
  expect(judgeHealth({ ...WELL, ...facts })).toEqual({ healthy: false, reasons: [reason] });
});
