import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { messageStatus, sinkResult } from "../../../src/core/status.ts";
import { SinkChain, createDispatcher } from "../../../src/events/dispatcher.ts";
import type { BoundSink } from "../../../src/events/sink.ts";
import { Content } from "../../../src/message/content.ts";
import { type QueuedMessage, createQueuedMessage } from "../../../src/transport/queued-message.ts";
import { MessageSteps } from "../../../src/transport/message-steps.ts";
import { forkedMessage } from "../../../src/transport/sink-view.ts";
import { Submission, type SubmissionResult } from "../../../src/transport/submission.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { MINUTE, type OnEvent, nativeSink, openHouse, scriptSink, until } from "./transport-house.ts";

const content = Content.fromBuffer(Buffer.from("Subject: x\r\n\r\nbody\r\n"));

function message(...to: string[]): QueuedMessage {
  const origin = { via: "smtp", arrivalTime: 0, server: "default" } as const;
  const recipients = to.map((address) => ({ address }));
  return createQueuedMessage("ID", origin, { sender: "s@client.example", recipients }, content);
}

async function run(
  sinks: readonly (OnEvent | BoundSink<string>)[],
  subject: QueuedMessage = message("a@x.example", "b@y.example"),
): Promise<SubmissionResult> {
  const clock = new ManualClock();
  const chain = new SinkChain(sinks.map((sink) => (typeof sink === "function" ? nativeSink(sink) : sink)));
  const dispatcher = createDispatcher<string>({
    runScripts: () =>
      Promise.resolve({ called: 1, result: 0, fault: { kind: "timeout", message: "slow", version: "9e2e" } }),
    clock,
    log: silentLogger,
  });
  return new Submission({
    dispatcher,
    chain: () => chain,
    categorizes: () => false,
    steps: new MessageSteps(undefined),
    log: silentLogger,
  }).run(subject, "OnTransportSubmission", content);
}

describe("a message that passes", () => {
  test("without sinks is taken as it is", async () => {
    const subject = message("a@x.example");
    expect(await run([], subject)).toEqual({ kind: "submitted", forked: false });
    expect(subject).toMatchObject({ edits: "none", size: content.size });
  });

  test("without a change has nothing to save", async () => {
    const subject = message("a@x.example");
    expect(await run([() => sinkResult.runNext], subject)).toEqual({ kind: "submitted", forked: false });
    expect(subject.edits).toBe("none");
    expect(subject.content).toBe(content);
  });

  test("has the changes of all its sinks: content, envelope, properties", async () => {
    const subject = message("a@x.example");
    await run(
      [
        (msg) => {
          msg.headers.add("X-One", "1");
          msg.properties.set("seen", true);
        },
        (msg) => {
          msg.sender = "other@client.example";
          msg.recipients.add("c@z.example");
        },
      ],
      subject,
    );
    expect(subject).toMatchObject({ edits: "unsaved", size: content.size + "X-One: 1\r\n".length });
    expect(subject.content?.header.toString()).toContain("X-One: 1");
    expect(subject.envelope).toMatchObject({
      sender: "other@client.example",
      recipients: [{ address: "a@x.example" }, { address: "c@z.example" }],
    });
    expect(subject.properties.get("seen")).toBe(true);
  });

  test("with nobody left is discarded", async () => {
    expect(await run([(msg) => msg.recipients.replaceAddresses([])])).toMatchObject({
      kind: "discarded",
    });
  });
});

