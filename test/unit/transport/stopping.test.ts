import { expect, test } from "vitest";
import { messageStatus } from "../../../src/core/status.ts";
import { eventually } from "../../support/eventually.ts";
import { destinationTo, SILENCE, startPeer } from "../smtp/client/support.ts";
import { nativeSink, openHouse, until } from "./transport-house.ts";

test("what a next hop has not answered by the end of the grace is broken off, and left to the next run", async () => {
  await using peer = await startPeer({ answers: { ".": SILENCE } });
  await using house = await openHouse({ remoteCourier: (_route, cutOff) => destinationTo(peer, { cutOff }) });
  await house.accept(["a@far.example"]);
  await until(() => peer.sessions[0]?.messages.length === 1);
  const stopping = house.transport.stop(1000);
  await house.clock.advance(1000);
  await stopping;
  await eventually(() => peer.sessions[0]?.socket.closed);
  // Nothing is recorded of it: it is in the store as it was.
  expect(house.log.filter(({ message }) => message.startsWith("recipient"))).toEqual([]);
  await using next = await house.crash({ remoteCourier: undefined });
  await next.empty();
  expect(next.world.attempts).toHaveLength(1);
});

test("what a sink says after the end of the grace is not heard, and it sees the message again", async () => {
  let answer = (): void => undefined;
  let calls = 0;
  const slow = nativeSink((message) => {
    calls += 1;
    if (calls > 1) return undefined;
    return new Promise((resolve) => {
      answer = () => {
        message.status = messageStatus.abortDelivery;
        resolve(undefined);
      };
    });
  });
  await using house = await openHouse({ sinks: [slow] });
  await house.accept(["a@far.example"]);
  await until(() => calls === 1);
  const stopping = house.transport.stop(1000);
  await house.clock.advance(1000);
  await stopping;
  await using next = await house.crash();
  answer();
  await next.empty();
  expect({ calls, sent: next.world.sent.length, discarded: house.log }).toEqual({
    calls: 2,
    sent: 1,
    discarded: [],
  });
});
