// The events of steps 2 to 11 in a real transport: store, queues, Drop and Badmail in a folder, and a clock that is moved.
import type {
  CategorizeSubject,
  MessageContext,
} from "../../../../src/events/contexts/categorize-contexts.ts";
import type {
  DsnDueContext,
  DsnMadeContext,
  DsnSubject,
} from "../../../../src/events/contexts/dsn-contexts.ts";
import type { MailEvent } from "../../../../src/events/catalog.ts";
import type {
  LinkContext,
  RouteContext,
  RouterSubject,
} from "../../../../src/events/contexts/router-contexts.ts";
import { isMessageStatus } from "../../../../src/core/status.ts";
import type {
  LocalDeliveryContext,
  StoreNotice,
  StoreSubject,
} from "../../../../src/events/contexts/store-contexts.ts";
import { Content } from "../../../../src/message/content.ts";
import type { MailMsg } from "../../../../src/message/mail-msg.ts";
import {
  HOUR,
  type House,
  type HouseChoices,
  MINUTE,
  type OnEvent,
  accepted,
  nativeSink,
  openHouse,
  unreachable,
  until,
} from "../../transport/transport-house.ts";
import type { Act, Shown, Stage } from "./act.ts";

/** Beyond the time that sinks of a house have to keep a promise. */
async function passTime(act: Act, house: House): Promise<void> {
  if (act.row.does !== "late") return;
  await act.reached;
  await house.clock.advance(MINUTE + 1);
}

// ---- the message itself ----

const CHANGED_CONTENT = Content.fromBuffer(Buffer.from("Subject: changed\r\n\r\nbody\r\n"));

const MAIL_CHANGES: Readonly<Record<string, (msg: MailMsg, nextId: string) => void>> = {
  headers: (msg) => msg.headers.add("X-Changed", "yes"),
  content: (msg) => (msg.content = CHANGED_CONTENT),
  properties: (msg) => msg.properties.set("changed", true),
  deferredDeliveryTime: (msg) => (msg.deferredDeliveryTime = new Date(msg.arrivalTime.getTime() + HOUR)),
  sender: (msg) => (msg.sender = "changed@client.example"),
  recipients: (msg) => void msg.recipients.add("changed@far.example"),
  forkForRecipients: (msg, nextId) => void msg.forkForRecipients(nextId, () => true),
};

/** A fork takes all recipients with it: what becomes of it is all that is to be seen. */
function changeMail(act: Act, msg: MailMsg, change: string, nextId = ""): void {
  MAIL_CHANGES[change]?.(msg, nextId);
  const { status, isOfFork } = act;
  if (!isMessageStatus(status)) return;
  if (isOfFork) msg.forkForRecipients(nextId, () => true).status = status;
  else msg.status = status;
}

export const mailStage =
  (event: MailEvent): Stage =>
  async (act, change) => {
    const first: OnEvent = (msg, context) =>
      act.perform(msg, () => changeMail(act, msg, change, context.nextMessageId()));
    const sinks = [nativeSink(first, { onError: act.onError }), nativeSink(() => act.next())];
    await using house = await openHouse(
      event === "OnTransportSubmission" ? { sinks } : { laterSinks: { [event]: sinks } },
    );
    const id = await house.accept(["a@far.example"]);
    await passTime(act, house);
    await until(() => house.queue.length === 0 || house.queue[0]?.state !== "active");
    return await mailEnding(house, id);
  };

async function mailEnding(house: House, id: string): Promise<Shown> {
  const [waiting] = house.queue;
  if (waiting?.reason?.startsWith("deferred by a sink") === true) return { ending: "goes on", changed: true };
  if (waiting?.state === "retry") return { ending: "retried" };
  if (waiting !== undefined)
    return { ending: waiting.advice?.includes("restarts") === true ? "left alone" : "held" };
  const sent = house.world.to("far.example")[0];
  if (sent !== undefined) {
    const { sender, to, text, properties } = sent;
    const shown = [sender, ...to, text, ...properties.keys()].join(" ");
    return { ending: "goes on", changed: sent.id !== id || /changed/i.test(shown) };
  }
  const bad = (await house.files("Badmail")).filter((name) => !name.endsWith(".BDR"));
  if (bad.length === 0) return { ending: "deleted" };
  const kept = await Promise.all(bad.map((name) => house.read("Badmail", name)));
  return { ending: "badmail", changed: /changed/i.test(kept.join()) };
}

/** Of a sub-event of OnCategorize that is about the message as a whole. */
export const messageStage =
  (kind: "beginMessage" | "endMessage"): Stage =>
  async (act, change) => {
    const isMeant = (subject: CategorizeSubject): subject is MessageContext => subject.kind === kind;
    await using house = await openHouse({
      onError: act.onError,
      categorizeSinks: [
        [
          100,
          (subject) =>
            isMeant(subject)
              ? act.perform(subject, () => changeMail(act, subject.messages.original, change))
              : undefined,
        ],
        [200, (subject) => (isMeant(subject) ? act.next() : undefined)],
      ],
    });
    const id = await house.accept(["a@far.example"]);
    await passTime(act, house);
    await until(() => house.queue.length === 0 || house.queue[0]?.state !== "active");
    return await mailEnding(house, id);
  };

// ---- the store ----

