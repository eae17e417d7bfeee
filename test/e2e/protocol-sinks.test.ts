// Native sinks of protocol events in the running service, inbound and outbound, and their change without a restart.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually } from "../support/eventually.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, send } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";

const MARK = `import { defineSink, protocolResult } from "onarrival";
export default defineSink({
  event: "OnInboundCommand",
  binding: { rule: "MAIL", priority: 100 },
  onEvent(context, { properties }) {
    const mark = context.takeParameter("XMARK");
    if (mark === "refuse") {
      context.setResponse(properties.text("Text", "550 5.7.1 refused"));
      return protocolResult.consumed;
    }
    if (mark !== undefined) context.message.properties.set("mark", mark);
    return protocolResult.runNext;
  },
});`;

const OUTBOUND = `import { defineSink } from "onarrival";
export default defineSink({
  event: "OnMessageStart",
  onEvent(context) {
    context.setCommand("NOOP " + (context.message.properties.get("mark") ?? "none"));
  },
});`;

const SUBMISSION = `import { defineSink } from "onarrival";
export default defineSink({
  event: "OnTransportSubmission",
  onEvent(msg) {
    msg.headers.add("X-Mark", String(msg.properties.get("mark") ?? "none"));
  },
});`;

const bindings = (folder: string, text: string) => [
  {
    displayName: "mark",
    event: "OnInboundCommand",
    sinkClass: join(folder, "mark.ts"),
    sinkProperties: { Text: text },
  },
  { displayName: "header", event: "OnTransportSubmission", sinkClass: join(folder, "header.ts") },
  {
    displayName: "outbound",
    event: "OnMessageStart",
    sinkClass: join(folder, "outbound.ts"),
    sourceProperties: { rule: "MAIL FROM=*@example.com", priority: 1 },
  },
];

test("a parameter that a sink takes at MAIL follows the message to its sinks and to the next hop", async () => {
  await using folder = await tempFolder("protocol");
  await Promise.all([
    writeFile(join(folder.path, "mark.ts"), MARK),
    writeFile(join(folder.path, "header.ts"), SUBMISSION),
    writeFile(join(folder.path, "outbound.ts"), OUTBOUND),
  ]);
  await using hop = await startCaptureServer();
  const config = (text: string): Record<string, unknown> =>
    serviceConfig({ smartHostPort: hop.port, bindings: bindings(folder.path, text) });
  await using service = await startService({ config: config("550 5.7.1 not with me") });
  await using talk = conversation(service.port);
  await talk
    .expects(220)
    .sends("EHLO client.example.net")
    .expects(250)
    .sends("MAIL FROM:<a@example.com> XMARK=refuse")
    .expects(550, "not with me")
    .sends("MAIL FROM:<a@example.com> XMARK=blue")
    .expects(250)
    .sends("RCPT TO:<b@example.org>")
    .expects(250)
    .sends("DATA")
    .expects(354)
    .sends(`${plainMessage("marked")}\r\n.`)
    .expects(250);
  const [message] = await hop.received(1);
  expect(message?.content.toString("latin1")).toMatch(/^X-Mark: blue\r$/m);
  await send(service.port, { from: "a@example.net", to: ["b@example.org"], data: plainMessage("plain") });
  await hop.received(2);
  expect(hop.commands.filter((line) => line.startsWith("NOOP"))).toEqual(["NOOP blue"]);

  await service.writeConfig(config("550 5.7.1 changed"));
  await service.kill("SIGHUP");
  await eventually(
    async () => {
      const { text } = await talk.sends("MAIL FROM:<a@example.com> XMARK=refuse").expects(550);
      return text.includes("changed");
    },
    { what: "the new text", intervalMs: 100 },
  );
});
