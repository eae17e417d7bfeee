// Sinks of DnsResolver supply records before DNS is asked.
import { expect, test } from "vitest";
import { silentLogger } from "../../../../src/core/logger.ts";
import type { OnError } from "../../../../src/events/binding.ts";
import type { DnsSubject } from "../../../../src/events/contexts/dns-contexts.ts";
import { SystemSinks } from "../../../../src/events/system-chain.ts";
import { SinkResolver } from "../../../../src/transport/routing/dns-sinks.ts";
import { type MxAnswer, createMxLookup } from "../../../../src/transport/routing/mx.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { systemChain } from "../transport-house.ts";

type OnEvent = (subject: DnsSubject) => void | Promise<void>;

/** What the routes of far.example are when DNS knows one host, and which names DNS was asked for. */
async function lookUp(onEvent: OnEvent, onError?: OnError): Promise<{ answer: MxAnswer; asked: string[] }> {
  const asked: string[] = [];
  const answerOf = <T>(name: string, answer: T): Promise<T> => {
    asked.push(name);
    return Promise.resolve(answer);
  };
  const clock = new ManualClock();
  const dns = {
    resolveMx: (name: string) => answerOf(name, [{ exchange: "mx.far.example", priority: 1 }]),
    resolve4: (name: string) => answerOf(name, ["192.0.2.1"]),
    resolve6: (name: string) => answerOf(name, []),
  };
  const resolver = new SinkResolver(dns, {
    chain: () => systemChain("DnsResolver", [onEvent], onError),
    sinks: new SystemSinks({ clock, log: silentLogger, sinkDeadlineMs: 1000 }),
    server: "default",
  });
  return { answer: await createMxLookup({}, resolver, clock).nextHops("far.example"), asked };
}

const hop = (host: string, ...addresses: string[]) => ({
  kind: "hops",
  hops: [{ host, port: 25, addresses }],
});

test("what sinks leave open, DNS is asked for", async () => {
  const { answer, asked } = await lookUp(() => undefined);
  expect(answer).toEqual(hop("mx.far.example", "192.0.2.1"));
  expect(asked).toEqual(["far.example", "mx.far.example", "mx.far.example"]);
});

test("records and addresses that a sink supplies are used, also by promise, and DNS is not asked for them", async () => {
  const { answer, asked } = await lookUp(async (subject) => {
    await Promise.resolve();
    if (subject.kind === "mx") subject.records = [{ exchange: "inside.example", priority: 5 }];
    else subject.addresses = ["2001:db8::7", "192.0.2.7"];
  });
  expect(answer).toEqual(hop("inside.example", "192.0.2.7", "2001:db8::7"));
  expect(asked).toEqual([]);
});

test.each<[string, OnEvent, string]>([
  [
    "throws",
    () => {
      throw new Error("broken");
    },
    "sink 1: broken",
  ],
  [
    "supplies no addresses",
    (subject) => {
      if (subject.kind === "host") subject.addresses = ["not an address"];
    },
    "a sink supplied addresses of mx.far.example that are none",
  ],
  [
    "supplies no host",
    (subject) => {
      if (subject.kind === "mx") subject.records = [{ exchange: "bad host\r\n", priority: 1 }];
    },
    "a sink supplied MX records of far.example that are none",
  ],
])("mail waits behind a sink that %s, and the reply says why", async (_name, onEvent, why) => {
  const { answer } = await lookUp(onEvent);
  expect(answer).toMatchObject({
    kind: "failed",
    reply: { code: 451, text: expect.stringContaining(`failed: ${why}`) as string },
  });
});

test("with onError continue a sink that fails counts as not there, with what it had supplied", async () => {
  const { answer } = await lookUp((subject) => {
    if (subject.kind === "mx") subject.records = [];
    throw new Error("broken");
  }, "continue");
  expect(answer).toEqual(hop("mx.far.example", "192.0.2.1"));
});
