// A message to a thousand recipients whose fates differ, on a service that dies in between (FAULTS N14).
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually, sleep } from "../support/eventually.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const QUICK_RETRY = { retry: { glitchRetries: 100, glitchIntervalMs: 200, intervalsMinutes: [0.005] } };
const KILLS = 4;
const DOMAINS = ["one.example", "two.example", "three.example"];

test("N14 each of a thousand recipients is taken by the next hop or reported as failed, none of them both", async () => {
  const refusedOnce = new Set<string>();
  await using hop = await startCaptureServer();
  hop.script.contentDelayMs = 30;
  hop.script.rcpt = (address) => {
    if (address.startsWith("bad")) return "550 5.1.1 nobody";
    if (!address.startsWith("late") || refusedOnce.has(address)) return undefined;
    refusedOnce.add(address);
    return "450 4.2.1 later";
  };
  await using service = await startService({
    config: serviceConfig({
      smartHostPort: hop.port,
      server: { ...QUICK_RETRY, limits: { maxRecipients: 1000 } },
    }),
  });
  const to = Array.from(
    { length: 1000 },
    (_, index) => `${["good", "bad", "late"][index % 3]}${index}@${DOMAINS[index % DOMAINS.length]}`,
  );
  await send(service.port, { data: plainMessage("to a thousand"), from: "author@localhost", to });
  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(40 + kill * 60);
    await service.restart("SIGKILL");
  }
  await eventually(async () => (await service.queue()).length === 0, {
    what: "an empty queue",
    timeoutMs: 60_000,
  });
  const taken = hop.messages.flatMap((message) => message.to);
  const reported = new Set(
    (await service.drop()).flatMap(({ content }) =>
      [...content.toString("latin1").matchAll(/^Final-Recipient: rfc822; ?(\S+)\r$/gim)].map(
        ([, address]) => address ?? "",
      ),
    ),
  );
  const wanted = (kind: string): string[] => to.filter((address) => address.startsWith(kind)).toSorted();
  expect([...new Set(taken)].toSorted()).toEqual([...wanted("good"), ...wanted("late")].toSorted());
  expect([...reported].toSorted()).toEqual(wanted("bad"));
  const copies = Math.max(
    ...[...Map.groupBy(taken, (address) => address).values()].map(({ length }) => length),
  );
  expect(copies).toBeLessThanOrEqual(1 + KILLS);
});
