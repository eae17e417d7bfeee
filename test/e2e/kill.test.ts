// P1 in small: kill -9 in the middle of the load loses nothing that was answered with 250.
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { crashRun } from "../support/crash-run.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";

const QUICK_RETRY = { retry: { glitchRetries: 100, glitchIntervalMs: 100, intervalsMinutes: [0.005] } };

test("200 messages under two kill -9 all arrive whole", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server: QUICK_RETRY }),
  });
  const moments = [0.3, 0.7];
  const balance = await crashRun(service, hop, {
    messages: 200,
    kills: moments.length,
    sessions: 10,
    maxUptimeMs: 300,
    random: () => moments.shift() ?? 0.5,
    drainTimeoutMs: 30_000,
  });
  expect(balance.acknowledged).toBe(200);
  expect(balance.lost).toEqual([]);
  expect(balance.corrupt).toEqual([]);
});
