// The composition root: opens the store, starts scripts, transport, Pickup and listeners in this order, and ends them in
// the opposite one. Nothing is accepted before what an earlier run left unfinished is in hand.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { queueMethods, serviceMethods } from "./admin/control-methods.ts";
import { type ControlServer, startControlServer } from "./admin/control-server.ts";
import { type Audience, watchedRecorder, watchedRunner } from "./composition/audience.ts";
import { authenticateSinks } from "./composition/authentication.ts";
import { type ConfiguredBinding, loadBindings, scriptsBoundAnew } from "./composition/bindings.ts";
import { createServerMxLookup } from "./composition/dns.ts";
import { EffectWriter } from "./composition/effect-recorder.ts";
import { type FiringFile, openFiringFile } from "./composition/firing-file.ts";
import { serveOwnPackage } from "./composition/native-sinks.ts";
import type { ServerListener } from "./composition/metric-readers.ts";
import { Observation } from "./composition/observation.ts";
import { ProtocolSinks } from "./composition/protocol-sinks.ts";
import { createRemoteCouriers } from "./composition/remote-couriers.ts";
import { changedAtRestart } from "./composition/restart-settings.ts";
import { scriptMethods } from "./composition/script-methods.ts";
import { scriptHostOptions } from "./composition/scripts.ts";
import { loadSigners } from "./composition/signing.ts";
import { TransportSinks } from "./composition/transport-sinks.ts";
import { ServiceCapabilities } from "./composition/service-capabilities.ts";
import {
  hostNameOf,
  primaryServer,
  retrySettings,
  routerSettings,
  smtpServerSettings,
} from "./composition/settings.ts";
import type { Config } from "./config/schema.ts";
import type { Clock } from "./core/clock.ts";
import { OnArrivalError, describeError } from "./core/errors.ts";
import type { Logger } from "./core/logger.ts";
import { createDispatcher } from "./events/dispatcher.ts";
import { parseAddressList } from "./mime/addresses.ts";
import { EFFECTS_FOLDER, EffectLog } from "./observe/effect-log.ts";
import { type ScriptHost, createScriptHost } from "./sandbox/script-host.ts";
import { ShadowRuns } from "./sandbox/shadow-runs.ts";
import { type ScriptTarget, createRunScripts } from "./sandbox/script-sink.ts";
import { createSmtpListener } from "./smtp/server/smtp-listener.ts";
import { type Badmail, createBadmail } from "./store/badmail.ts";
import { createDrop } from "./store/drop.ts";
import { type Pickup, createPickup } from "./store/pickup.ts";
import { SegmentStore } from "./store/segment-store.ts";
import type { Recovery } from "./store/store-driver.ts";
import { createRetryPolicy } from "./transport/retry-policy.ts";
import { type LiveTransportSettings, type Transport, createTransport } from "./transport/transport.ts";

export interface Relay {
  /** "host:port" of every listener. */
  readonly addresses: readonly string[];
  /** Takes over the live settings of a new configuration; throws and changes nothing when it cannot. */
  reload(config: Config): Promise<void>;
  /** Stops taking mail, finishes what is in hand. */
  stop(): Promise<void>;
}

/** How long SIGTERM waits for sessions, sinks and deliveries in hand, ms. What is left stays in the store. */
const STOP_GRACE_MS = 10_000;
const MAX_SUBMISSIONS = 200;
const MAX_LOCAL_DELIVERIES = 4;
const SWEEP_MS = 60_000;

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

class RunningRelay implements Relay {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #audience: Audience | undefined;
  readonly addresses: string[] = [];
  #config: Config | undefined;
  #configured: readonly ConfiguredBinding[] = [];
  readonly #transportSinks: TransportSinks;
  readonly #protocolSinks: ProtocolSinks;
  #store: SegmentStore | undefined;
  #observation: Observation | undefined;
  #capabilities: ServiceCapabilities | undefined;
  #scripts: ScriptHost | undefined;
  #firings: FiringFile | undefined;
  #effects: EffectLog | undefined;
  #transport: Transport | undefined;
  #pickup: Pickup | undefined;
  #control: ControlServer | undefined;
  readonly #listeners: ServerListener[] = [];
  /** Script versions as the last chain had them, to see which changed. */
  #versions = new Map<string, string>();

  constructor(log: Logger, clock: Clock, audience: Audience | undefined) {
    this.#log = log;
    this.#clock = clock;
    this.#protocolSinks = new ProtocolSinks(log, clock);
    this.#transportSinks = new TransportSinks(log, clock);
    this.#audience = audience;
  }

