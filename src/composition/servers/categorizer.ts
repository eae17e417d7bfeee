// The directories of the categorizer, made of the configuration. What did not change stays as it is, connections and answers included.
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { LiveCategorizer } from "../../transport/categorizer/categorizer.ts";
import type { Directory } from "../../transport/categorizer/directory.ts";
import { DirectoryChain } from "../../transport/categorizer/directory-chain.ts";
import { FileDirectory } from "../../transport/categorizer/file-directory.ts";
import { createLdapDirectory } from "../../transport/categorizer/ldap-directory.ts";
import { defaultDomainOf } from "../settings.ts";

interface Made {
  /** What it was made of. */
  readonly of: string;
  readonly live: LiveCategorizer;
}

export class Categorizers {
  readonly #clock: Clock;
  readonly #log: Logger;
  /** By virtual server. */
  readonly #made = new Map<string, Made>();
  /** Those of a configuration that is not in force yet, and what was there before them. */
  readonly #proposed = new Map<string, { readonly made: Made; readonly before: Made | undefined }>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Undefined when the server has none. */
  of(config: Config, server: VirtualServerSettings): LiveCategorizer | undefined {
    const { categorizer, domains, name } = server;
    if (categorizer === undefined) return undefined;
    const file = config.directoryFiles.get(name);
    const of = JSON.stringify([categorizer, domains, file]);
    const known = this.#made.get(name);
    if (known?.of === of) return known.live;
    const { unknown, maxDepth, maxRecipients, batchSize } = categorizer;
    const directory = this.#directory(config, server, categorizer);
    const live: LiveCategorizer = {
      settings: { unknown, maxDepth, maxRecipients, batchSize },
      directory: {
        resolve: (queries, attributes) => directory.resolve(queries, attributes),
        close: () => {
          // A server that is stopped may be started again.
          if (this.#made.get(name)?.live === live) this.#made.delete(name);
          return directory.close();
        },
      },
    };
    const made = { of, live };
    this.#proposed.set(name, { made, before: known });
    this.#made.set(name, made);
    return live;
  }

  /** The configuration is taken over: what was made for it stays, even when a later one is refused. */
  settled(): void {
    this.#proposed.clear();
  }

  /** The configuration is not taken over: what was made for it ends, and what was there stays. */
  async refused(): Promise<void> {
    const proposed = [...this.#proposed];
    this.#proposed.clear();
    for (const [name, { made, before }] of proposed) {
      if (this.#made.get(name) !== made) continue;
      if (before === undefined) this.#made.delete(name);
      else this.#made.set(name, before);
      await made.live.directory.close();
    }
  }

  #directory(
    config: Config,
    server: VirtualServerSettings,
    { ldap, ...settings }: NonNullable<VirtualServerSettings["categorizer"]>,
  ): Directory {
    const domains = directoryDomains(server, settings);
    const directories: Directory[] = [];
    const file = fileDirectory(config, server, domains);
    if (file !== undefined) directories.push(file);
    if (ldap !== undefined)
      directories.push(
        createLdapDirectory({
          settings: ldap,
          domains,
          clock: this.#clock,
          log: this.#log.child({ server: server.name }),
          random: Math.random,
        }),
      );
    const [only] = directories;
    return only !== undefined && directories.length === 1 ? only : new DirectoryChain(directories);
  }
}

type OwnSettings = Pick<NonNullable<VirtualServerSettings["categorizer"]>, "domains">;

/** Those whose addresses are all in the directory. */
export const directoryDomains = (
  server: VirtualServerSettings,
  { domains }: OwnSettings,
): readonly string[] =>
  domains ?? [...new Set([defaultDomainOf(server), ...server.domains.local, ...server.domains.alias])];

export function fileDirectory(
  { directoryFiles }: Config,
  server: VirtualServerSettings,
  domains: readonly string[],
): FileDirectory | undefined {
  const file = directoryFiles.get(server.name);
  const { alias } = server.domains;
  return file && new FileDirectory(file, domains, { alias, standsFor: defaultDomainOf(server) });
}
