// Step 11: sinks of the DSN event choose who is reported on and what the report says.
import { describe, expect, test } from "vitest";
import { MessageTracker } from "../../../../src/composition/observation/message-tracker.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { messageStatus } from "../../../../src/core/status.ts";
import type {
  DsnDueContext,
  DsnMadeContext,
  DsnSubject,
} from "../../../../src/events/contexts/dsn-contexts.ts";
import { Content } from "../../../../src/message/content.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { trackedLines } from "../../../support/tracking.ts";
import { type House, type HouseChoices, MINUTE, accepted, openHouse, until } from "../transport-house.ts";
import { trackingLog } from "../../../support/tracking-log.ts";

const due = (see: (context: DsnDueContext) => void) => (subject: DsnSubject) => {
  if (subject.kind === "due") see(subject);
};
const made = (see: (context: DsnMadeContext) => void) => (subject: DsnSubject) => {
  if (subject.kind === "made") see(subject);
};

async function houseWith(
  dsnSink: (subject: DsnSubject) => void | Promise<void>,
  more: HouseChoices = {},
): Promise<House> {
  const house = await openHouse({ dsnSinks: [dsnSink], ...more });
  house.world.answers.set("far.example", (message) => accepted(message, 550, "no such user"));
  return house;
}

const reports = (house: House) => house.world.to("client.example");

describe("before a report is made", () => {
  test("sinks see who it is about, take some away, and add their text", async () => {
    const seen: unknown[] = [];
    await using house = await houseWith(
      due((context) => {
        seen.push([context.action, context.recipients.map(({ reply }) => reply)]);
        context.recipients = context.recipients.filter(({ recipient }) => recipient.address.startsWith("a"));
        context.textAbove = "Please call 555\nbefore you send again.";
        context.textBelow = `Boundary\0of ${"x".repeat(70_000)}`;
      }),
    );
    await house.accept(["a@far.example", "b@far.example"]);
    await house.empty();
    expect(seen).toEqual([["failed", ["550 5.1.1 no such user", "550 5.1.1 no such user"]]]);
    const text = reports(house)[0]?.text ?? "";
    expect(text.match(/Final-Recipient: .*/g)).toEqual(["Final-Recipient: rfc822;a@far.example"]);
    expect(text).toContain("\r\nPlease call 555\r\nbefore you send again.\r\n");
    expect(text).toContain("Boundary of xxx");
    expect(Math.max(...text.split("\r\n").map((line) => line.length))).toBeLessThan(998);
  });

  test("nobody left means no report, and the message ends all the same", async () => {
    await using house = await houseWith(
      due((context) => {
        context.recipients = [];
      }),
    );
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(reports(house)).toEqual([]);
    expect(house.log.map(({ message }) => message)).toContain("report suppressed by a sink");
  });

  test("recipients that the report is not about cannot be added", async () => {
    await using house = await houseWith(
      due((context) => {
        const stranger = { recipient: { address: "x@y.example" }, reply: "550 no", remoteMta: undefined };
        context.recipients = [...context.recipients, stranger];
      }),
    );
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(reports(house)[0]?.text).not.toContain("x@y.example");
  });
});