  async start(config: Config): Promise<void> {
    serveOwnPackage();
    this.#config = config;
    const store = await this.#openStore(config);
    const recovery = await store.open();
    this.#store = store;
    this.#configured = await loadBindings(config.bindings, await authenticateSinks(config, this.#clock));
    const capabilities = await ServiceCapabilities.open(config, this.#log, this.#clock);
    this.#capabilities = capabilities;
    const scripts = createScriptHost({
      ...scriptHostOptions(config, this.#log, this.#clock),
      ...capabilities.hostOptions,
    });
    this.#scripts = scripts;
    await scripts.start();
    this.#firings = await openFiringFile(path.join(config.mailroot, "firings.json"), this.#log);
    this.#protocolSinks.countBy(this.#firings);
    this.#effects = new EffectLog(
      path.join(config.mailroot, EFFECTS_FOLDER),
      config.effects,
      this.#clock,
      this.#log,
    );
    const observation = new Observation(config, this.#log, this.#clock);
    this.#observation = observation;
    const effects = new EffectWriter(this.#effects, this.#clock, capabilities.asked);
    const shadows = this.#createShadowRuns(config, scripts, effects);
    const live = await this.#liveSettings(config);
    const transport = this.#createTransport(config, live, store, scripts, effects, shadows, observation);
    this.#transport = transport;
    this.#scriptsChanged();
    scripts.onChange(() => this.#scriptsChanged());
    transport.resume(recovery);
    this.#pickup = await this.#startPickup(config, store, transport, recovery);
    this.#control = await startControlServer({
      mailroot: config.mailroot,
      methods: {
        ...queueMethods(transport.admin),
        ...scriptMethods(scripts, () => this.#configured),
        ...serviceMethods(() => this.#status()),
      },
      log: this.#log,
    });
    await this.#listen(config, store, transport, observation);
    const { asked } = capabilities;
    const listeners = this.#listeners;
    await observation.start({ listeners, transport, store, scripts, shadows, asked }, config);
  }

  async reload(config: Config): Promise<void> {
    // Everything that can be wrong is tried before anything is changed.
    const configured = await loadBindings(config.bindings, await authenticateSinks(config, this.#clock));
    const placeCapabilities = await this.#capabilities?.prepare(config);
    const servers = await Promise.all(config.virtualServers.map((server) => smtpServerSettings(server)));
    const live = await this.#liveSettings(config);
    for (const [index, { listener }] of this.#listeners.entries()) {
      const settings = servers[index];
      if (settings !== undefined) listener.update(settings);
    }
    const boundAnew = scriptsBoundAnew(this.#configured, configured);
    this.#configured = configured;
    placeCapabilities?.();
    this.#rebuildChain();
    for (const name of boundAnew) this.#transport?.scriptChanged(name);
    this.#scripts?.grantsChanged();
    this.#effects?.configure(config.effects);
    this.#observation?.configure(config);
    this.#transport?.reconfigure(live);
    const needRestart = changedAtRestart(this.#config, config);
    this.#config = config;
    this.#log.info({ bindings: config.bindings.length }, "configuration reloaded");
    if (needRestart.length > 0)
      this.#log.warn({ needRestart }, "some changed settings apply at the next start");
  }

  async stop(): Promise<void> {
    this.#observation?.stopping();
    await Promise.all(this.#listeners.map(({ listener }) => listener.close(STOP_GRACE_MS)));
    await this.#pickup?.close();
    await this.#transport?.stop(STOP_GRACE_MS);
    await this.#scripts?.stop();
    await this.#capabilities?.close();
    await this.#effects?.close();
    await this.#firings?.flush();
    await this.#control?.close();
    await this.#observation?.closeAdmin();
    // What was told to the tracking log lets the store forget messages.
    await this.#observation?.closeLogs();
    await this.#store?.close();
  }

  async #openStore(config: Config): Promise<SegmentStore> {
    for (const name of ["", "Pickup", "Queue", "Drop", "Badmail"])
      await makeFolder(path.join(config.mailroot, name));
    const { segmentSize, ...settings } = config.store;
    return new SegmentStore({
      folder: path.join(config.mailroot, "Queue"),
      settings: { ...settings, segmentBytes: segmentSize },
      clock: this.#clock,
      logger: this.#log,
    });
  }

  #createTransport(
    config: Config,
    live: LiveTransportSettings,
    store: SegmentStore,
    scripts: ScriptHost,
    effects: EffectWriter,
    shadows: ShadowRuns,
    observation: Observation,
  ): Transport {
    const server = primaryServer(config);
    return createTransport<ScriptTarget>({
      settings: {
        reports: {
          reportingMta: hostNameOf(server),
          server: server.name,
          expireMs: retrySettings(server).remote.expiryMs,
        },
        maxSubmissions: MAX_SUBMISSIONS,
        maxLocalDeliveries: MAX_LOCAL_DELIVERIES,
        residentBytes: config.store.memoryBudget,
        sweepMs: SWEEP_MS,
      },
      store,
      drop: createDrop({ folder: path.join(config.mailroot, "Drop"), sync: true }),
      badmail: badmailOf(config),
      dispatcher: createDispatcher({
        runScripts: createRunScripts(watchedRunner(scripts, this.#audience), this.#log, {
          nextId: store.nextId,
          now: () => this.#clock.now(),
        }),
        firings: this.#firings,
        shadows,
        clock: this.#clock,
        log: this.#log,
      }),
      chain: this.#transportSinks.chain,
      events: this.#transportSinks.events(server, this.#firings),
      effects: observation.sinkTimes.watch(watchedRecorder(effects, this.#audience)),
      recorder: observation.recorder,
      live,
      clock: this.#clock,
      log: this.#log,
    });
  }

  #createShadowRuns(config: Config, scripts: ScriptHost, effects: EffectWriter): ShadowRuns {
    return new ShadowRuns({
      host: scripts,
      recorder: effects,
      atOnce: config.sandbox.shadowRuns,
      log: this.#log.child({ shadow: true }),
    });
  }

  async #liveSettings(config: Config): Promise<LiveTransportSettings> {
    const server = primaryServer(config);
    const signers = await loadSigners(config, this.#clock, this.#log);
    return {
      router: routerSettings(server),
      retry: createRetryPolicy(retrySettings(server)),
      remoteCourier: createRemoteCouriers(
        server,
        this.#log,
        this.#clock,
        this.#protocolSinks.outbound(server),
        createServerMxLookup(server, config.dns, this.#clock, (dns) =>
          this.#transportSinks.resolver(dns, server, this.#firings),
        ),
        signers?.out,
        this.#observation?.protocolLog(server),
      ),
      signLocal: signers?.drop,
    };
  }

  #rebuildChain(): void {
    const parts = {
      configured: this.#configured,
      scripts: this.#scripts?.scripts ?? new Map(),
      disabled: this.#scripts?.disabled ?? new Set(),
      log: this.#log,
      nextMessageId: () => this.#store?.nextId() ?? "",
    };
    this.#transportSinks.use(parts);
    this.#protocolSinks.use(parts);
  }

  /** The next message runs the new versions; what the old ones held is tried again. */
  #scriptsChanged(): void {
    this.#rebuildChain();
    const scripts = this.#scripts?.scripts ?? new Map();
    this.#audience?.scriptsChanged(scripts, this.#scripts?.broken ?? new Map());
    const before = this.#versions;
    const disabled = this.#scripts?.disabled ?? new Set();
    this.#versions = new Map(
      [...scripts].map(([name, { version }]) => [name, disabled.has(name) ? `${version} disabled` : version]),
    );
    for (const name of new Set([...before.keys(), ...this.#versions.keys()])) {
      if (before.get(name) === this.#versions.get(name)) continue;
      const released = this.#transport?.scriptChanged(name) ?? 0;
      if (released > 0)
        this.#log.info({ script: name, released }, "script changed: messages that it held are tried again");
    }
  }

  async #startPickup(
    config: Config,
    store: SegmentStore,
    transport: Transport,
    recovery: Recovery,
  ): Promise<Pickup> {
    const committed = new Set(recovery.messages.map((message) => message.id));
    const pickup = createPickup({
      folder: path.join(config.mailroot, "Pickup"),
      server: primaryServer(config).name,
      parseAddresses: (raw) => parseAddressList(raw).map((mailbox) => mailbox.address),
      nextId: store.nextId,
      createSpool: () => store.createSpoolFile(),
      submit: transport.accept,
      isCommitted: (id) => committed.has(id),
      badmail: badmailOf(config),
      logger: this.#log,
      clock: this.#clock,
    });
    await pickup.start();
    return pickup;
  }

  async #listen(
    config: Config,
    store: SegmentStore,
    transport: Transport,
    observation: Observation,
  ): Promise<void> {
    const intake = {
      nextId: store.nextId,
      createSpool: () => store.createSpoolFile(),
      submit: transport.accept,
    };
    for (const server of config.virtualServers) {
      const listener = createSmtpListener({
        settings: await smtpServerSettings(server),
        intake,
        logger: this.#log,
        clock: this.#clock,
        startQueue: (domain) => transport.admin.retryDomain(domain),
        protocol: this.#protocolSinks.inbound(server),
        sessionLog: observation.protocolLog(server),
      });
      this.#listeners.push({ name: server.name, listener });
      for (const { host, port } of await listener.listen()) {
        this.addresses.push(host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
      }
    }
  }

  #status(): unknown {
    return {
      pid: process.pid,
      addresses: this.addresses,
      connections: this.#listeners.reduce((sum, { listener }) => sum + listener.connections, 0),
      scripts: [...(this.#scripts?.scripts.values() ?? [])].map(({ name, version, broken }) => ({
        name,
        version,
        broken,
      })),
      ...this.#observation?.state(),
    };
  }
}

const badmailOf = ({ mailroot }: Config): Badmail =>
  createBadmail({ folder: path.join(mailroot, "Badmail") });

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (thrown) {
    throw new OnArrivalError("MAILROOT_UNUSABLE", `${folder}: ${describeError(thrown)}`, { cause: thrown });
  }
}