describe("a message that does not pass", () => {
  const edit: OnEvent = (msg) => {
    msg.headers.add("X-One", "1");
    msg.recipients.remove("b@y.example");
  };

  test.each([
    ["retry", messageStatus.retry, "retry"],
    ["abortDelivery", messageStatus.abortDelivery, "discarded"],
    ["badMail", messageStatus.badMail, "badmail"],
  ] as const)("by status %s stays as it came", async (_name, status, kind) => {
    const subject = message("a@x.example", "b@y.example");
    const stop: OnEvent = (msg) => {
      msg.status = status;
    };
    expect(await run([edit, stop], subject)).toMatchObject({ kind });
    expect(subject).toMatchObject({ edits: "none", envelope: { recipients: { length: 2 } } });
  });

  test("because a sink fails is held, or goes to Badmail, by its policy", async () => {
    const fail: OnEvent = () => {
      throw new Error("broken");
    };
    const subject = message("a@x.example", "b@y.example");
    expect(await run([edit, fail], subject)).toMatchObject({
      kind: "hold",
      reason: { by: "sink", text: "sink: throw: broken" },
    });
    expect(subject).toMatchObject({ edits: "none", envelope: { recipients: { length: 2 } } });
    expect(await run([nativeSink(fail, { onError: "badmail" })])).toMatchObject({
      kind: "badmail",
      code: "SINK_FAILED",
    });
    expect(await run([nativeSink(fail, { onError: "continue" })])).toEqual({
      kind: "submitted",
      forked: false,
    });
  });

  test("because a script fails is held by that script, and tells its version", async () => {
    expect(await run([scriptSink("a.ts")])).toMatchObject({
      kind: "hold",
      reason: { by: "script", scriptName: "a.ts", text: "a.ts (version 9e2e): timeout: slow" },
    });
  });
});

describe("forks", () => {
  const fork: OnEvent = (msg, context) => {
    const taken = msg.forkForRecipients(context.nextMessageId(), ({ address }) => address === "b@y.example");
    taken.properties.set("why", "y");
  };

  test("come first, and only then the message changes", async () => {
    const subject = message("a@x.example", "b@y.example");
    const result = await run([fork, () => undefined], subject);
    expect(result.kind).toBe("forked");
    expect(subject.envelope.recipients).toHaveLength(2);
    if (result.kind !== "forked") return;
    expect(result.conclude()).toEqual({ kind: "submitted", forked: true });
    expect(subject.envelope.recipients).toEqual([{ address: "a@x.example" }]);
    const [made] = result.forks.map((taken) => forkedMessage(taken, subject));
    expect(made).toMatchObject({
      resumeAt: 1,
      phase: "submission",
      envelope: { recipients: [{ address: "b@y.example" }] },
    });
    expect(made?.properties.get("why")).toBe("y");
  });

  test("leave with the whole message when it goes through the sinks again", async () => {
    const retry: OnEvent = (msg) => {
      msg.status = messageStatus.retry;
    };
    const fail: OnEvent = () => {
      throw new Error("broken");
    };
    expect((await run([fork, retry])).kind).toBe("retry");
    expect((await run([fork, fail])).kind).toBe("hold");
  });
});

test("what a sink writes after its time is over goes nowhere, while another one is waited for", async () => {
  const steps: (() => void)[] = [];
  const fork: OnEvent = (msg, context) => {
    msg.properties.set("kept", "in time");
    msg.forkForRecipients(context.nextMessageId(), ({ address }) => address.startsWith("b"));
  };
  const late: OnEvent = (msg) => {
    steps.push(() => {
      msg.sender = "late@client.example";
      msg.headers.add("X-Late", "1");
      msg.recipients.add("late@far.example");
      msg.status = messageStatus.abortDelivery;
      msg.properties.set("kept", "too late");
    });
    return new Promise(() => undefined);
  };
  const next: OnEvent = async (msg) => {
    msg.headers.add("X-Next", "1");
    await new Promise<void>((go) => void steps.push(go));
  };
  const sinks = [
    nativeSink(fork, { priority: 1 }),
    nativeSink(late, { onError: "continue", priority: 2 }),
    nativeSink(next, { priority: 3 }),
  ];
  await using house = await openHouse({ sinks });
  await house.accept(["a@far.example", "b@far.example"]);
  await house.clock.advance(MINUTE);
  await until(() => steps.length === 2);
  for (const step of steps) step();
  // The fork meets the same sinks.
  await until(() => steps.length === 3);
  await house.clock.advance(MINUTE);
  await until(() => steps.length === 4);
  for (const step of steps) step();
  await house.empty();
  const [first, second] = house.world.sent;
  expect([first, second]).toMatchObject([
    { sender: "sender@client.example", to: ["a@far.example"], text: expect.stringMatching(/^X-Next: 1/m) },
    { sender: "sender@client.example", to: ["b@far.example"], text: expect.stringMatching(/^X-Next: 1/m) },
  ]);
  expect(`${first?.text}${second?.text}`).not.toContain("X-Late");
  expect([first, second].map((sent) => sent?.properties.get("kept"))).toEqual(["in time", "in time"]);
});
