// One run of a virtual server: its listeners, store, queues, next hops, Pickup, Drop and Badmail in a mailroot of its own. Its life
// is open, prepare, begin, listen; then closeListeners, finish, close. What all virtual servers share is given to it.
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { ServerFolders } from "../../config/server-folders.ts";
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import type { Clock } from "../../core/clock.ts";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { parseAddressList } from "../../mime/addresses.ts";
import type { ScriptTarget } from "../../sandbox/script-sink.ts";
import { type SmtpListener, createSmtpListener } from "../../smtp/server/smtp-listener.ts";
import { createBadmail } from "../../store/badmail.ts";
import { createDrop } from "../../store/drop.ts";
import { removeLeftovers } from "../../store/drop-leftovers.ts";
import { type Pickup, createPickup } from "../../store/pickup.ts";
import { SegmentStore } from "../../store/segments/segment-store.ts";
import type { Recovery } from "../../store/store-driver.ts";
import { type Transport, createTransport } from "../../transport/transport.ts";
import { openFrozenQueues } from "./frozen-queues.ts";
import type { ServerPlan } from "./server-plan.ts";
import type { SharedParts } from "./shared-parts.ts";

export interface VirtualServerParts {
  readonly name: string;
  readonly folders: ServerFolders;
  readonly store: Config["store"];
  /** Whether another virtual server of the configuration has this name: its messages are left to it. */
  readonly isOther: (name: string) => boolean;
  /** Bytes of messages that this server may keep in memory: its part of the service's, as it is now. */
  readonly memoryBudget: () => number;
  /** Makes message ids for all virtual servers of the service, so that ids are unique over them. */
  readonly nextId: () => string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long a stop waits for sessions, sinks and deliveries in hand, ms. What is left stays in the store. */
const STOP_GRACE_MS = 10_000;
const MAX_SUBMISSIONS = 200;
const MAX_LOCAL_DELIVERIES = 4;
const SWEEP_MS = 60_000;

export class VirtualServer {
  readonly name: string;
  readonly folders: ServerFolders;
  /** "host:port" of each listener. */
  readonly addresses: string[] = [];
  readonly #parts: VirtualServerParts;
  readonly #store: SegmentStore;
  #recovery: Recovery | undefined;
  /** Ids that were committed here, and that other servers have now. */
  #gone: ReadonlySet<string> = new Set();
  /** What else holds settings of this server and is told of new ones. */
  #followers: readonly { follow(settings: ServerPlan["settings"]): void }[] = [];
  /** The settings that Pickup reads when it needs them. */
  #plan: Pick<ServerPlan, "settings" | "smtp"> | undefined;
  #startedWith: VirtualServerSettings | undefined;
  #transport: Transport | undefined;
  #pickup: Pickup | undefined;
  #listener: SmtpListener | undefined;
  #isPaused = false;

  constructor(parts: VirtualServerParts) {
    const { name, folders, memoryBudget, nextId, clock, log } = parts;
    const { segmentSize, messagesInMemory: _, ...settings } = parts.store;
    this.name = name;
    this.folders = folders;
    this.#parts = parts;
    this.#store = new SegmentStore({
      folder: folders.queue,
      settings: { ...settings, memoryBudget, segmentBytes: segmentSize },
      nextId,
      clock,
      logger: log,
    });
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get store(): SegmentStore {
    return this.#store;
  }

