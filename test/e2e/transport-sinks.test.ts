// Native sinks of the transport's events in the running service, bound by their registered names.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { trackedLines } from "../support/tracking.ts";

const sink = (event: string, body: string): string =>
  `import { defineSink, domainFlag, messageStatus } from "onarrival";
export default defineSink({ event: "${event}", onEvent(subject, { properties, log }) { ${body} } });`;

const SINKS = {
  OnPreCategorize: `subject.headers.add("X-Pre", String(subject.recipients.count));`,
  OnPostCategorize: `if (subject.recipients.count > 2) subject.status = messageStatus.abortDelivery;`,
  OnTransportRouter: `if (subject.kind !== "route") return;
    subject.router = { getNextHop: (msg, { address }) =>
      address.startsWith("gone") ? { unreachable: "550 5.1.1 Nobody of that name" }
      : address.endsWith("@example.org") ? { host: "127.0.0.1", port: properties.number("port", 0) } : "default" };`,
  DSN: `if (subject.kind === "due") subject.textAbove = "Ask the help desk.";`,
  StoreDriver: `if (subject.kind === "deleted") log.info({ id: subject.msg.id }, "seen to its end");`,
};

test("before and after categorization, routes, reports and the store have their sinks, each by its binding", async () => {
  await using folder = await tempFolder("transport-sinks");
  await using hop = await startCaptureServer();
  const bindings = await Promise.all(
    Object.entries(SINKS).map(async ([event, body]) => {
      const sinkClass = join(folder.path, `${event}.ts`);
      await writeFile(sinkClass, sink(event === "OnTransportRouter" ? "OnGetMessageRouter" : event, body));
      return { displayName: event, event, sinkClass, sinkProperties: { port: hop.port } };
    }),
  );
  await using service = await startService({ config: serviceConfig({ smartHostPort: 1, bindings }) });
  const from = "sender@example.org";
  const message = (name: string): { from: string; data: string } => ({ from, data: plainMessage(name) });
  await send(service.port, { ...message("one"), to: ["b@example.org", "gone@example.org"] });
  await send(service.port, { ...message("many"), to: ["b@example.org", "c@example.org", "d@example.org"] });
  const received = await hop.received(2);
  const texts = received.map(({ content }) => content.toString("latin1"));
  expect(texts.find((text) => text.includes("\nX-Pre: 2"))).toBeDefined();
  const report = texts.find((text) => text.includes("multipart/report"));
  expect(report).toContain("Ask the help desk.");
  expect(report).toContain("550 5.1.1 Nobody of that name");
  await eventually(() => service.log.filter((line) => line.includes("seen to its end")).length === 3, {
    what: "three messages at their end",
  });
  expect(hop.messages).toHaveLength(2);
});

test("a sink of DnsResolver, bound by its other name, says where a domain is", async () => {
  await using folder = await tempFolder("dns-sink");
  await using hop = await startCaptureServer();
  const sinkClass = join(folder.path, "dns.ts");
  const body = `if (subject.kind === "mx") subject.records = [{ exchange: "hub." + subject.domain, priority: 0 }];
    else subject.addresses = ["127.0.0.1"];`;
  await writeFile(sinkClass, sink("DnsResolver", body));
  const config = serviceConfig({
    delivery: { mx: true, port: hop.port },
    bindings: [{ displayName: "dns", event: "OnDnsResolveRecord", sinkClass }],
  });
  await using service = await startService({ config });
  await send(service.port, { from: "a@example.net", to: ["b@far.example"], data: plainMessage("found") });
  const [message] = await hop.received(1);
  expect(message?.content.toString("latin1")).toContain("found");
});

const SYSTEM_SINKS = {
  MaxMsgSize: `if (subject.sender === "scanner@example.org") subject.limit = 100_000;`,
  MsgTrackLog: `subject.more = { ...subject.more, shift: properties.text("shift", "") };
    subject.isWritten = subject.step !== "started";`,
  GetAuxDomainInfoFlags: `if (subject.domain === "alias.example") subject.flags |= domainFlag.alias;
    if (subject.domain === "open.example") subject.flags |= domainFlag.relayAllowed;`,
  Log: `if (subject.name === "configurationReloaded") { log.info({ id: subject.id }, "seen by a sink"); subject.isWritten = false; }`,
};

