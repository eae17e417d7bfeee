// The composition root: what the virtual servers of a service share (scripts, sinks, logs, what operators ask), and the servers
// themselves. They start in this order and end in the opposite one. Nothing is accepted before what an earlier run left
// unfinished is in hand.
import path from "node:path";
import { serverMethods, serviceMethods } from "./admin/control-methods.ts";
import { queueMethods } from "./admin/queue-methods.ts";
import { type ControlServer, startControlServer } from "./admin/control-server.ts";
import type { Audience } from "./composition/observation/audience.ts";
import { authenticateSinks } from "./composition/servers/authentication.ts";
import { comparisonWarnings } from "./composition/bindings/binding-check.ts";
import {
  type ConfiguredBinding,
  bindingsOf,
  loadBindings,
  scriptsBoundAnew,
} from "./composition/bindings/bindings.ts";
import { FIRING_FILE, type FiringFile, openFiringFile } from "./composition/bindings/firing-file.ts";
import { openPropertyIds } from "./composition/property-id-file.ts";
import type { PropertyIdRanges } from "./message/property-ids.ts";
import { serveOwnPackage } from "./composition/bindings/native-sinks.ts";
import { Observation } from "./composition/observation/observation.ts";
import { ProtocolSinks } from "./composition/bindings/protocol-sinks.ts";
import { changedAtRestart } from "./composition/restart-settings.ts";
import { scriptMethods } from "./composition/scripts/script-methods.ts";
import { ScriptVersions } from "./composition/scripts/script-versions.ts";
import { scriptHostOptions } from "./composition/scripts/scripts.ts";
import { type ServerPlan, planServers } from "./composition/servers/server-plan.ts";
import { ServerSet } from "./composition/servers/server-set.ts";
import { ServiceCapabilities } from "./composition/scripts/service-capabilities.ts";
import { type ServiceStatus, joinDepths, serverStatus } from "./composition/observation/service-status.ts";
import { buildSystemChain } from "./composition/bindings/transport-chains.ts";
import {
  type UnservedBinding,
  unservedBindings,
  warnOfUnserved,
} from "./composition/bindings/unserved-bindings.ts";
import { TransportSinks } from "./composition/bindings/transport-sinks.ts";
import { type SharedParts, shareParts } from "./composition/servers/shared-parts.ts";
import { begun, makeFolder } from "./composition/servers/virtual-server.ts";
import type { Config } from "./config/schema.ts";
import { settingWarnings } from "./config/setting-warnings.ts";
import type { Clock } from "./core/clock.ts";
import type { Logger } from "./core/logger.ts";
import { Turns } from "./core/turns.ts";
import { EventLog } from "./events/event-log.ts";
import type { SystemSinks } from "./events/system-chain.ts";
import type { EffectLog } from "./observe/effect-log.ts";
import { type ScriptHost, createScriptHost } from "./sandbox/script-host.ts";
import { type MailrootLock, lockMailroot } from "./store/mailroot-lock.ts";
import { createMessageIds } from "./core/message-ids.ts";

export interface Relay {
  /** "host:port" of every listener. */
  readonly addresses: readonly string[];
  /** Lines written to it are seen by the sinks of EventLog. */
  readonly log: Logger;
  /** Takes over the live settings of a new configuration; throws and changes nothing when it cannot. */
  reload(config: Config): Promise<void>;
  /** Stops taking mail, finishes what is in hand. */
  stop(): Promise<void>;
}

export async function startRelay(
  config: Config,
  log: Logger,
  clock: Clock,
  audience?: Audience,
): Promise<Relay> {
  const running = new RunningRelay(log, clock, audience);
  try {
    await running.start(config);
  } catch (thrown) {
    await running.stop();
    throw thrown;
  }
  return running;
}