  /** Of them it keeps those that only a start takes over. */
  get startedWith(): VirtualServerSettings {
    return begun(this.#startedWith);
  }

  get transport(): Transport {
    return begun(this.#transport);
  }

  get listener(): SmtpListener {
    return begun(this.#listener);
  }

  /** Takes the mailroot and reads what an earlier run left unfinished. */
  async open(): Promise<void> {
    for (const folder of Object.values(this.folders)) await makeFolder(folder);
    this.#recovery = await this.#store.open();
    await removeLeftovers(this.folders.drop, this.#parts.clock.now(), this.#parts.log);
  }

  /** What an earlier run left unfinished, until it begins. */
  get left(): Recovery {
    return begun(this.#recovery);
  }

  leave(left: Recovery, gone: ReadonlySet<string>): void {
    this.#recovery = left;
    this.#gone = gone;
  }

  prepare(plan: ServerPlan, shared: SharedParts): void {
    this.#transport = this.#createTransport(plan, shared);
    this.#followers = [shared.protocolSinks, shared.transportSinks];
    this.#tellFollowers(plan);
    this.#plan = plan;
    this.#startedWith = plan.settings;
    this.#listener = this.#createListener(plan, shared);
  }

  /** Goes on with what was unfinished, and takes what lies in Pickup. The live bindings have to be in place. */
  async begin(): Promise<void> {
    const recovery = begun(this.#recovery);
    this.#recovery = undefined;
    this.#tellForeign(recovery);
    this.transport.resume(recovery);
    this.#pickup = this.#createPickup();
    const committed = new Set([...recovery.messages.map(({ id }) => id), ...this.#gone]);
    this.#gone = new Set();
    // Few files were claimed by the last run, and there may be a million messages, whose ids must not be kept for this.
    await this.#pickup.start((id) => committed.has(id) || recovery.later.includes(id));
  }

  /** Of the messages that are read at the start: which came by others. */
  #tellForeign({ messages }: Recovery): void {
    const { log, isOther } = this.#parts;
    const names = new Set(messages.map(({ origin }) => origin.server));
    names.delete(this.name);
    for (const cameBy of names) {
      const count = messages.filter(({ origin }) => origin.server === cameBy).length;
      const text = isOther(cameBy)
        ? "messages of another virtual server are in this mailroot: they are held until the service starts together with that server, or you release them"
        : "messages of a virtual server that there is no more are in this mailroot: they go the way of this one";
      log.warn({ server: this.name, cameBy, messages: count }, text);
    }
  }

  /** Throws LISTEN_FAILED. */
  async listen(): Promise<void> {
    for (const { host, port } of await this.listener.listen())
      this.addresses.push(host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
  }

  /** New clients are turned away; what was accepted goes on its way. */
  pause(): void {
    this.#isPaused = true;
    this.listener.pause();
  }

  proceed(): void {
    this.#isPaused = false;
    this.listener.resume();
  }

  /** Throws CONFIG_INVALID or TLS_INVALID; the answer takes the plan over. The new bindings have to be in place by then. */
  prepareUpdate({ settings, smtp, live }: ServerPlan): () => void {
    const updateListener = this.listener.prepareUpdate(smtp);
    return () => {
      updateListener();
      this.#tellFollowers({ settings });
      this.#plan = { settings, smtp };
      this.transport.reconfigure(live);
    };
  }

  #tellFollowers({ settings }: Pick<ServerPlan, "settings">): void {
    for (const follower of this.#followers) follower.follow(settings);
  }

  scriptChanged(script: string): number {
    return this.#transport?.scriptChanged(script) ?? 0;
  }

  async closeListeners(): Promise<void> {
    await this.#listener?.close(STOP_GRACE_MS);
  }

  /** What is in hand comes to its end, as far as that is soon. */
  async finish(): Promise<void> {
    await this.#pickup?.close();
    await this.#transport?.stop(STOP_GRACE_MS);
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  #createTransport({ settings, store, live }: ServerPlan, shared: SharedParts): Transport {
    const { transportSinks, firings, unawaited, observation, dispatcher } = shared;
    const { effectsOf, surroundings, clock, log } = shared;
    return createTransport<ScriptTarget>({
      settings: {
        server: this.name,
        isOthers: this.#parts.isOther,
        maxSubmissions: MAX_SUBMISSIONS,
        maxLocalDeliveries: MAX_LOCAL_DELIVERIES,
        maxInMemory: store.messagesInMemory,
        residentBytes: this.#parts.memoryBudget,
        sweepMs: SWEEP_MS,
      },
      store: this.#store,
      drop: createDrop({ folder: this.folders.drop, sync: true }),
      badmail: createBadmail({ folder: this.folders.badmail }),
      dispatcher,
      chain: transportSinks.chain,
      events: transportSinks.events(settings, firings, unawaited),
      effects: effectsOf(this.name),
      surroundings,
      recorder: observation.recorder,
      frozen: openFrozenQueues(this.folders.queue, log),
      live,
      clock,
      log,
    });
  }

  #createListener({ settings, smtp }: ServerPlan, shared: SharedParts): SmtpListener {
    const { transport } = this;
    const store = this.#store;
    return createSmtpListener({
      settings: smtp,
      intake: {
        nextId: store.nextId,
        createSpool: () => store.createSpoolFile(),
        submit: transport.accept,
      },
      logger: shared.log,
      clock: shared.clock,
      startQueues: (isAsked) => transport.admin.retryDomains(isAsked),
      protocol: shared.protocolSinks.inbound(settings),
      sizeSinks: shared.transportSinks.sizeSinks(settings, shared.firings),
      domainFlags: shared.transportSinks.domainFlags(settings, shared.firings).of,
      sessionLog: shared.observation.protocolLog(settings),
    });
  }

  #createPickup(): Pickup {
    const { clock, log } = this.#parts;
    const store = this.#store;
    return createPickup({
      folder: this.folders.pickup,
      claimFolder: claimFolder(this.folders),
      settleMs: () => begun(this.#plan).settings.pickup.settleMs,
      server: this.name,
      defaultDomain: () => begun(this.#plan).smtp.defaultDomain,
      maxBytes: () => begun(this.#plan).smtp.maxMessageSize,
      hostName: () => begun(this.#plan).smtp.hostName,
      maxHops: () => begun(this.#plan).smtp.maxHops,
      parseAddresses: (raw) => parseAddressList(raw).map((mailbox) => mailbox.address),
      nextId: store.nextId,
      createSpool: () => store.createSpoolFile(),
      submit: this.transport.accept,
      badmail: this.transport.badmail,
      logger: log,
      clock,
    });
  }
}

/** In the Queue, which the lock of the store guards; a Pickup elsewhere may be on another volume, out of which no file can be renamed. */
function claimFolder({ pickup, queue }: ServerFolders): string {
  if (path.dirname(pickup) === path.dirname(queue)) return path.join(queue, "pickup");
  return path.join(pickup, `.claimed-${createHash("sha256").update(queue).digest("hex").slice(0, 16)}`);
}

/** A part that exists only after the start; throws when it is asked for before. */
export function begun<Part>(part: Part | undefined): Part {
  if (part === undefined)
    throw new OnArrivalError("INTERNAL", "a part of the service was used before it was there");
  return part;
}

export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (thrown) {
    throw new OnArrivalError("MAILROOT_UNUSABLE", `${folder}: ${describeError(thrown)}`, { cause: thrown });
  }
}
