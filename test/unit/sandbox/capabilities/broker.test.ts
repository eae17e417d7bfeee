import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { Capabilities, CapabilityRequest } from "../../../../runtime/contract.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { AskedRequests } from "../../../../src/sandbox/capabilities/asked-requests.ts";
import {
  type BrokerParts,
  createCapabilityBroker,
  createReadingBroker,
} from "../../../../src/sandbox/capabilities/broker.ts";
import type {
  CapabilityBroker,
  PerformedRequest,
} from "../../../../src/sandbox/capabilities/broker-contract.ts";
import type { DnsResolver } from "../../../../src/sandbox/capabilities/dns.ts";
import { DEFAULT_BROKER_SETTINGS as settings } from "../../../support/default-settings.ts";
import { type TempFolder, tempFolder } from "../../../support/temp-folder.ts";

const brokerIn = (
  folder: TempFolder,
  more: Partial<BrokerParts> = {},
): ReturnType<typeof createCapabilityBroker> =>
  createCapabilityBroker({
    settings,
    kvFolder: `${folder.path}/kv`,
    clock: systemClock,
    log: silentLogger,
    userAgent: "OnArrival/test",
    ...more,
  });

async function perform(
  broker: CapabilityBroker,
  request: CapabilityRequest,
  allow: Capabilities,
  { body = "", maxAnswerBytes = 1_000_000, signal = new AbortController().signal } = {},
): Promise<PerformedRequest> {
  const grant = { allow, script: "a.ts", version: "v", messageId: "M", maxAnswerBytes, signal };
  return broker.perform(request, Buffer.from(body), grant);
}

const get = (key: string): CapabilityRequest => ({ kind: "kv", operation: "get", key });
const set = (key: string, ttlMs?: number): CapabilityRequest => ({
  kind: "kv",
  operation: "set",
  key,
  ...(ttlMs !== undefined && { ttlMs }),
});
const refusal = (setting: string): object => ({ kind: "refused", message: expect.stringContaining(setting) });

/** A resolver of the same form as that of node:dns: the real one would ask the network. */
function resolverOf(zone: Readonly<Record<string, unknown[]>>): DnsResolver {
  const answer =
    (type: string) =>
    (name: string): Promise<never> => {
      const records = zone[`${type} ${name}`];
      if (name === "silent.test") return new Promise(() => undefined);
      return records === undefined
        ? Promise.reject(Object.assign(new Error(`query${type} ENOTFOUND ${name}`), { code: "ENOTFOUND" }))
        : // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the zone says which records there are
          Promise.resolve(records as never);
    };
  return {
    resolve4: answer("A"),
    resolve6: answer("AAAA"),
    resolveMx: answer("MX"),
    resolveTxt: answer("TXT"),
    resolvePtr: answer("PTR"),
    resolveNs: answer("NS"),
    resolveSrv: answer("SRV"),
    resolveCname: answer("CNAME"),
    reverse: answer("reverse"),
  };
}

describe("what the binding does not grant", () => {
  test("is refused with the setting that would, even when the sandbox process asks for it", async () => {
    await using folder = await tempFolder();
    const broker = brokerIn(folder);
    const ask = async (request: CapabilityRequest): Promise<object> =>
      (await perform(broker, request, {})).answer;
    expect(await ask(get("k"))).toMatchObject(refusal("allow: { kv: true }"));
    expect(await ask({ kind: "dns", type: "A", name: "a.test" })).toMatchObject(
      refusal("allow: { dns: true }"),
    );
    expect(await ask({ kind: "fetch", url: "http://a.test/", method: "GET", headers: [] })).toMatchObject(
      refusal("allow.fetch"),
    );
    await broker.close();
  });
});

describe("kv", () => {
  test("sets, gets and deletes with the bytes beside the answers", async () => {
    await using folder = await tempFolder();
    const broker = brokerIn(folder);
    expect((await perform(broker, get("k"), { kv: true })).answer).toEqual({ kind: "kv", found: false });
    expect((await perform(broker, set("k"), { kv: true }, { body: "värde" })).answer.kind).toBe("kv");
    const found = await perform(broker, get("k"), { kv: true });
    expect([found.answer, found.bytes.toString()]).toEqual([{ kind: "kv", found: true }, "värde"]);
    const small = await perform(broker, get("k"), { kv: true }, { maxAnswerBytes: 3 });
    expect(small.answer).toMatchObject(refusal("limits.requestBytes"));
    expect(
      (await perform(broker, { kind: "kv", operation: "delete", key: "k" }, { kv: true })).answer,
    ).toEqual({
      kind: "kv",
      found: true,
    });
    expect((await perform(broker, set("k", -1), { kv: true })).answer).toMatchObject(refusal("TTL"));
    await broker.close();
  });

  test("of a disk that fails is a refusal for the script and a line for people", async () => {
    await using folder = await tempFolder();
    const lines: string[] = [];
    const log = { ...silentLogger, error: (_fields: object, text: string): void => void lines.push(text) };
    const broker = brokerIn(folder, { log });
    await writeFile(`${folder.path}/kv`, "a file where the folder should be");
    expect((await perform(broker, set("k"), { kv: true })).answer).toMatchObject(
      refusal("cannot be read or written"),
    );
    expect(lines).toEqual([expect.stringContaining("key-value store")]);
    await broker.close();
  });
});

