// Forks: parts of a message that a sink sends their own way (the original's ForkForRecipients, REFERENCE 4.6).
import { describe, expect, test } from "vitest";
import { messageStatus } from "../../../src/core/status.ts";
import { SinkChain } from "../../../src/events/dispatcher.ts";
import { MINUTE, type OnEvent, nativeSink, openHouse, unreachable, until } from "./transport-house.ts";

describe("forks", () => {
  const forkFor = (domain: string): ReturnType<typeof nativeSink> =>
    nativeSink((msg, context) => {
      if (!msg.recipients.items.some(({ address }) => address.endsWith(domain))) return;
      const fork = msg.forkForRecipients(context.nextMessageId(), ({ address }) => address.endsWith(domain));
      fork.headers.add("X-Fork", domain);
    });

  test("go their own way with the recipients they took", async () => {
    await using house = await openHouse({ sinks: [forkFor("b.example")] });
    await house.accept(["x@a.example", "y@b.example"]);
    await until(() => house.world.sent.length === 2);
    await house.empty();
    expect(house.world.to("a.example")[0]?.text).not.toContain("X-Fork");
    expect(house.world.to("b.example")[0]?.text).toContain("X-Fork");
  });

  test("live on when a later sink discards the rest", async () => {
    const discard = nativeSink((msg) => {
      if (msg.recipients.has("x@a.example")) msg.status = messageStatus.abortDelivery;
    });
    await using house = await openHouse({ sinks: [forkFor("b.example"), discard] });
    await house.accept(["x@a.example", "y@b.example"]);
    await until(() => house.world.sent.length === 1);
    await house.empty();
    expect(house.world.sent[0]?.to).toEqual(["y@b.example"]);
    const discarded = house.log.find((line) => line.message === "message discarded");
    expect(discarded?.fields["recipients"]).toEqual(["x@a.example"]);
  });

  test("that cannot be stored send the whole message back, and nobody is forgotten", async () => {
    let full = true;
    await using house = await openHouse({
      sinks: [forkFor("b.example")],
      wrapStore: (store) => ({
        open: () => store.open(),
        nextId: store.nextId,
        createSpoolFile: () => store.createSpoolFile(),
        commit: (id, origin, envelope, content) =>
          full && id.startsWith("FORK")
            ? Promise.reject(new Error("disk full"))
            : store.commit(id, origin, envelope, content),
        saveState: (id, state, content) => store.saveState(id, state, content),
        loadContent: (id) => store.loadContent(id),
        remove: (id) => store.remove(id),
        reload: (of) => store.reload(of),
        reloadInOrder: (ids) => store.reloadInOrder(ids),
        rest: (of) => store.rest(of),
        close: () => store.close(),
      }),
    });
    await house.accept(["x@a.example", "y@b.example"]);
    await until(() => house.queue[0]?.state === "retry");
    expect(house.queue[0]?.recipients).toHaveLength(2);
    full = false;
    await house.clock.advance(2 * MINUTE);
    await until(() => house.world.sent.length === 2);
    await house.empty();
    expect(house.world.sent.flatMap((sent) => sent.to).toSorted()).toEqual(["x@a.example", "y@b.example"]);
  });
});

describe("the id of a fork", () => {
  const forkAs =
    (...ids: readonly string[]): OnEvent =>
    (msg) => {
      for (const id of ids) msg.forkForRecipients(id === "its own" ? msg.id : id, () => false);
    };

  test.each([
    ["leads out of the mailroot", ["../../evil"], "is no message id"],
    ["is empty", [""], "is no message id"],
    ["is that of the message", ["its own"], "is taken"],
    ["is that of another fork", ["FORK00000000000001", "FORK00000000000001"], "is taken"],
  ])("that %s is the fault of the sink", async (_title, ids, why) => {
    await using house = await openHouse({ sinks: [nativeSink(forkAs(...ids))] });
    const id = await house.accept(["a@far.example"]);
    await until(() => house.queue[0]?.state === "held");
    expect(house.queue[0]?.reason).toMatch(new RegExp(`^sink: throw: .*${why}`));
    house.chain = new SinkChain([]);
    expect(house.transport.admin.release([id])).toBe(1);
    await house.empty();
    expect(house.world.sent).toHaveLength(1);
  });

  test("that another message has keeps the message waiting, and is named", async () => {
    const forking: OnEvent = (msg) =>
      void msg.forkForRecipients("FORK00000000000001", ({ address }) => address.startsWith("b"));
    await using house = await openHouse({ sinks: [nativeSink(forking)] });
    house.world.answers.set("far.example", () => unreachable());
    await house.accept(["a@far.example", "b@far.example"]);
    await until(() => house.queue.length === 2);
    await house.accept(["a@far.example", "b@far.example"]);
    await until(
      () => house.queue.length === 3 && house.queue.some(({ queue }) => queue === "pre-submission"),
    );
    expect(house.queue.find(({ queue }) => queue === "pre-submission")?.reason).toContain(
      "a fork could not be stored: FORK00000000000001 is in use",
    );
  });
});

test("a fork of a fork goes its own way like others", async () => {
  const forking = nativeSink((msg, context) => {
    if (msg.recipients.count !== 3) return;
    const fork = msg.forkForRecipients(context.nextMessageId(), ({ address }) => !address.startsWith("a"));
    fork.forkForRecipients(context.nextMessageId(), ({ address }) => address.startsWith("c"));
  });
  await using house = await openHouse({ sinks: [forking] });
  await house.accept(["a@far.example", "b@far.example", "c@far.example"]);
  await house.empty();
  const sent = house.world.sent.map(({ to }) => to.join());
  expect(sent.toSorted()).toEqual(["a@far.example", "b@far.example", "c@far.example"]);
});
