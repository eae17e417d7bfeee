// A transport in a folder of its own: real store, Drop and Badmail, a clock that tests move, and couriers that they steer.
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { Envelope, Origin, Recipient } from "../../../src/core/envelope.ts";
import type { LogFields, Logger } from "../../../src/core/logger.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createMessageIds } from "../../../src/core/message-ids.ts";
import { reply } from "../../../src/core/reply.ts";
import { type Binding, type OnError, createBinding } from "../../../src/events/binding.ts";
import {
  type EventName,
  type EventSubject,
  MAIL_EVENTS,
  type MailEvent,
} from "../../../src/events/catalog.ts";
import type { EffectRecorder } from "../../../src/events/effects.ts";
import type { StepRecorder } from "../../../src/transport/message-steps.ts";
import { SinkChain, createDispatcher } from "../../../src/events/dispatcher.ts";
import type { RunScripts } from "../../../src/events/script-run.ts";
import {
  type BoundSink,
  type NativeSink,
  type ScriptBound,
  createPropertyBag,
} from "../../../src/events/sink.ts";
import { SystemChain, SystemSinks } from "../../../src/events/system-chain.ts";
import { Content } from "../../../src/message/content.ts";
import type { PropertyValue } from "../../../src/message/properties.ts";
import type { DeliveryOutcome, OutboundMessage } from "../../../src/smtp/client/destination.ts";
import { type Badmail, createBadmail } from "../../../src/store/badmail.ts";
import { type Drop, createDrop } from "../../../src/store/drop.ts";
import { SegmentStore } from "../../../src/store/segments/segment-store.ts";
import type { StoreDriver } from "../../../src/store/store-driver.ts";
import type { LiveCategorizer } from "../../../src/transport/categorizer/categorizer.ts";
import type { Courier } from "../../../src/transport/queues/destination-queue.ts";
import { createRetryPolicy } from "../../../src/transport/retry-policy.ts";
import { DEFAULT_RETRY_SETTINGS } from "../../support/default-settings.ts";
import type { RouterSettings } from "../../../src/transport/routing/router.ts";
import {
  type LiveTransportSettings,
  type Transport,
  type TransportChains,
  type TransportEvents,
  createTransport,
} from "../../../src/transport/transport.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { allocPropertyIds } from "../../support/property-ids.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export const accepted = (message: OutboundMessage, code = 250, text = "ok"): DeliveryOutcome => ({
  kind: "report",
  report: {
    replies: message.recipients.map(() => reply(code, code < 300 ? "0.0" : "1.1", text)),
    remote: "hop.example [192.0.2.1]:25",
    dsn: false,
  },
});

export const unreachable = (text = "connection refused"): DeliveryOutcome => ({
  kind: "unreachable",
  reason: text,
  transient: true,
  reply: reply(451, "4.1", text),
  remote: "hop.example",
  mayDuplicate: false,
});

export type Answer = (message: OutboundMessage) => DeliveryOutcome | Promise<DeliveryOutcome>;

export interface Sent {
  readonly key: string;
  readonly id: string;
  readonly sender: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly properties: ReadonlyMap<string, PropertyValue>;
}

/** What tests say the world is like. Shared by the runs of the service before and after a crash. */
export class World {
  /** Everything that couriers took over, in order. */
  readonly sent: Sent[] = [];
  /** Attempts, also those that failed, by queue. */
  readonly attempts: string[] = [];
  readonly answers = new Map<string, Answer>();
  answer: Answer = (message) => accepted(message);
  capacity = 20;
  /** Of bindings with maxFirings. */
  readonly firings = Object.assign(new Map<string, number>(), { open: new Map<string, Binding[]>() });

  to(key: string): Sent[] {
    return this.sent.filter((sent) => sent.key === key);
  }
}

export class TestCourier implements Courier {
  readonly #world: World;
  readonly #key: string;
  #active = 0;
  #dead = false;

  constructor(world: World, key: string) {
    this.#world = world;
    this.#key = key;
  }

  get capacity(): number {
    return this.#dead ? 0 : this.#world.capacity - this.#active;
  }

