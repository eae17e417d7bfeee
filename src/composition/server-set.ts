// The virtual servers of a service, which start and stop together.
import type { Config } from "../config/schema.ts";
import { serverFolders } from "../config/server-folders.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { ServerPlan } from "./server-plan.ts";
import { type SharedParts, VirtualServer } from "./virtual-server.ts";

export interface ServerSetParts {
  readonly nextId: () => string;
  readonly clock: Clock;
  readonly log: Logger;
}

export class ServerSet {
  readonly #parts: ServerSetParts;
  readonly #servers = new Map<string, VirtualServer>();

  constructor(parts: ServerSetParts) {
    this.#parts = parts;
  }

  /** In the order of the configuration. */
  get all(): readonly VirtualServer[] {
    return [...this.#servers.values()];
  }

  /** Takes their mailroots. */
  async open(config: Config): Promise<void> {
    for (const settings of config.virtualServers) {
      const { name } = settings;
      const folders = serverFolders(config, settings);
      const server = new VirtualServer({ ...this.#parts, name, folders, store: config.store });
      await server.open();
      this.#servers.set(name, server);
    }
  }

  async begin(plans: readonly ServerPlan[], shared: SharedParts): Promise<void> {
    for (const plan of plans) await this.#servers.get(plan.settings.name)?.begin(plan, shared);
  }

  async listen(): Promise<void> {
    for (const server of this.all) await server.listen();
  }

  update(plans: readonly ServerPlan[]): void {
    for (const plan of plans) this.#servers.get(plan.settings.name)?.update(plan);
  }

  /** What a script holds is tried again: it changed. Answers how many messages that are. */
  scriptChanged(script: string): number {
    return this.all.reduce((sum, server) => sum + server.scriptChanged(script), 0);
  }

  async closeListeners(): Promise<void> {
    await Promise.all(this.all.map((server) => server.closeListeners()));
  }

  async finish(): Promise<void> {
    await Promise.all(this.all.map((server) => server.finish()));
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((server) => server.close()));
  }
}
