import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { reply } from "../../../../src/core/reply.ts";
import { Content } from "../../../../src/message/content.ts";
import type { NextHop, OutboundMessage } from "../../../../src/smtp/client/destination.ts";
import { createDrop } from "../../../../src/store/drop.ts";
import { DirectFirstCourier } from "../../../../src/transport/couriers/direct-first-courier.ts";
import { LocalCourier } from "../../../../src/transport/couriers/local-courier.ts";
import type { MxAnswer } from "../../../../src/transport/routing/mx.ts";
import { MxCourier } from "../../../../src/transport/couriers/mx-courier.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { TestCourier, World } from "../transport-house.ts";

function message(id: string, ...to: string[]): OutboundMessage {
  const recipients = to.map((address) => ({ address }));
  const content = Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n"));
  return {
    id,
    sender: "s@client.example",
    recipients,
    envelope: { sender: "s@client.example", recipients },
    content,
  };
}

describe("the local courier", () => {
  test("writes one file for all recipients and answers for each", async () => {
    await using folder = await tempFolder();
    const courier = new LocalCourier(createDrop({ folder: folder.path, sync: false }), 2);
    const outcome = await courier.deliver(message("ID", "a@local", "b@local"));
    expect(outcome).toMatchObject({ kind: "report", report: { replies: [{ code: 250 }, { code: 250 }] } });
    expect(await readFile(path.join(folder.path, "ID.eml"), "latin1")).toMatch(
      /^x-sender: .*\r\nx-receiver: a@local\r\nx-receiver: b@local\r\n/,
    );
  });

  test("closes when no file is being written any more", async () => {
    await using folder = await tempFolder();
    const courier = new LocalCourier(createDrop({ folder: folder.path, sync: false }), 2);
    const delivering = [courier.deliver(message("1", "a@local")), courier.deliver(message("2", "a@local"))];
    expect(courier.capacity).toBe(0);
    await courier.close();
    expect((await readdir(folder.path)).toSorted()).toEqual(["1.eml", "2.eml"]);
    await Promise.all(delivering);
    expect(courier.capacity).toBe(2);
  });

  test("is unreachable for now when Drop cannot be written", async () => {
    const drop = { deliver: () => Promise.reject(new Error("disk full")) };
    const outcome = await new LocalCourier(drop, 2).deliver(message("ID", "a@local"));
    expect(outcome).toMatchObject({ kind: "unreachable", transient: true, reply: { code: 451 } });
  });
});

describe("the courier of a domain", () => {
  const hop: NextHop = { host: "mx.far.example", port: 25 };
  const courierOf = (answers: MxAnswer[]): { courier: MxCourier; hosts: string[][]; worlds: World[] } => {
    const hosts: string[][] = [];
    const worlds: World[] = [];
    const courier = new MxCourier({
      domain: "far.example",
      maxConnections: 5,
      lookup: { nextHops: () => Promise.resolve(answers.shift() ?? { kind: "hops", hops: [hop] }) },
      connect(hops) {
        hosts.push(hops.map(({ host }) => host));
        const world = new World();
        worlds.push(world);
        return new TestCourier(world, "far.example");
      },
    });
    return { courier, hosts, worlds };
  };

  test("keeps its connections while the answer of DNS stays the same, and changes with it", async () => {
    const other: NextHop = { host: "other.far.example", port: 25 };
    const { courier, hosts, worlds } = courierOf([
      { kind: "hops", hops: [hop] },
      { kind: "hops", hops: [hop] },
      { kind: "hops", hops: [other] },
    ]);
    for (const id of ["1", "2", "3"]) await courier.deliver(message(id, "a@far.example"));
    expect(hosts).toEqual([["mx.far.example"], ["other.far.example"]]);
    expect(worlds.map(({ sent }) => sent.map(({ id }) => id))).toEqual([["1", "2"], ["3"]]);
  });

  test("goes to another host first when DNS prefers it now", async () => {
    const other: NextHop = { host: "other.far.example", port: 25 };
    const { courier, hosts } = courierOf([
      { kind: "hops", hops: [hop, other] },
      { kind: "hops", hops: [other, hop] },
    ]);
    for (const id of ["1", "2"]) await courier.deliver(message(id, "a@far.example"));
    expect(hosts).toEqual([
      ["mx.far.example", "other.far.example"],
      ["other.far.example", "mx.far.example"],
    ]);
  });

  test("bounces when DNS says that the domain takes no mail, and waits when DNS does not answer", async () => {
    const { courier } = courierOf([
      { kind: "failed", reply: reply(556, "1.10", "null MX") },
      { kind: "failed", reply: reply(451, "4.3", "no answer") },
    ]);
    expect(await courier.deliver(message("1", "a@far.example"))).toMatchObject({
      kind: "report",
      report: { replies: [{ code: 556 }] },
    });
    expect(await courier.deliver(message("2", "a@far.example"))).toMatchObject({
      kind: "unreachable",
      transient: true,
    });
  });

  test("opens no connection after it was closed while DNS was asked", async () => {
    const { courier, hosts } = courierOf([]);
    const delivering = courier.deliver(message("1", "a@far.example"));
    await courier.close();
    expect(await delivering).toMatchObject({ kind: "unreachable", transient: true });
    expect(hosts).toEqual([]);
    expect(courier.capacity).toBe(0);
  });
});

test("before a smart host, a domain that DNS does not know is one that was not reached; its own word counts", async () => {
  const smartHost = new World();
  const delivered = async (code: number): Promise<unknown> => {
    const direct = new MxCourier({
      domain: "far.example",
      maxConnections: 1,
      hasFallback: true,
      lookup: { nextHops: () => Promise.resolve({ kind: "failed", reply: reply(code, "1.2", "said DNS") }) },
      connect: () => new TestCourier(new World(), "direct"),
    });
    const courier = new DirectFirstCourier(direct, new TestCourier(smartHost, "smart host"));
    const outcome = await courier.deliver(message("ID", "a@far.example"));
    await courier.close();
    return outcome.kind === "report" ? outcome.report.replies[0]?.code : outcome.kind;
  };
  expect([await delivered(550), await delivered(451), await delivered(556)]).toEqual([250, 250, 556]);
  expect(smartHost.attempts).toHaveLength(2);
});
