// Two services that send everything to each other, and the mail that nobody wants back (FAULTS N08, N09, N10).
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const QUICK_RETRY = { retry: { glitchRetries: 100, glitchIntervalMs: 50, intervalsMinutes: [0.005] } };

const isIdle = async (service: Service): Promise<boolean> => (await service.queue()).length === 0;

test("N08 two services that are each other's smart host end a loop after maxHops, with one report to its sender", async () => {
  await using first = await startService({ config: serviceConfig({}) });
  await using second = await startService({
    config: serviceConfig({ smartHostPort: first.port, server: { ...QUICK_RETRY, limits: { maxHops: 12 } } }),
  });
  // Only now is the port of the other one known.
  await first.kill();
  await using again = await startService({
    config: serviceConfig({
      smartHostPort: second.port,
      server: { ...QUICK_RETRY, limits: { maxHops: 12 } },
    }),
    mailroot: first.mailroot,
    args: ["--listen", `127.0.0.1:${first.port}`],
  });
  await send(again.port, {
    data: plainMessage("round and round"),
    from: "author@localhost",
    to: "b@far.example",
  });
  await eventually(async () => (await again.drop()).length + (await second.drop()).length > 0, {
    what: "the report in a Drop",
    timeoutMs: 30_000,
  });
  await eventually(async () => (await isIdle(again)) && (await isIdle(second)), { what: "empty queues" });
  const reports = [...(await again.drop()), ...(await second.drop())].map(({ content }) =>
    content.toString("latin1"),
  );
  expect(reports).toHaveLength(1);
  expect(reports[0]).toMatch(/^Status: 5\.4\.6\r$/m);
  expect(reports[0]).toMatch(/^Final-Recipient: rfc822; ?b@far\.example\r$/im);
});

test("N09 a report that comes back as a loop ends in Badmail, not in a report on the report", async () => {
  await using hop = await startCaptureServer();
  hop.script.content = () => "554 5.4.6 too many hops";
  await using service = await startService({ config: serviceConfig({ smartHostPort: hop.port }) });
  await send(service.port, { data: plainMessage("a bounce"), from: "", to: "b@far.example" });
  const files = await eventually(
    async () => {
      const found = (await service.badmail()).filter(({ name }) => name.endsWith(".BAD"));
      return found.length > 0 && found;
    },
    { what: "Badmail" },
  );
  expect(files).toHaveLength(1);
  await eventually(() => isIdle(service), { what: "an empty queue" });
  expect(hop.messages).toEqual([]);
});

test("N10 a forged sender hears of a thousand bad recipients once, and gets no more of a large message than its header", async () => {
  await using hop = await startCaptureServer();
  hop.script.rcpt = (address) => (address.startsWith("nobody") ? "550 5.1.1 nobody" : undefined);
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server: { limits: { maxRecipients: 1000 } } }),
  });
  const to = Array.from({ length: 1000 }, (_, index) => `nobody${index}@far.example`);
  await send(service.port, {
    data: plainMessage("advertising", "buy ".repeat(500_000)),
    from: "victim@else.example",
    to,
  });
  const [report] = await hop.received(1, 30_000);
  await eventually(() => isIdle(service), { what: "an empty queue" });
  expect(hop.messages).toHaveLength(1);
  const text = report?.content.toString("latin1") ?? "";
  expect(report?.from).toBe("");
  expect(text.match(/^Action: failed\r$/gm)).toHaveLength(1000);
  expect(text).toContain("Subject: advertising");
  expect(text).not.toContain("buy buy buy");
});