describe("dns", () => {
  const dnsResolver = resolverOf({
    "A a.test": ["192.0.2.1", "192.0.2.2"],
    "MX a.test": [{ exchange: "mx.a.test", priority: 10 }],
    "TXT a.test": [["v=spf1 ", "-all"], ["x"]],
    "reverse 192.0.2.1": ["a.test"],
    "A many.test": Array.from({ length: 500 }, (_, index) => `192.0.2.${index % 250}`),
  });

  test.each([
    ["A", "a.test", ["192.0.2.1", "192.0.2.2"]],
    ["MX", "a.test", [{ exchange: "mx.a.test", priority: 10 }]],
    ["TXT", "a.test", ["v=spf1 -all", "x"]],
    ["PTR", "192.0.2.1", ["a.test"]],
    ["AAAA", "a.test", []],
    ["A", "nobody.test", []],
  ])("%s of %s", async (type, name, records) => {
    await using folder = await tempFolder();
    const broker = brokerIn(folder, { dnsResolver });
    expect((await perform(broker, { kind: "dns", type, name }, { dns: true })).answer).toEqual({
      kind: "dns",
      records,
    });
    await broker.close();
  });

  test("is bounded in records, bytes, types and time", async () => {
    await using folder = await tempFolder();
    const broker = brokerIn(folder, {
      dnsResolver,
      settings: { ...settings, dns: { ...settings.dns, timeoutMs: 50, maxRecords: 7 } },
    });
    const ask = async (type: string, name: string, maxAnswerBytes = 10_000): Promise<object> =>
      (await perform(broker, { kind: "dns", type, name }, { dns: true }, { maxAnswerBytes })).answer;
    expect(await ask("A", "many.test")).toMatchObject({ records: { length: 7 } });
    expect(await ask("A", "many.test", 20)).toMatchObject(refusal("limits.requestBytes"));
    expect(await ask("ANY", "a.test")).toMatchObject(refusal("is not served"));
    expect(await ask("constructor", "a.test")).toMatchObject(refusal("is not served"));
    expect(await ask("A", "x".repeat(300))).toMatchObject(refusal("253"));
    expect(await ask("A", "silent.test")).toMatchObject(refusal("no answer within 50 ms"));
    await broker.close();
  });
});

describe("a broker that only reads", () => {
  test("passes questions on and refuses what would change something", async () => {
    await using folder = await tempFolder();
    const full = brokerIn(folder, { dnsResolver: resolverOf({ "A a.test": ["192.0.2.1"] }) });
    const broker = createReadingBroker(full);
    await perform(full, set("k"), { kv: true }, { body: "v" });
    expect((await perform(broker, get("k"), { kv: true })).bytes.toString()).toBe("v");
    expect(
      (await perform(broker, { kind: "dns", type: "A", name: "a.test" }, { dns: true })).answer.kind,
    ).toBe("dns");
    expect((await perform(broker, set("k"), { kv: true }, { body: "w" })).answer).toMatchObject(
      refusal("only reads"),
    );
    const server = createServer((_request, response) => response.end("page")).listen(0, "127.0.0.1");
    await once(server, "listening");
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const fetch = (method: string): Promise<PerformedRequest> =>
      perform(broker, { kind: "fetch", url, method, headers: [] }, { fetch: [url] });
    expect((await fetch("GET")).bytes.toString()).toBe("page");
    expect((await fetch("POST")).answer).toMatchObject(refusal("only reads"));
    server.close();
    await full.close();
  });
});

describe("what is noted of requests", () => {
  const noting = async (
    asked: AskedRequests,
    request: CapabilityRequest,
    messageId: string,
  ): Promise<void> => {
    const signal = new AbortController().signal;
    const grant = {
      allow: { kv: true },
      script: "a.ts",
      version: "v",
      messageId,
      maxAnswerBytes: 1000,
      signal,
    };
    await asked.perform(request, Buffer.alloc(0), grant);
  };

  test("is of a message and a version, without queries and secrets, and taken once", async () => {
    await using folder = await tempFolder();
    const broker = brokerIn(folder);
    const asked = new AskedRequests(broker, (text) => text.replaceAll("hidden", "[secret]"));
    const url = "https://u:p@a.example/x?token=1";
    await noting(asked, { kind: "fetch", url, method: "GET", headers: [] }, "M");
    await noting(asked, get("hidden"), "M");
    expect(asked.take("M", "other")).toEqual([]);
    expect(asked.take("M", "v")).toEqual([
      "fetch GET https://a.example/x: refused",
      "kv get [secret]: answered",
    ]);
    expect(asked.take("M", "v")).toEqual([]);
    expect([asked.counts, asked.refused]).toEqual([{ fetch: 1, kv: 1, dns: 0 }, 1]);
    await broker.close();
  });

  test("is bounded: twenty of a call, a thousand calls that nobody asks about", async () => {
    await using folder = await tempFolder();
    const broker = brokerIn(folder);
    const asked = new AskedRequests(broker, (text) => text);
    for (let message = 0; message < 1001; message += 1)
      // oxlint-disable-next-line no-await-in-loop
      await noting(asked, get("k".repeat(300)), `M${message}`);
    // oxlint-disable-next-line no-await-in-loop
    for (let request = 0; request < 30; request += 1) await noting(asked, get("k"), "M1");
    expect(["M0", "M1"].map((message) => asked.take(message, "v").length)).toEqual([0, 20]);
    expect(asked.take("M2", "v")[0]).toHaveLength("kv get ".length + 193 + ": answered".length);
    await broker.close();
  });
});
