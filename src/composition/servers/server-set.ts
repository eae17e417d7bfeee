// The virtual servers of a service: those that run, and those that wait for an operator to start them. At the start of the service
// all of them take each step together; afterwards each may come and go. Its calls are made one after the other.
import type { ServerState } from "../../admin/health.ts";
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import { type ServerFolders, serverFolders } from "../../config/server-folders.ts";
import { isSameAddress } from "../../config/values.ts";
import type { Clock } from "../../core/clock.ts";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { handOver } from "./hand-over.ts";
import type { ServerPlan } from "./server-plan.ts";
import { STRAY_ADVICE, strayMailroots } from "./stray-mailroots.ts";
import type { SharedParts } from "./shared-parts.ts";
import { VirtualServer } from "./virtual-server.ts";

export interface ServerSetParts {
  readonly nextId: () => string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A virtual server of the configuration, whether it runs or not. */
export interface ServerEntry {
  readonly name: string;
  readonly folders: ServerFolders;
  readonly state: ServerState;
  /** Absent: it is stopped. */
  readonly server: VirtualServer | undefined;
}

interface Entry {
  folders: ServerFolders;
  server: VirtualServer | undefined;
  /** On its way from one state to another. */
  change: "starting" | "stopping" | undefined;
}

export class ServerSet {
  readonly #parts: ServerSetParts;
  /** In the order of the configuration, added ones last. */
  readonly #entries = new Map<string, Entry>();
  /** Bytes of messages that all of them together keep in memory: each that is open has an equal part. */
  #memoryBytes = 0;
  #openCount = 0;
  #strays: readonly string[] = [];

  constructor(parts: ServerSetParts) {
    this.#parts = parts;
  }

  get running(): readonly VirtualServer[] {
    return [...this.#entries.values()].flatMap(({ server, change }) =>
      server === undefined || change !== undefined ? [] : [server],
    );
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  get entries(): readonly ServerEntry[] {
    return [...this.#entries].map(([name, entry]) => ({
      name,
      folders: entry.folders,
      state: stateOf(entry),
      server: entry.change === undefined ? entry.server : undefined,
    }));
  }

  /** That of the first one where the name is not, or no longer, known. */
  dropFolder(name: string | undefined): string | undefined {
    const entry = this.#entries.get(name ?? "") ?? this.#entries.values().next().value;
    return entry?.folders.drop;
  }

  /** Takes the mailroots of those that start with the service. */
  async open(config: Config): Promise<void> {
    this.#memoryBytes = config.store.memoryBudget;
    for (const settings of config.virtualServers) {
      const entry = this.#enter(settings.name, serverFolders(config, settings));
      if (settings.autoStart) entry.server = await this.#open(settings, config);
    }
    await this.#lookForStrays(config);
  }

  /** Mailroots that none of them has. */
  get strays(): readonly string[] {
    return this.#strays;
  }

