import { expect, test } from "vitest";
import { messageStatus } from "../../../src/core/status.ts";
import { eventually } from "../../support/eventually.ts";
import { DEFAULT_CATEGORIZER_SETTINGS } from "../../../src/transport/categorizer/settings.ts";
import { SplittingCourier } from "../../../src/transport/couriers/splitting-courier.ts";
import { destinationTo, SILENCE, startPeer } from "../smtp/client/support.ts";
import { accepted, HOUR, type House, MINUTE, nativeSink, openHouse, until } from "./transport-house.ts";

const GRACE_MS = 1000;

async function stop(house: House): Promise<void> {
  const stopping = house.transport.stop(GRACE_MS);
  await house.clock.advance(GRACE_MS);
  await stopping;
}

/** Answers once it is told to, the first time. */
function slowOnce(): { calls: number; end: () => void; call: () => Promise<void> | undefined } {
  const slow = {
    calls: 0,
    end: (): void => undefined,
    call: () => {
      slow.calls += 1;
      return slow.calls > 1 ? undefined : new Promise<void>((resolve) => (slow.end = resolve));
    },
  };
  return slow;
}

test("what a next hop has not answered by the end of the grace is broken off, and left to the next run", async () => {
  await using peer = await startPeer({ answers: { ".": SILENCE } });
  await using house = await openHouse({ remoteCourier: (_route, cutOff) => destinationTo(peer, { cutOff }) });
  await house.accept(["a@far.example"]);
  await until(() => peer.sessions[0]?.messages.length === 1);
  await stop(house);
  await eventually(() => peer.sessions[0]?.socket.closed);
  // Nothing is recorded of it: it is in the store as it was.
  expect(house.log.filter(({ message }) => message.startsWith("recipient"))).toEqual([]);
  await using next = await house.crash({ remoteCourier: undefined });
  await next.empty();
  expect(next.world.attempts).toHaveLength(1);
});

test("the next run goes on at once with the rest of a message that goes in several transactions", async () => {
  await using peer = await startPeer({
    answers: { ".": (_line, { number }) => (number === 1 ? SILENCE : "250 2.0.0 Ok") },
  });
  const remoteCourier = (): SplittingCourier => new SplittingCourier(destinationTo(peer), 1);
  const contents = (): number => peer.sessions.flatMap(({ messages }) => messages).length;
  await using house = await openHouse({ remoteCourier });
  await house.accept(["a@far.example", "b@far.example", "c@far.example"]);
  await until(() => contents() === 1);
  const stopping = house.transport.stop(10_000);
  peer.sessions[0]?.socket.write("250 2.0.0 Ok\r\n");
  await stopping;
  await using next = await house.crash({ remoteCourier });
  await next.empty();
  expect(contents()).toBe(3);
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
  await stop(house);
  await using next = await house.crash();
  answer();
  await next.empty();
  expect({ calls, sent: next.world.sent.length, discarded: house.log }).toEqual({
    calls: 2,
    sent: 1,
    discarded: [],
  });
});

test("a report whose sinks are asked for longer than the grace is made by the next run only", async () => {
  const slow = slowOnce();
  await using house = await openHouse({
    dsnSinks: [({ kind }) => (kind === "due" ? slow.call() : undefined)],
  });
  house.world.answer = (message) => accepted(message, 550, "no");
  await house.accept(["a@far.example"]);
  await until(() => slow.calls === 1);
  await stop(house);
  await house.store.close();
  slow.end();
  await until(() =>
    house.log.some(({ message }) => message === "message stays in the queue until the next start"),
  );
  await house.clock.advance(HOUR);
  expect(slow.calls).toBe(1);
  expect(house.log.filter(({ level }) => level === "error")).toHaveLength(1);
  house.world.answers.set("client.example", (message) => accepted(message));
  await using next = await house.crash();
  await next.empty();
  expect(next.world.to("client.example")).toHaveLength(1);
});

test("what a sink of local delivery lets pass after the end of the grace is left to the next run", async () => {
  const slow = slowOnce();
  const written: string[] = [];
  await using house = await openHouse({
    storeSinks: [({ kind }) => (kind === "localDelivery" ? slow.call() : undefined)],
    drop: { deliver: (id) => Promise.resolve(void written.push(id)) },
  });
  const id = await house.accept(["a@local.example"]);
  await until(() => slow.calls === 1);
  await stop(house);
  slow.end();
  await house.clock.advance(MINUTE);
  await using next = await house.crash();
  await next.empty();
  expect(written).toEqual([id]);
});

test("the directory is closed at the end of the grace, whatever sinks still have in hand", async () => {
  let closed = 0;
  const slow = slowOnce();
  const directory = {
    resolve: () => Promise.resolve([]),
    close: () => Promise.resolve(void (closed += 1)),
  };
  await using house = await openHouse({
    sinks: [nativeSink(slow.call)],
    categorizer: { settings: DEFAULT_CATEGORIZER_SETTINGS, directory },
  });
  await house.accept(["a@far.example"]);
  await until(() => slow.calls === 1);
  await stop(house);
  expect(closed).toBe(1);
});

test("forks that become durable after the end of the grace do not leave their message to go through the sinks again", async () => {
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const fork = nativeSink((msg, context) => {
    if (msg.recipients.count > 1)
      msg.forkForRecipients(context.nextMessageId(), ({ address }) => address.startsWith("b"));
  });
  await using house = await openHouse({
    sinks: [fork],
    wrapStore: (store) => ({
      async commit(...message) {
        if (message[0].startsWith("FORK")) {
          reached.resolve();
          await released.promise;
        }
        return store.commit(...message);
      },
    }),
  });
  await house.accept(["a@far.example", "b@far.example"]);
  await reached.promise;
  await stop(house);
  released.resolve();
  await until(() => house.queue.length === 2);
  await using next = await house.crash({ wrapStore: () => ({}) });
  await next.empty();
  expect(next.world.sent.flatMap(({ to }) => to).toSorted()).toEqual(["a@far.example", "b@far.example"]);
});

test("what was being written to Drop at the end of the grace is not delivered again", async () => {
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const written: string[] = [];
  await using house = await openHouse({
    drop: {
      async deliver(id) {
        written.push(id);
        reached.resolve();
        await released.promise;
      },
    },
  });
  const id = await house.accept(["a@local.example"]);
  await reached.promise;
  await stop(house);
  released.resolve();
  await house.clock.advance(MINUTE);
  await using next = await house.crash();
  await next.empty();
  expect(written).toEqual([id]);
});
