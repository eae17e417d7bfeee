// P1 at length: 10,000 messages, twenty kill -9 at random moments. Duplicates are allowed and printed.
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { crashRun } from "../support/crash-run.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";

const QUICK_RETRY = { retry: { glitchRetries: 100, glitchIntervalMs: 100, intervalsMinutes: [0.005] } };

test("C14 10,000 messages under twenty kill -9 all arrive whole", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server: QUICK_RETRY }),
  });
  const balance = await crashRun(service, hop, {
    messages: 10_000,
    kills: 20,
    sessions: 20,
    maxUptimeMs: 600,
    random: Math.random,
    drainTimeoutMs: 120_000,
  });
  console.log(
    `acknowledged ${balance.acknowledged}, surplus copies ${balance.duplicates}, unacknowledged but delivered ${balance.unacknowledged}`,
  );
  expect(balance.acknowledged).toBe(10_000);
  expect(balance.lost).toEqual([]);
  expect(balance.corrupt).toEqual([]);
});