  /** With each configuration there may be others. */
  async #lookForStrays(config: Config): Promise<void> {
    const known = new Set(this.#strays);
    this.#strays = await strayMailroots(config);
    for (const mailroot of this.#strays)
      if (!known.has(mailroot)) this.#parts.log.warn({ mailroot }, STRAY_ADVICE);
  }

  /** Goes on with what an earlier run left unfinished. */
  async begin(plans: readonly ServerPlan[], shared: SharedParts): Promise<void> {
    for (const plan of plans) this.#entries.get(plan.settings.name)?.server?.prepare(plan, shared);
    await handOver(this.running, this.#parts.log);
    for (const server of this.running) await server.begin();
  }

  async listen(): Promise<void> {
    for (const server of this.running) await server.listen();
  }

  /** Throws, or answers what takes the plans of the servers over that are there. */
  prepareUpdate(plans: readonly ServerPlan[]): () => void {
    const updates = plans.flatMap((plan) => {
      const entry = this.#entries.get(plan.settings.name);
      if (entry === undefined) return [];
      if (entry.server !== undefined) return [entry.server.prepareUpdate(plan)];
      return [
        () => {
          entry.folders = plan.folders;
        },
      ];
    });
    return () => {
      for (const update of updates) update();
    };
  }

  /** Names of running servers whose folders would change, and of added ones that need a folder or an address which a running one gives up. */
  moved(plans: readonly ServerPlan[]): readonly string[] {
    return plans.filter((plan) => this.#isMoved(plan, plans)).map(({ settings }) => settings.name);
  }

  #isMoved({ settings, folders }: ServerPlan, plans: readonly ServerPlan[]): boolean {
    const entry = this.#entries.get(settings.name);
    if (entry !== undefined) return entry.server !== undefined && !isSame(entry.server.folders, folders);
    if (!settings.autoStart) return false;
    return this.running.some((server) => {
      if (shareFolder(server.folders, folders)) return true;
      // Where both are to have the address the file is wrong, today and after the next start.
      const next = plans.find((plan) => plan.settings.name === server.name)?.settings.listen ?? [];
      return shareAddress(server.addresses, settings.listen) && !shareAddress(next, settings.listen);
    });
  }

  /**
   * Takes up what the configuration has and the set has not: mailroots and addresses are taken, clients still turned away,
   * and nothing is done yet. Throws and gives all of it back, or answers what lets them begin.
   */
  async add(plans: readonly ServerPlan[], config: Config, shared: SharedParts): Promise<() => Promise<void>> {
    const added = plans.filter(({ settings: { name } }) => !this.#entries.has(name));
    const opened: VirtualServer[] = [];
    try {
      for (const plan of added) {
        if (!plan.settings.autoStart) continue;
        const server = await this.#open(plan.settings, config);
        opened.push(server);
        await listenPaused(server, plan, shared);
      }
    } catch (thrown) {
      for (const server of opened) await this.#end(server, shared);
      throw thrown;
    }
    return async () => {
      for (const { settings, folders } of added) this.#enter(settings.name, folders);
      for (const server of opened) await this.#admitAdded(server, shared);
    };
  }

  /** Names of those that the configuration has no more. */
  leaving(plans: readonly ServerPlan[]): readonly string[] {
    const names = new Set(plans.map(({ settings }) => settings.name));
    return this.names.filter((name) => !names.has(name));
  }

  /** Ends those that leave. What waits in their mailroots stays there. */
  async remove(plans: readonly ServerPlan[], config: Config, shared: SharedParts): Promise<void> {
    for (const name of this.leaving(plans)) {
      const waiting = this.#entries.get(name)?.server?.transport.depths().messages ?? 0;
      await this.stop(name, shared);
      const { mailroot } = this.#entry(name).folders;
      this.#entries.delete(name);
      this.#parts.log.info({ server: name, mailroot, waiting }, "virtual server removed; its mailroot stays");
    }
    await this.#lookForStrays(config);
  }

  /** Does nothing when it runs already. */
  async start(
    name: string,
    plan: ServerPlan | undefined,
    config: Config,
    shared: SharedParts,
  ): Promise<void> {
    const entry = this.#entry(name);
    if (entry.server !== undefined || plan === undefined) return;
    entry.change = "starting";
    let server: VirtualServer | undefined;
    try {
      server = await this.#open(plan.settings, config);
      await listenPaused(server, plan, shared);
      entry.folders = server.folders;
      await this.#admit(server);
      this.#parts.log.info({ server: name, addresses: server.addresses }, "virtual server started");
    } catch (thrown) {
      entry.server = undefined;
      if (server !== undefined) await this.#end(server, shared);
      throw thrown;
    } finally {
      entry.change = undefined;
    }
  }

  async stop(name: string, shared: SharedParts): Promise<void> {
    const entry = this.#entry(name);
    if (entry.server === undefined) return;
    entry.change = "stopping";
    try {
      await this.#end(entry.server, shared);
    } finally {
      entry.server = undefined;
      entry.change = undefined;
    }
    this.#parts.log.info({ server: name }, "virtual server stopped");
  }

  /** Throws WRONG_USE when it is stopped. */
  pause(name: string): void {
    this.#runningServer(name).pause();
    this.#parts.log.info({ server: name }, "virtual server paused: new clients are turned away");
  }

  proceed(name: string): void {
    this.#runningServer(name).proceed();
    this.#parts.log.info({ server: name }, "virtual server goes on");
  }

  /** What a script holds is tried again: it changed. Answers how many messages that are. */
  scriptChanged(script: string): number {
    return this.running.reduce((sum, server) => sum + server.scriptChanged(script), 0);
  }

  // All of them, for the end of the service.

  async closeListeners(): Promise<void> {
    await Promise.all(this.running.map((server) => server.closeListeners()));
  }

  async finish(): Promise<void> {
    await Promise.all(this.running.map((server) => server.finish()));
  }

  async close(): Promise<void> {
    await Promise.all(this.running.map((server) => server.close()));
  }

  async #open(settings: VirtualServerSettings, config: Config): Promise<VirtualServer> {
    const { name } = settings;
    const folders = serverFolders(config, settings);
    const memoryBudget = (): number => this.#memoryBytes / this.#openCount;
    const isOther = (other: string): boolean => other !== name && this.#entries.has(other);
    const server = new VirtualServer({
      ...this.#parts,
      name,
      folders,
      store: config.store,
      isOther,
      memoryBudget,
    });
    await server.open();
    this.#openCount += 1;
    return server;
  }

  async #admit(server: VirtualServer): Promise<void> {
    this.#entry(server.name).server = server;
    await server.begin();
    server.proceed();
  }

  /** It came with a configuration that is in force now: it must not fail any more. */
  async #admitAdded(server: VirtualServer, shared: SharedParts): Promise<void> {
    const { name, addresses } = server;
    try {
      await this.#admit(server);
      this.#parts.log.info({ server: name, addresses }, "virtual server added");
    } catch (thrown) {
      this.#entry(name).server = undefined;
      this.#parts.log.error(
        { server: name, problem: describeError(thrown), cause: thrown },
        "the added virtual server could not begin and is stopped",
      );
      await this.#end(server, shared);
    }
  }

  async #end(server: VirtualServer, { observation }: SharedParts): Promise<void> {
    await server.closeListeners();
    await server.finish();
    // What was told to the tracking log lets the store forget messages.
    await observation.kept();
    await observation.closeProtocolLog(server.name);
    await server.close();
    this.#openCount -= 1;
  }

  #enter(name: string, folders: ServerFolders): Entry {
    const entry: Entry = { folders, server: undefined, change: undefined };
    this.#entries.set(name, entry);
    return entry;
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry;
    const names = [...this.#entries.keys()].join(", ");
    throw new OnArrivalError(
      "WRONG_USE",
      `no virtual server has the name ${name} (there are: ${names}); a new one is added in the configuration file`,
    );
  }

  #runningServer(name: string): VirtualServer {
    const { server } = this.#entry(name);
    if (server !== undefined) return server;
    throw new OnArrivalError(
      "WRONG_USE",
      `the virtual server ${name} is stopped: onarrival server start ${name}`,
    );
  }
}

async function listenPaused(server: VirtualServer, plan: ServerPlan, shared: SharedParts): Promise<void> {
  server.prepare(plan, shared);
  server.pause();
  await server.listen();
}

const isSame = (one: ServerFolders, other: ServerFolders): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

function shareFolder(one: ServerFolders, other: ServerFolders): boolean {
  const { mailroot: _, ...taken } = one;
  const { mailroot: __, ...wanted } = other;
  return Object.values(wanted).some((folder) => Object.values(taken).includes(folder));
}

const shareAddress = (taken: readonly string[], wanted: readonly string[]): boolean =>
  wanted.some((address) => taken.some((other) => isSameAddress(address, other)));

function stateOf({ server, change }: Entry): ServerState {
  if (change !== undefined) return change;
  if (server === undefined) return "stopped";
  return server.isPaused ? "paused" : "running";
}
