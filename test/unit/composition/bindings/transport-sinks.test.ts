import { expect, test } from "vitest";
import { TransportSinks } from "../../../../src/composition/bindings/transport-sinks.ts";
import { configSchema, type VirtualServerSettings } from "../../../../src/config/schema.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { systemChain } from "../../transport/transport-house.ts";

const read = (keys: object): VirtualServerSettings => {
  const [server] = configSchema.parse({ virtualServers: [{ name: "inside", ...keys }] }).virtualServers;
  if (server === undefined) throw new Error("there is no virtual server");
  return server;
};

test("sinks have the time that the settings give them now, those of sessions and those of the transport each", async () => {
  const clock = new ManualClock();
  const sinks = new TransportSinks(silentLogger, clock);
  const unawaited = sinks.unawaited({ openPromises: 1, openPromiseMs: 1 }, undefined);
  const asked = [
    sinks.sizeSinks(read({}), undefined).sinks,
    sinks.events(read({}), undefined, unawaited).sinks,
  ];
  sinks.follow(read({ limits: { sinkTimeoutMs: 500 }, outbound: { sinkTimeoutMs: 900 } }));

  const chain = systemChain("MaxMsgSize", [() => new Promise<void>(() => undefined)]);
  const message = { stage: "mail", server: "inside", client: "", user: undefined, sender: "" } as const;
  const subject = { ...message, recipients: [], size: 1, limit: 1 };
  const started = clock.now();
  const ended: number[] = [];
  for (const system of asked) {
    const run = system.run(chain, { subject, server: "inside", onFault: "next-sink" });
    void Promise.resolve(run).then(() => ended.push(clock.now() - started));
  }
  await clock.advance(600);
  expect(ended).toEqual([500]);
  await clock.advance(600);
  expect(ended).toEqual([500, 900]);
});
