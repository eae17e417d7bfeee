import { expect, test } from "vitest";
import { ProtocolSinks } from "../../../src/composition/protocol-sinks.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { defineSink } from "../../../src/events/sink.ts";

const { virtualServers } = configSchema.parse({ virtualServers: [{ name: "inside" }, { name: "outside" }] });

const configured = (displayName: string, server: string | undefined) => ({
  settings: {
    id: `{${displayName}}`,
    displayName,
    event: "OnInboundCommand",
    sinkClass: "/sinks/x.ts",
    server,
  } as const,
  sink: defineSink({ event: "OnInboundCommand", onEvent: () => 0 }),
});

test("each listener has the sinks of its virtual server and those of all, from the next command on", () => {
  const sinks = new ProtocolSinks(silentLogger, systemClock);
  const [inside, outside] = virtualServers.map((server) => sinks.inbound(server));
  const names = (protocol: typeof inside): string[] =>
    protocol?.chain().sinks.map(({ binding }) => binding.displayName) ?? [];
  expect([names(inside), names(outside)]).toEqual([[], []]);
  const parts = { log: silentLogger, nextMessageId: () => "ID" };
  sinks.use({
    ...parts,
    configured: [configured("all", undefined), configured("one", "inside"), configured("two", "outside")],
  });
  expect([names(inside), names(outside)]).toEqual([
    ["all", "one"],
    ["all", "two"],
  ]);
  sinks.use({ ...parts, configured: [configured("one", "inside")] });
  expect([names(inside), names(outside)]).toEqual([["one"], []]);
});
