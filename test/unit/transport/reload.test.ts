// What is under way when a reload gives the queues new couriers.
import { expect, test } from "vitest";
import { SystemChain } from "../../../src/events/system-chain.ts";
import { DirectFirstCourier } from "../../../src/transport/couriers/direct-first-courier.ts";
import { eventually } from "../../support/eventually.ts";
import { destinationTo, SILENCE, startPeer } from "../smtp/client/support.ts";
import { openHouse, TestCourier, unreachable, until, World } from "./transport-house.ts";

test("a smart host takes what the hosts of a domain have in hand over a reload, and do not take", async () => {
  await using peer = await startPeer();
  const refused = Promise.withResolvers<ReturnType<typeof unreachable>>();
  const world = new World();
  world.answer = () => refused.promise;
  await using house = await openHouse({
    world,
    remoteCourier: (route) => {
      const direct = new TestCourier(world, route.key);
      // As couriers close: what they have in hand comes to its end.
      const closing = { deliver: direct.deliver.bind(direct), close: () => Promise.resolve(), capacity: 5 };
      return new DirectFirstCourier(closing, destinationTo(peer));
    },
  });
  await house.accept(["a@far.example"]);
  await until(() => world.attempts.length === 1);
  house.transport.reconfigure(house.live());
  refused.resolve(unreachable());
  await house.empty();
  expect(peer.sessions.map(({ messages }) => messages.length)).toEqual([1]);
});

test("connections that idle end with a reload, whatever else their courier has in hand", async () => {
  await using peer = await startPeer({
    answers: { ".": (_line, { number }) => (number === 1 ? SILENCE : "250 2.0.0 Ok") },
  });
  await using house = await openHouse({ remoteCourier: () => destinationTo(peer) });
  await house.accept(["a@far.example"]);
  await until(() => peer.sessions[0]?.messages.length === 1);
  await house.accept(["b@far.example"]);
  await until(() => house.queue.length === 1);
  house.transport.reconfigure(house.live());
  await eventually(() => peer.sessions[1]?.lines.includes("QUIT"), {
    what: "the end of the idle connection",
  });
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

test("local mail that Drop did not take is tried again with a reload", async () => {
  let isFull = true;
  const deliver = (): Promise<void> =>
    isFull ? Promise.reject(new Error("ENOSPC: no space left")) : Promise.resolve();
  await using house = await openHouse({ drop: { deliver } });
  await house.accept(["a@local.example"]);
  await until(() => house.queue[0]?.state === "retry");
  isFull = false;
  house.transport.reconfigure(house.live());
  await house.empty();
});