  async deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    this.#active += 1;
    try {
      this.#world.attempts.push(this.#key);
      const outcome = await (this.#world.answers.get(this.#key) ?? this.#world.answer)(message);
      if (this.#dead) return await new Promise<never>(() => undefined);
      if (outcome.kind === "report") await this.#record(message, outcome.report.replies);
      return outcome;
    } finally {
      this.#active -= 1;
    }
  }

  async #record(message: OutboundMessage, replies: readonly { code: number }[]): Promise<void> {
    const to = message.recipients
      .filter((_recipient, index) => (replies[index]?.code ?? 500) < 300)
      .map(({ address }) => address);
    if (to.length === 0) return;
    const text = (await message.content.toBuffer()).toString("latin1");
    const { id, sender, properties = new Map() } = message;
    this.#world.sent.push({ key: this.#key, id, sender, to, text, properties });
  }

  close(): Promise<void> {
    this.#dead = true;
    return Promise.resolve();
  }
}

export type OnEvent = NativeSink<"OnTransportSubmission">["onEvent"];

export function nativeSink(
  onEvent: OnEvent,
  more: Parameters<typeof createBinding>[0] | object = {},
): BoundSink<string> {
  const binding = createBinding({
    displayName: "sink",
    event: "OnTransportSubmission",
    sinkClass: "test",
    ...more,
  });
  const nextId = createMessageIds(new ManualClock(), Math.random);
  return {
    kind: "native",
    binding,
    rule: undefined,
    sink: { event: "OnTransportSubmission", onEvent },
    context: {
      properties: createPropertyBag({}),
      log: silentLogger,
      binding,
      nextMessageId: () => nextId().replace(/^.{4}/, "FORK"),
      allocPropertyIds,
    },
  };
}

export function systemChain<Name extends EventName>(
  event: Name,
  sinks: readonly NativeSink<Name>["onEvent"][],
  onError?: OnError,
  priority?: number,
): SystemChain<EventSubject<Name>> {
  return new SystemChain(
    sinks.map((onEvent, index) => {
      const binding = createBinding({
        displayName: `sink ${index + 1}`,
        event,
        sinkClass: "test",
        ...(onError && { onError }),
        ...(priority !== undefined && { priority }),
      });
      const context = {
        properties: createPropertyBag({}),
        log: silentLogger,
        binding,
        nextMessageId: () => "NEW",
        allocPropertyIds,
      };
      return { binding, onEvent, context };
    }),
  );
}

const systemChains = (choices: HouseChoices): TransportChains => ({
  categorizer: new SystemChain(
    (choices.categorizeSinks ?? []).flatMap(
      ([priority, onEvent]) => systemChain("OnCategorize", [onEvent], choices.onError, priority).sinks,
    ),
  ),
  store: systemChain("StoreDriver", choices.storeSinks ?? [], choices.onError),
  dsn: systemChain("DSN", choices.dsnSinks ?? []),
  router: systemChain("OnGetMessageRouter", choices.routerSinks ?? [], choices.onError),
});

export function scriptSink(name: string): ScriptBound<string> {
  const binding = createBinding({
    displayName: name,
    event: "OnTransportSubmission",
    sinkClass: "CDO.SS_SMTPOnArrivalSink",
    sinkProperties: { ScriptName: name },
  });
  return { kind: "script", binding, rule: undefined, script: name };
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: LogFields;
  readonly message: string;
}

export function recordingLog(lines: LogLine[]): Logger {
  const write =
    (level: LogLine["level"]) =>
    (fields: LogFields, message: string): void =>
      void lines.push({ level, fields, message });
  const log: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => log,
  };
  return log;
}

