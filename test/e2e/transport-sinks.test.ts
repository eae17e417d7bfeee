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

const sink = (event: string, body: string): string =>
  `import { defineSink, messageStatus } from "onarrival";
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