/** What a new configuration means for the virtual servers, while nothing is changed yet. */
interface PreparedServers {
  readonly plans: readonly ServerPlan[];
  readonly updateServers: () => void;
  /** Names of those whose mailroots would be others, or which need what another one still has. */
  readonly moved: readonly string[];
  /** Absent: none may come or go. */
  readonly admitAdded: (() => Promise<void>) | undefined;
}

class RunningRelay implements Relay {
  readonly log: Logger;
  readonly #log: Logger;
  readonly #events: EventLog;
  readonly #clock: Clock;
  readonly #audience: Audience | undefined;
  readonly #nextId: () => string;
  readonly #servers: ServerSet;
  /** What it was started with, and what is in force. */
  #started: Config | undefined;
  #config: Config | undefined;
  #configured: readonly ConfiguredBinding[] = [];
  readonly #transportSinks: TransportSinks;
  readonly #protocolSinks: ProtocolSinks;
  #shared: SharedParts | undefined;
  #observation: Observation | undefined;
  #capabilities: ServiceCapabilities | undefined;
  #scripts: ScriptHost | undefined;
  #firings: FiringFile | undefined;
  /** Of the events whose sinks nobody waits for. */
  #unawaited: SystemSinks | undefined;
  #propertyIds: PropertyIdRanges | undefined;
  #effects: EffectLog | undefined;
  #control: ControlServer | undefined;
  #lock: MailrootLock | undefined;
  /** What changes the set of virtual servers, or what they do, comes one after the other. */
  readonly #turns = new Turns(1);
  readonly #versions = new ScriptVersions();

  constructor(log: Logger, clock: Clock, audience: Audience | undefined) {
    this.#events = new EventLog(clock);
    this.#log = this.#events.watched(log);
    this.log = this.#log;
    this.#clock = clock;
    this.#audience = audience;
    this.#nextId = createMessageIds(clock, Math.random);
    this.#servers = new ServerSet({ nextId: this.#nextId, clock, log: this.#log });
    this.#protocolSinks = new ProtocolSinks(log, clock);
    this.#transportSinks = new TransportSinks(log, clock);
  }

  get addresses(): readonly string[] {
    return this.#servers.running.flatMap(({ addresses }) => addresses);
  }