describe("a report that is made", () => {
  test("can be edited, replaced and sent to others as well, also by promise", async () => {
    await using house = await houseWith(async (subject) => {
      if (subject.kind !== "made") return;
      await Promise.resolve();
      subject.msg.headers.set("Subject", "Returned");
      subject.msg.recipients.add("desk@client.example");
    });
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(reports(house)).toMatchObject([
      { sender: "", to: ["sender@client.example", "desk@client.example"] },
    ]);
    expect(reports(house)[0]?.text).toContain("Subject: Returned\r\n");
    await using other = await houseWith(
      made(({ msg }) => {
        msg.content = Content.fromBuffer(Buffer.from("Subject: ours\r\n\r\ntext\r\n"));
      }),
    );
    await other.accept(["a@far.example"]);
    await other.empty();
    expect(reports(other)[0]?.text).toBe("Subject: ours\r\n\r\ntext\r\n");
  });

  test("cannot be forked: the sink counts as not there, and the report goes out", async () => {
    await using house = await houseWith(
      made(({ msg }) => {
        msg.headers.set("Subject", "Returned");
        msg.forkForRecipients("FORK00000000000001", () => true);
      }),
    );
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(reports(house)).toMatchObject([{ sender: "", to: ["sender@client.example"] }]);
    expect(reports(house)[0]?.text).not.toContain("Subject: Returned");
    expect(JSON.stringify(house.log)).toContain("a report cannot be forked");
  });

  test("has a null sender and nobody to report to, whatever a sink sets", async () => {
    await using house = await houseWith(
      made(({ msg }) => {
        msg.sender = "loop@far.example";
        msg.recipients.replaceAddresses(["loop@far.example"]);
      }),
    );
    const id = await house.accept(["a@far.example"]);
    await house.empty();
    // The report itself fails at far.example: it goes to Badmail, and no further report is made.
    expect(house.world.sent).toEqual([]);
    const bad = await house.files("Badmail");
    expect(bad).toHaveLength(3);
    expect(bad.join()).not.toContain(id);
  });

  test.each([
    ["2 is dropped", messageStatus.abortDelivery, 0],
    ["3 goes to Badmail", messageStatus.badMail, 3],
  ] as const)("with status %s", async (_name, status, files) => {
    await using house = await houseWith(
      made(({ msg }) => {
        msg.status = status;
      }),
    );
    await house.accept(["a@far.example"]);
    await house.empty();
    expect(reports(house)).toEqual([]);
    expect(await house.files("Badmail")).toHaveLength(files);
  });
});

test.each([
  [
    "before it is made",
    due((context) => {
      context.recipients = [];
    }),
  ],
  [
    "when it is made",
    made(({ msg }) => {
      msg.status = messageStatus.abortDelivery;
    }),
  ],
])("the tracking log tells of a report that a sink suppressed %s", async (_name, sink) => {
  await using folder = await tempFolder();
  const log = trackingLog(folder.path);
  const recorder = new MessageTracker(log, systemClock);
  await using house = await houseWith(sink, { recorder });
  const id = await house.accept(["a@far.example"]);
  await house.empty();
  await log.close();
  const told = (await trackedLines(folder.path)).filter(({ event }) => event === 1017 || event === 1018);
  expect(told).toMatchObject([
    { event: 1018, step: "absorbed", id, to: ["sender@client.example"], kind: "failed" },
  ]);
});

test("no sink is asked about a message from the null sender", async () => {
  let calls = 0;
  await using house = await houseWith(() => void (calls += 1));
  await house.accept(["a@far.example"], { sender: "" });
  await house.empty();
  expect(calls).toBe(0);
  expect(await house.files("Badmail")).toHaveLength(3);
});

test("a sink that fails keeps no report back, and what it changed does not count", async () => {
  await using house = await houseWith((subject) => {
    if (subject.kind === "due") subject.recipients = [];
    else subject.msg.headers.set("Subject", "half");
    throw new Error("broken");
  });
  await house.accept(["a@far.example"]);
  await house.empty();
  expect(reports(house)).toHaveLength(1);
  expect(reports(house)[0]?.text).not.toContain("half");
});

test("a sink that never answers delays the report until its time is over", async () => {
  let isAsked = false;
  await using house = await houseWith((subject) => {
    if (subject.kind !== "due") return undefined;
    isAsked = true;
    return new Promise<void>(() => undefined);
  });
  await house.accept(["a@far.example"]);
  await until(() => isAsked);
  await house.clock.advance(MINUTE - 1);
  expect(reports(house)).toEqual([]);
  await house.clock.advance(1);
  await house.empty();
  expect(reports(house)).toHaveLength(1);
});