export interface HouseChoices {
  readonly world?: World;
  readonly clock?: ManualClock;
  readonly sinks?: readonly BoundSink<string>[];
  readonly storeSinks?: readonly NativeSink<"StoreDriver">["onEvent"][];
  /** That a sink may have open where nobody waits for them. */
  readonly openPromises?: number;
  readonly dsnSinks?: readonly NativeSink<"DSN">["onEvent"][];
  readonly routerSinks?: readonly NativeSink<"OnGetMessageRouter">["onEvent"][];
  /** With their priorities. */
  readonly categorizeSinks?: readonly (readonly [number, NativeSink<"OnCategorize">["onEvent"]])[];
  readonly categorizer?: LiveCategorizer;
  /** onError of the sinks of OnCategorize, OnGetMessageRouter and StoreDriver. */
  readonly onError?: OnError;
  readonly effects?: EffectRecorder<string>;
  readonly recorder?: StepRecorder;
  readonly laterSinks?: Partial<Record<MailEvent, readonly BoundSink<string>[]>>;
  readonly runScripts?: RunScripts<string>;
  readonly router?: RouterSettings;
  /** Absent: those of the world. */
  readonly remoteCourier?: LiveTransportSettings["remoteCourier"] | undefined;
  readonly maxInMemory?: number;
  readonly residentBytes?: number;
  readonly maxSubmissions?: number;
  readonly badmail?: Badmail;
  readonly drop?: Drop;
  /** What is to stand before the methods of the real store. */
  readonly wrapStore?: (store: SegmentStore) => Partial<StoreDriver>;
  readonly inlineBytes?: number;
}

const ROUTER: RouterSettings = { localDomains: ["local.example"], remote: { kind: "mx", port: 25 } };

export class House implements AsyncDisposable {
  readonly folder: string;
  readonly world: World;
  readonly clock: ManualClock;
  readonly log: LogLine[] = [];
  readonly store: SegmentStore;
  readonly transport: Transport;
  readonly #choices: HouseChoices;
  readonly #couriers: TestCourier[] = [];
  readonly #removeFolder: () => PromiseLike<void>;
  chain: SinkChain<string>;
  chains: TransportChains;
  /** Of the events after OnTransportSubmission. */
  readonly laterChains: Map<MailEvent, SinkChain<string>>;
  #closed = false;

  constructor(folder: string, removeFolder: () => PromiseLike<void>, choices: HouseChoices) {
    this.folder = folder;
    this.#removeFolder = removeFolder;
    this.#choices = choices;
    this.world = choices.world ?? new World();
    this.clock = choices.clock ?? new ManualClock();
    this.chain = new SinkChain<string>(choices.sinks ?? []);
    this.chains = systemChains(choices);
    this.laterChains = new Map(
      MAIL_EVENTS.map((event) => [event, new SinkChain<string>(choices.laterSinks?.[event] ?? [])]),
    );
    this.store = new SegmentStore({
      folder: path.join(folder, "Queue"),
      settings: {
        minFreeBytes: 0,
        memoryBudget: () => 0,
        recoverAtOnce: choices.maxInMemory ?? 10_000,
        ...(choices.inlineBytes === undefined ? {} : { inlineBytes: choices.inlineBytes }),
      },
    });
    this.transport = createTransport<string>({
      settings: {
        server: "default",
        maxSubmissions: choices.maxSubmissions ?? 10,
        maxLocalDeliveries: 4,
        maxInMemory: choices.maxInMemory ?? 10_000,
        residentBytes: () => choices.residentBytes ?? 1024 * 1024,
        sweepMs: MINUTE,
      },
      store: choices.wrapStore === undefined ? this.store : storeWith(this.store, choices.wrapStore),
      drop: choices.drop ?? createDrop({ folder: path.join(folder, "Drop"), sync: false }),
      badmail: choices.badmail ?? createBadmail({ folder: path.join(folder, "Badmail") }),
      dispatcher: createDispatcher<string>({
        runScripts: choices.runScripts ?? (() => Promise.reject(new Error("no scripts here"))),
        sinkDeadlineMs: MINUTE,
        firings: this.world.firings,
        clock: this.clock,
        log: recordingLog(this.log),
      }),
      events: this.#events(),
      chain: (event) =>
        (event === "OnTransportSubmission" ? undefined : this.laterChains.get(event)) ?? this.chain,
      effects: choices.effects,
      ...(choices.recorder && { recorder: choices.recorder }),
      live: this.live(),
      clock: this.clock,
      log: recordingLog(this.log),
    });
  }