  async start(config: Config): Promise<void> {
    serveOwnPackage();
    this.#started = config;
    this.#config = config;
    this.#warnOfSettings(config);
    await makeFolder(config.mailroot);
    this.#lock = lockMailroot(config.mailroot);
    await this.#servers.open(config);
    this.#configured = await this.#loadBindings(config);
    const capabilities = await ServiceCapabilities.open(config, this.#log, this.#clock);
    this.#capabilities = capabilities;
    const scripts = createScriptHost({
      ...scriptHostOptions(config, this.#log, this.#clock),
      dropFolder: (server) => this.#servers.dropFolder(server),
      ...capabilities.hostOptions,
    });
    this.#scripts = scripts;
    await scripts.start();
    const firings = await openFiringFile(path.join(config.mailroot, FIRING_FILE), this.#log);
    this.#firings = firings;
    this.#propertyIds = openPropertyIds(config.mailroot, config.mailMsg.maxPropertyIds, this.#log);
    const unawaited = this.#transportSinks.unawaited(config.nativeSinks, firings);
    this.#unawaited = unawaited;
    const tracking = this.#transportSinks.tracking(unawaited);
    const observation = new Observation(config, this.#log, this.#clock, tracking);
    this.#observation = observation;
    this.#protocolSinks.countBy(firings);
    const { shared, shadows, effects } = shareParts(config, {
      scripts,
      firings,
      observation,
      asked: capabilities.asked,
      protocolSinks: this.#protocolSinks,
      transportSinks: this.#transportSinks,
      unawaited,
      nextMessageId: this.#nextId,
      audience: this.#audience,
      clock: this.#clock,
      log: this.#log,
    });
    this.#effects = effects;
    this.#shared = shared;
    const plans = await planServers(config, shared);
    const unserved = (): UnservedBinding[] => unservedBindings(this.#configured, scripts);
    this.#scriptsChanged();
    this.#warnOfBindings(config, scripts);
    scripts.onChange(() => this.#scriptsChanged());
    await this.#servers.begin(plans, shared);
    this.#control = await this.#listenForOperators(config, scripts);
    await this.#servers.listen();
    const { asked } = capabilities;
    const watched = { entries: () => this.#servers.entries, scripts, shadows, asked, unserved };
    await observation.start(watched, config);
    this.#log.info({ addresses: this.addresses }, "service started");
  }

  reload(config: Config): Promise<void> {
    return this.#turns.take(() => begun(this.#observation).reloaded(this.#reload(config)));
  }

  async #reload(config: Config): Promise<void> {
    // Everything that can be wrong is tried before anything is changed.
    const loaded = await this.#loadBindings(config);
    const placeCapabilities = await this.#capabilities?.prepare(config);
    const shared = begun(this.#shared);
    const { plans, updateServers, moved, admitAdded } = await this.#prepareServers(config, shared);
    // A server that stays for now is not left without its own bindings.
    const staying = moved.length === 0 ? [] : this.#servers.leaving(plans);
    const configured = [...loaded, ...bindingsOf(this.#configured, staying)];
    const boundAnew = scriptsBoundAnew(this.#configured, configured);
    this.#configured = configured;
    placeCapabilities?.();
    this.#rebuildChain();
    // What waits is tried again with the new bindings.
    updateServers();
    for (const name of boundAnew) {
      this.#scripts?.control?.boundAnew(name);
      this.#servers.scriptChanged(name);
    }
    this.#scripts?.grantsChanged();
    this.#effects?.configure(config.effects);
    this.#observation?.configure(config);
    await admitAdded?.();
    if (moved.length === 0) await this.#servers.remove(plans, config, shared);
    const needRestart = changedAtRestart(begun(this.#started), config, this.#servers.entries);
    this.#config = config;
    this.#log.info({ bindings: config.bindings.length }, "configuration reloaded");
    this.#warnOfSettings(config);
    if (this.#scripts !== undefined) this.#warnOfBindings(config, this.#scripts);
    if (needRestart.length > 0)
      this.#log.warn({ needRestart }, "some changed settings apply at the next start");
  }

  async #loadBindings(config: Config): Promise<ConfiguredBinding[]> {
    return loadBindings(config.bindings, await authenticateSinks(config, this.#clock), config.placeOf);
  }

  #warnOfSettings(config: Config): void {
    for (const problem of settingWarnings(config))
      this.#log.warn({ problem }, "a setting has no effect, because another one stands against it");
  }

  #warnOfBindings({ placeOf }: Config, scripts: ScriptHost): void {
    warnOfUnserved(unservedBindings(this.#configured, scripts), this.#log);
    for (const problem of comparisonWarnings(this.#configured, scripts, placeOf))
      this.#log.warn({ problem }, "a shadow binding has no live one to be compared with");
  }

  /** Throws and leaves nothing behind when one of the servers cannot take its part over. */
  async #prepareServers(config: Config, shared: SharedParts): Promise<PreparedServers> {
    const { categorizers, budgets } = shared;
    categorizers.settled();
    budgets.settled();
    try {
      const plans = await this.#plan(config, shared);
      const updateServers = this.#servers.prepareUpdate(plans);
      // What goes from one server to another, a mailroot or an address, cannot change hands while mail is under way.
      const moved = this.#servers.moved(plans);
      const admitAdded = moved.length > 0 ? undefined : await this.#servers.add(plans, config, shared);
      return { plans, updateServers, moved, admitAdded };
    } catch (thrown) {
      budgets.refused();
      await categorizers.refused();
      throw thrown;
    }
  }

  stop(): Promise<void> {
    return this.#turns.take(() => this.#stop());
  }

  async #stop(): Promise<void> {
    this.#observation?.stopping();
    await this.#servers.closeListeners();
    await this.#servers.finish();
    await this.#scripts?.stop();
    await this.#capabilities?.close();
    await this.#effects?.close();
    await this.#firings?.flush();
    await this.#control?.close();
    await this.#observation?.closeAdmin();
    // What was told to the tracking log lets the stores forget messages.
    await this.#observation?.closeLogs();
    await this.#servers.close();
    this.#lock?.release();
    this.#lock = undefined;
  }

  #rebuildChain(): void {
    const parts = {
      configured: this.#configured,
      scripts: this.#scripts?.scripts ?? new Map(),
      disabled: this.#scripts?.disabled ?? new Set(),
      log: this.#log,
      nextMessageId: this.#nextId,
      propertyIds: this.#propertyIds,
      timed: this.#observation?.sinkTimes.timed,
    };
    this.#transportSinks.use(parts);
    this.#protocolSinks.use(parts);
    this.#events.use(buildSystemChain(parts, "EventLog"), begun(this.#unawaited));
  }

  /** The next message runs the new versions; what the old ones held is tried again. */
  #scriptsChanged(): void {
    this.#rebuildChain();
    const scripts = this.#scripts?.scripts ?? new Map();
    this.#audience?.scriptsChanged(scripts, this.#scripts?.broken ?? new Map());
    for (const name of this.#versions.changed(scripts, this.#scripts?.disabled ?? new Set())) {
      const released = this.#servers.scriptChanged(name);
      if (released > 0)
        this.#log.info({ script: name, released }, "script changed: messages that it held are tried again");
    }
  }

  #listenForOperators({ mailroot }: Config, scripts: ScriptHost): Promise<ControlServer> {
    return startControlServer({
      mailroot,
      methods: {
        ...queueMethods(
          () => this.#servers.running.map(({ name, transport: { admin } }) => ({ name, admin })),
          () => this.#servers.entries.flatMap(({ name, server }) => (server === undefined ? [name] : [])),
        ),
        ...serverMethods({
          list: () => this.#servers.entries.map(serverStatus),
          start: (name) => this.#turns.take(() => this.#startServer(name)),
          stop: (name) => this.#turns.take(() => this.#servers.stop(name, begun(this.#shared))),
          pause: (name) => this.#turns.take(async () => this.#servers.pause(name)),
          proceed: (name) => this.#turns.take(async () => this.#servers.proceed(name)),
        }),
        ...scriptMethods(scripts, () => this.#configured),
        ...serviceMethods(() => this.#status()),
      },
      clock: this.#clock,
      log: this.#log,
    });
  }

  async #plan(config: Config, shared: SharedParts, only?: string): Promise<ServerPlan[]> {
    const running = new Set(this.#servers.running.map(({ name }) => name));
    // A plan opens the protocol log. One that came to nothing must not decide where the next one writes.
    for (const { name } of config.virtualServers)
      if (!running.has(name)) await shared.observation.closeProtocolLog(name);
    return planServers(config, shared, only);
  }

  async #startServer(name: string): Promise<void> {
    const [config, shared] = [begun(this.#config), begun(this.#shared)];
    const [plan] = await this.#plan(config, shared, name);
    await this.#servers.start(name, plan, config, shared);
  }

  #status(): Partial<ServiceStatus> {
    const servers = this.#servers.entries.map(serverStatus);
    return {
      pid: process.pid,
      addresses: this.addresses,
      connections: servers.reduce((sum, { connections }) => sum + connections, 0),
      scripts: [...(this.#scripts?.scripts.values() ?? [])].map(({ name, version, broken }) => ({
        name,
        version,
        broken,
      })),
      servers,
      strayMailroots: this.#servers.strays,
      queues: joinDepths(servers.flatMap(({ queues }) => queues ?? [])),
      ...this.#observation?.state(),
    };
  }
}
