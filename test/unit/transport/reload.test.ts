// What is under way when a reload gives the queues new couriers.
import { expect, test } from "vitest";
import { SystemChain } from "../../../src/events/system-chain.ts";
import type { MxAnswer } from "../../../src/transport/mx.ts";
import { MxCourier } from "../../../src/transport/mx-courier.ts";
import { SplittingCourier } from "../../../src/transport/splitting-courier.ts";
import { eventually } from "../../support/eventually.ts";
import { destinationTo, startPeer } from "../smtp/client/support.ts";
import { openHouse, until } from "./transport-house.ts";

test("a look-up that a reload comes upon leads to its next hop all the same", async () => {
  await using peer = await startPeer();
  const hops = [{ host: "localhost", port: peer.port, addresses: ["127.0.0.1"] }];
  const asked: ((answer: MxAnswer) => void)[] = [];
  const parts = {
    domain: "far.example",
    maxConnections: 5,
    lookup: { nextHops: () => new Promise<MxAnswer>((answer) => void asked.push(answer)) },
    connect: () => destinationTo(peer),
  };
  await using house = await openHouse({ remoteCourier: () => new MxCourier(parts) });
  await house.accept(["a@far.example"]);
  await until(() => asked.length === 1);
  house.transport.reconfigure(house.live());
  asked[0]?.({ kind: "hops", hops });
  await house.empty();
  expect(house.log.filter(({ level }) => level === "warn")).toEqual([]);
  expect(peer.sessions).toHaveLength(1);
  await eventually(() => peer.sessions[0]?.lines.includes("QUIT"), { what: "the end of the old connection" });
});

test("a message that goes in several transactions goes on after a reload", async () => {
  await using peer = await startPeer({
    answers: {
      MAIL: (_line, { number, messages }) => {
        if (number === 1 && messages.length === 0) house.transport.reconfigure(house.live());
        return "250 2.1.0 Ok";
      },
    },
  });
  await using house = await openHouse({ remoteCourier: () => new SplittingCourier(destinationTo(peer), 2) });
  await house.accept(["a@far.example", "b@far.example", "c@far.example"]);
  await house.empty();
  expect(house.log.filter(({ level }) => level === "warn")).toEqual([]);
  expect(peer.sessions.map(({ messages }) => messages.length)).toEqual([2]);
});

test("local mail goes on after a reload, whatever a sink that was there before keeps waiting", async () => {
  let calls = 0;
  const silent = ({ kind }: { kind: string }): Promise<void> | undefined => {
    if (kind !== "localDelivery") return undefined;
    calls += 1;
    return new Promise(() => undefined);
  };
  await using house = await openHouse({ storeSinks: [silent] });
  for (let index = 0; index < 6; index += 1) await house.accept(["a@local.example"]);
  await until(() => calls === 6);
  house.chains = { ...house.chains, store: new SystemChain([]) };
  house.transport.reconfigure(house.live());
  const id = await house.accept(["b@local.example"]);
  await until(async () => (await house.files("Drop")).includes(`${id}.eml`));
});