  #events(): TransportEvents {
    const { clock, log } = this;
    const parts = { clock, log: recordingLog(log), sinkDeadlineMs: MINUTE, firings: this.world.firings };
    return {
      sinks: new SystemSinks(parts),
      unawaited: new SystemSinks({ ...parts, maxOpenPromises: this.#choices.openPromises }),
      chains: () => this.chains,
    };
  }

  live(router: RouterSettings = this.#choices.router ?? ROUTER): Parameters<Transport["reconfigure"]>[0] {
    return {
      router,
      reports: { reportingMta: "relay.example" },
      categorizer: this.#choices.categorizer,
      retry: createRetryPolicy({ local: DEFAULT_RETRY_SETTINGS, remote: DEFAULT_RETRY_SETTINGS }, () => 0.5),
      remoteCourier: (route, cutOff) => {
        if (this.#choices.remoteCourier !== undefined) return this.#choices.remoteCourier(route, cutOff);
        const courier = new TestCourier(this.world, route.key);
        this.#couriers.push(courier);
        return courier;
      },
    };
  }

  async open(): Promise<void> {
    this.transport.resume(await this.store.open());
  }

  /** As a client's message is accepted; answers its id. */
  async accept(
    to: readonly (string | Recipient)[],
    more: { sender?: string; text?: string; origin?: Partial<Origin>; id?: string; nextHop?: string } = {},
  ): Promise<string> {
    const id = more.id ?? this.store.nextId();
    const envelope: Envelope = {
      sender: more.sender ?? "sender@client.example",
      ...(more.nextHop === undefined ? {} : { nextHop: more.nextHop }),
      recipients: to.map((recipient) => (typeof recipient === "string" ? { address: recipient } : recipient)),
    };
    const origin: Origin = { via: "smtp", arrivalTime: this.clock.now(), server: "default", ...more.origin };
    const text = more.text ?? "Subject: hello\r\n\r\nbody\r\n";
    await this.transport.accept(id, origin, envelope, Content.fromBuffer(Buffer.from(text, "latin1")));
    return id;
  }

  /** The service dies: nothing it has in hand comes to an end, and the next run finds what the store has. */
  async crash(choices: HouseChoices = {}): Promise<House> {
    await this.#die();
    const next = new House(this.folder, this.#removeFolder, {
      ...this.#choices,
      world: this.world,
      clock: this.clock,
      ...choices,
    });
    await next.open();
    return next;
  }

  async #die(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const courier of this.#couriers) void courier.close();
    await this.store.close();
  }

  get queue(): ReturnType<Transport["admin"]["list"]> {
    return this.transport.admin.list();
  }

  /** Waits for the disk until nothing is left in the queue. */
  async empty(): Promise<void> {
    await eventually(() => this.queue.length === 0, { what: "an empty queue", intervalMs: 2 });
  }

  async files(name: "Drop" | "Badmail"): Promise<string[]> {
    try {
      const names = await readdir(path.join(this.folder, name));
      return names.filter((file) => !file.startsWith(".")).toSorted();
    } catch {
      return [];
    }
  }

  async read(name: "Drop" | "Badmail", file: string): Promise<string> {
    return readFile(path.join(this.folder, name, file), "latin1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#die();
    await this.#removeFolder();
  }
}

export async function openHouse(choices: HouseChoices = {}): Promise<House> {
  const folder = await tempFolder("onarrival-transport");
  const house = new House(folder.path, () => folder[Symbol.asyncDispose](), choices);
  await house.open();
  return house;
}

export const until = (probe: () => boolean | Promise<boolean>, what = "the condition"): Promise<unknown> =>
  eventually(probe, { what, intervalMs: 2, timeoutMs: 5000 });

const storeWith = (
  store: SegmentStore,
  wrap: (store: SegmentStore) => Partial<StoreDriver>,
): StoreDriver => ({
  open: () => store.open(),
  nextId: () => store.nextId(),
  createSpoolFile: () => store.createSpoolFile(),
  commit: (...message) => store.commit(...message),
  saveState: (...state) => store.saveState(...state),
  loadContent: (id) => store.loadContent(id),
  reload: (id) => store.reload(id),
  reloadInOrder: (ids) => store.reloadInOrder(ids),
  rest: (id) => store.rest(id),
  remove: (id) => store.remove(id),
  close: () => store.close(),
  ...wrap(store),
});
