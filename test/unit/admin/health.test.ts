import { expect, test } from "vitest";
import { type HealthFacts, type ServerFacts, judgeHealth } from "../../../src/admin/health.ts";

const RUNNING: ServerFacts = {
  name: "inner",
  state: "running",
  storeRefusal: undefined,
  storeFailing: false,
  isListening: true,
};
const WELL: HealthFacts = { isStopping: false, servers: [RUNNING], lacksSandbox: false };
const FULL = { ...RUNNING, storeRefusal: "7 bytes are free below /q" };
const FAILING = { ...RUNNING, storeFailing: true };
const OUTER = { ...RUNNING, name: "outer" };

test("a service that does its work is healthy", () => {
  expect(judgeHealth(WELL)).toEqual({ healthy: true, reasons: [], servers: { inner: "running" } });
});

test.each<[Partial<HealthFacts>, string]>([
  [{ isStopping: true }, "the service is stopping"],
  [{ servers: [FULL] }, "the store refuses mail: 7 bytes are free below /q"],
  [{ servers: [FAILING] }, "the last write of the store failed"],
  [{ servers: [OUTER, FAILING] }, "the last write of the store of virtual server inner failed"],
  [{ servers: [OUTER, { ...RUNNING, isListening: false }] }, "virtual server inner does not listen"],
  [{ lacksSandbox: true }, "no sandbox process can be started: messages for scripts wait or are held"],
])("%j is told as a reason", (facts, reason) => {
  expect(judgeHealth({ ...WELL, ...facts })).toMatchObject({ healthy: false, reasons: [reason] });
});

test("a virtual server that an operator stopped does not make the service unhealthy", () => {
  const stopped: ServerFacts = { ...RUNNING, state: "stopped", isListening: false };
  expect(judgeHealth({ ...WELL, servers: [OUTER, stopped] })).toEqual({
    healthy: true,
    reasons: [],
    servers: { outer: "running", inner: "stopped" },
  });
});