test("limits of size, tracking records, flags of domains and the event log have their sinks, each by its binding", async () => {
  await using folder = await tempFolder("system-sinks");
  await using hop = await startCaptureServer();
  const bindings = await Promise.all(
    Object.entries(SYSTEM_SINKS).map(async ([event, body]) => {
      const sinkClass = join(folder.path, `${event}.ts`);
      await writeFile(sinkClass, sink(event === "Log" ? "EventLog" : event, body));
      return { displayName: event, event, sinkClass, sinkProperties: { Shift: "night" } };
    }),
  );
  const config = (more: object): Record<string, unknown> =>
    serviceConfig({
      smartHostPort: hop.port,
      server: { limits: { maxMessageSize: "2KiB" }, relay: { networks: [] } },
      file: { tracking: { enabled: true }, ...more },
      bindings,
    });
  await using service = await startService({ config: config({}) });
  const large = plainMessage("scanned", "x".repeat(500).concat("\r\n").repeat(20));
  const from = "scanner@example.org";
  await send(service.port, { from, to: "user@alias.example", data: large });
  await expect(
    send(service.port, { from: "b@c.example", to: "user@alias.example", data: large }),
  ).rejects.toThrow("552");
  await expect(send(service.port, { from, to: "user@other.example", data: large })).rejects.toThrow("550");
  const [file] = await service.dropped(1);
  expect(file?.content.toString("latin1")).toContain("x-receiver: user@alias.example");
  await send(service.port, { from, to: "user@open.example", data: plainMessage("open") });
  await hop.received(1);

  await service.writeConfig(config({ log: { level: "debug" } }));
  await service.logged(/seen by a sink/);
  expect(service.log.some((line) => line.includes("configuration reloaded"))).toBe(false);
  await service.writeConfig({ mailroute: "." });
  await service.logged(/"eventId":1011/);
  const lines = await eventually(
    async () => {
      const tracked = await trackedLines(join(service.mailroot, "Tracking"));
      return tracked.some(({ step }) => step === "relayed") && tracked;
    },
    { what: "the tracked delivery" },
  );
  expect(lines.filter(({ step }) => step === "started")).toEqual([]);
  expect(lines.map((line) => line["shift"])).toEqual(lines.map(() => "night"));
});

test("what a sink throws may be an object that cannot be written as text", async () => {
  await using folder = await tempFolder("odd-throws");
  const odd = `throw Object.create(null);`;
  const bindings = await Promise.all(
    ["MaxMsgSize", "MsgTrackLog", "OnGetMessageRouter"].map(async (event) => {
      const sinkClass = join(folder.path, `${event}.ts`);
      await writeFile(sinkClass, sink(event, odd));
      return { displayName: event, event, sinkClass, onError: "continue" };
    }),
  );
  const server = { limits: { maxMessageSize: "1KiB" } };
  await using service = await startService({ config: serviceConfig({ server, bindings }) });
  const message = { from: "a@example.org", to: "b@localhost" };
  const large = plainMessage("large", "x".repeat(500).concat("\r\n").repeat(4));
  await expect(send(service.port, { ...message, data: large })).rejects.toThrow("552");
  await send(service.port, { ...message, data: plainMessage("small") });
  await service.dropped(1);
  for (const { event } of bindings)
    expect(service.log.some((line) => line.includes("sink failed") && line.includes(event))).toBe(true);
});

test("a sink that keeps none of its promises does not keep other mail waiting for ever", async () => {
  await using folder = await tempFolder("never");
  const sinkClass = join(folder.path, "never.ts");
  await writeFile(sinkClass, sink("OnPreCategorize", `return new Promise(() => undefined);`));
  const rule = "RCPT TO=never@*";
  const bindings = [
    { displayName: "never", event: "OnPreCategorize", sinkClass, sourceProperties: { rule } },
  ];
  const file = { nativeSinks: { sinkTimeoutMs: 500 } };
  await using service = await startService({ config: serviceConfig({ bindings, file }) });
  const message = { from: "a@example.org", data: plainMessage("waiting") };
  // All turns of the virtual server, and more.
  const recipients = [...Array(210).fill("never@localhost"), "other@localhost"] as string[];
  // oxlint-disable-next-line no-await-in-loop -- in their order
  for (const to of recipients) await send(service.port, { ...message, to });
  const [file1] = await service.dropped(1);
  expect(file1?.content.toString("latin1")).toContain("other@localhost");
  expect(service.log.find((line) => line.includes("message held"))).toContain(
    "never: timeout: no answer within 500 ms",
  );
});
