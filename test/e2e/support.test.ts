// The tools of these tests against each other: a tool that lies would make every other test worthless.
import { expect, test } from "vitest";
import { generateLoad } from "../../bench/load-generator.ts";
import { buildMessage, toWire } from "../../bench/messages.ts";
import { listen } from "../../bench/smtp-sink.ts";
import { startCaptureServer } from "../support/capture-server.ts";
import { Ledger } from "../support/ledger.ts";
import { conversation, plainMessage, send, sendAll } from "../support/smtp-client.ts";

const LOADS = [
  { persistent: true, pipelining: false },
  { persistent: true, pipelining: true },
  { persistent: false, pipelining: false },
];

test("the two messages have the sizes of the measurements", () => {
  expect(Math.abs(buildMessage("4k").length - 4336)).toBeLessThan(100);
  expect(Math.abs(buildMessage("50k").length - 50_596)).toBeLessThan(500);
});

test.for(LOADS)("the load generator and the sink agree on the count: %j", async (load) => {
  const sink = await listen();
  try {
    const result = await generateLoad({
      port: sink.port,
      count: 500,
      sessions: 7,
      wire: toWire(buildMessage("4k")),
      ...load,
    });
    expect(result).toMatchObject({ accepted: 500, refused: 0, broken: 0 });
    expect(sink.count).toBe(500);
  } finally {
    await sink.close();
  }
});

test("the load generator sends what the capture server keeps, byte for byte", async () => {
  await using hop = await startCaptureServer();
  const message = buildMessage("50k");
  await generateLoad({ port: hop.port, count: 3, sessions: 2, pipelining: true, wire: toWire(message) });
  const kept = await hop.received(3);
  expect(kept.every((one) => one.content.equals(message) && one.to[0] === "recipient@example.org")).toBe(
    true,
  );
});

test("refusals are counted as refusals", async () => {
  await using hop = await startCaptureServer({ rcpt: () => "550 5.1.1 no" });
  const result = await generateLoad({
    port: hop.port,
    count: 5,
    sessions: 2,
    wire: toWire(buildMessage("4k")),
  });
  expect(result).toMatchObject({ accepted: 0, refused: 5 });
});

test.for(["", ".", ".\r\n..\r\n.x", "a\r\n.\r\nb"])(
  "the client stuffs and the capture server unstuffs %j",
  async (body) => {
    await using hop = await startCaptureServer();
    await send(hop.port, { data: Buffer.from(`X: y\r\n\r\n${body}\r\n`) });
    const [message] = await hop.received(1);
    expect(message?.content.toString("latin1")).toBe(`X: y\r\n\r\n${body}\r\n`);
  },
);

test("a refused recipient and a dropped connection fail with a transcript", async () => {
  await using hop = await startCaptureServer({
    rcpt: (to) => (to.startsWith("bad") ? "550 5.1.1 bad" : undefined),
  });
  await expect(send(hop.port, { to: "bad@example.org", data: plainMessage("x") })).rejects.toThrow(
    /C: RCPT TO:<bad@[^]*S: 550 5\.1\.1 bad/,
  );
  hop.script.content = () => "drop";
  await expect(send(hop.port, { data: plainMessage("kept") })).rejects.toThrow(/closed the connection/);
  expect(hop.messages).toHaveLength(1);
});

test("a conversation reads multi-line replies and stays in step", async () => {
  await using hop = await startCaptureServer();
  await using talk = conversation(hop.port);
  const answer = await talk
    .expects(220)
    .sends("EHLO me")
    .expects(250, "DSN")
    .sends("NOOP")
    .expects(2)
    .sends("QUIT")
    .expects(221)
    .expectsEnd();
  expect(answer.code).toBe(221);
});

test("the ledger finds what is lost, doubled and damaged", async () => {
  await using hop = await startCaptureServer();
  const ledger = new Ledger();
  const entries = Array.from({ length: 4 }, () => ledger.write());
  const [lost, once, twice, damaged] = entries;
  for (const { token } of entries) ledger.acknowledge(token);
  const sent = [once, twice, twice].map((entry) => ({ data: entry?.data ?? "" }));
  await sendAll(hop.port, [
    ...sent,
    { data: Buffer.concat([damaged?.data ?? Buffer.alloc(0), Buffer.from("more\r\n")]) },
  ]);
  for (const message of await hop.received(4)) ledger.find("hop", message.content);
  expect(ledger.balance()).toEqual({
    acknowledged: 4,
    lost: [lost?.token],
    duplicates: 1,
    corrupt: [damaged?.token],
    unacknowledged: 0,
  });
});