export const noticeStage =
  (kind: StoreNotice["kind"]): Stage =>
  async (act) => {
    await using house = await openHouse({
      onError: act.onError,
      // What waits has its content on disk only.
      residentBytes: 0,
      storeSinks: [
        (subject) => (subject.kind === kind ? act.perform(subject, () => undefined) : undefined),
        (subject) => (subject.kind === kind ? act.next() : undefined),
      ],
    });
    if (kind === "enumerated") {
      house.world.answers.set("far.example", (message) => accepted(message, 450, "later"));
      await house.accept(["a@far.example"]);
      await until(() => house.queue[0]?.state === "retry");
      await using next = await house.crash({ residentBytes: 0 });
      await passTime(act, next);
      return { ending: next.queue.length === 1 ? "goes on" : "deleted" };
    }
    await house.accept(["a@far.example"]);
    await house.empty();
    await passTime(act, house);
    return { ending: "goes on" };
  };

const STORE_CHANGES: Readonly<Record<string, (context: LocalDeliveryContext) => void>> = {
  deliver: (context) => context.deliver("a@local.example"),
  refuse: (context) => context.refuse("a@local.example", "550 5.2.2 changed"),
};

export const localDeliveryStage: Stage = async (act, change) => {
  const isLocal = (subject: StoreSubject): subject is LocalDeliveryContext =>
    subject.kind === "localDelivery";
  await using house = await openHouse({
    onError: act.onError,
    storeSinks: [
      (subject) =>
        isLocal(subject) ? act.perform(subject, () => STORE_CHANGES[change]?.(subject)) : undefined,
      (subject) => (isLocal(subject) ? act.next() : undefined),
    ],
  });
  await house.accept(["a@local.example"]);
  await passTime(act, house);
  await until(() => house.queue.length === 0 || house.queue[0]?.state === "retry");
  if (house.queue.length > 0) return { ending: "waits" };
  return { ending: "goes on", changed: (await house.files("Drop")).length === 0 };
};

// ---- routes ----

const isRoute = (subject: RouterSubject): subject is RouteContext => subject.kind === "route";

export const routeStage: Stage = async (act) => {
  await using house = await openHouse({
    onError: act.onError,
    routerSinks: [
      (subject) =>
        isRoute(subject)
          ? act.perform(subject, () => {
              subject.router = { getNextHop: () => ({ host: "changed.example" }) };
            })
          : undefined,
      (subject) => (isRoute(subject) ? act.next() : undefined),
    ],
  });
  await house.accept(["a@far.example"]);
  await passTime(act, house);
  await until(() => house.queue.length === 0 || house.queue[0]?.state === "retry");
  if (house.queue.length > 0) return { ending: "waits" };
  return { ending: "goes on", changed: house.world.sent[0]?.key === "changed.example:25" };
};

/** The first failure is told; whether the next attempt comes after a minute or, as changed, after an hour. */
export const linkStage: Stage = async (act) => {
  const isFailure = (subject: RouterSubject): subject is LinkContext =>
    subject.kind === "link" && !subject.link.isUp;
  await using house = await openHouse({
    routerSinks: [
      (subject) =>
        isFailure(subject)
          ? act.perform(subject, () => {
              subject.nextAttempt = (subject.link.nextAttempt ?? 0) + HOUR;
            })
          : undefined,
      (subject) => (isFailure(subject) ? act.next() : undefined),
    ],
  });
  house.world.answers.set("far.example", () => unreachable());
  await house.accept(["a@far.example"]);
  await act.reached;
  await until(() => house.queue[0]?.state === "retry");
  const before = house.queue[0]?.nextAttempt ?? 0;
  await passTime(act, house);
  if (act.row.does === "promise") await until(() => act.isNextCalled);
  await new Promise(setImmediate);
  const later = (house.queue[0]?.nextAttempt ?? 0) - house.clock.now();
  return { ending: before > 0 ? "goes on" : "deleted", changed: later > 30 * MINUTE };
};

// ---- reports ----

const DUE_CHANGES: Readonly<Record<string, (context: DsnDueContext) => void>> = {
  recipients: (context) => {
    context.recipients = context.recipients.slice(1);
  },
  textAbove: (context) => {
    context.textAbove = "changed";
  },
  textBelow: (context) => {
    context.textBelow = "changed";
  },
};

const MADE_CHANGES: Readonly<Record<string, (msg: MailMsg) => void>> = {
  headers: (msg) => msg.headers.add("X-Changed", "yes"),
  content: (msg) => (msg.content = CHANGED_CONTENT),
  recipients: (msg) => void msg.recipients.add("changed@client.example"),
};

export const reportStage =
  (kind: DsnSubject["kind"]): Stage =>
  async (act, change) => {
    const perform = (subject: DsnSubject): void => {
      if (subject.kind === "due") DUE_CHANGES[change]?.(subject);
      else changeReport(act, subject, change);
    };
    const choices: HouseChoices = {
      dsnSinks: [
        (subject) => (subject.kind === kind ? act.perform(subject, () => perform(subject)) : undefined),
        (subject) => (subject.kind === kind ? act.next() : undefined),
      ],
    };
    await using house = await openHouse(choices);
    house.world.answers.set("far.example", (message) => accepted(message, 550, "no such user"));
    await house.accept(["a@far.example", "b@far.example"]);
    await passTime(act, house);
    await house.empty();
    const [report] = house.world.to("client.example");
    if (report !== undefined) {
      const isShorter = !report.text.includes("rfc822;a@far.example");
      return { ending: "goes on", changed: isShorter || /changed/i.test(report.text + report.to.join()) };
    }
    const bad = (await house.files("Badmail")).find((name) => name.endsWith(".BAD"));
    if (bad === undefined) return { ending: "deleted" };
    return { ending: "badmail", changed: /changed/i.test(await house.read("Badmail", bad)) };
  };

function changeReport(act: Act, { msg }: DsnMadeContext, change: string): void {
  MADE_CHANGES[change]?.(msg);
  const { status } = act;
  if (isMessageStatus(status)) msg.status = status;
}
