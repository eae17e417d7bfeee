// Reloads of a running service, one at a time: asked for by SIGHUP, or because the file has changed (watchConfig).
import type { ConfigSource } from "../config/config-source.ts";
import { type FileWatch, watchFile } from "../config/file-watch.ts";
import type { Config } from "../config/schema.ts";
import type { Clock } from "../core/clock.ts";
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";

export interface ConfigReloadParts {
  readonly source: ConfigSource;
  /** What the service started with. */
  readonly config: Config;
  /** Takes over all of it, or throws and changes nothing. */
  readonly reload: (config: Config) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ConfigReloads {
  /** Reads the file again, whether it was changed or not. */
  readonly reload: () => void;
  /** Resolves when the reload in hand has ended; no further one begins. */
  close(): Promise<void>;
}

export function followConfig(parts: ConfigReloadParts): ConfigReloads {
  const { source, log } = parts;
  let isWatched = parts.config.watchConfig;
  let last = Promise.resolve();
  const load = async (): Promise<void> => {
    try {
      const config = await source.load();
      await parts.reload(config);
      isWatched = config.watchConfig;
    } finally {
      watch();
    }
  };
  const loadChanged = async (): Promise<void> => {
    if (!isWatched) return;
    const found = await source.compare();
    if (found === "changed") await load();
    else if (found === "gone")
      log.warn({ file: source.file }, "the configuration file is gone; the configuration stays as it was");
  };
  const inTurn = (step: () => Promise<void>): void => {
    last = last.then(step).catch((thrown: unknown) => {
      const code = thrown instanceof OnArrivalError ? thrown.code : "INTERNAL";
      log.error(
        { code, problem: describeError(thrown) },
        "reload refused; the configuration stays as it was",
      );
    });
  };
  const watches = new Map<string, FileWatch>();
  const watch = (): void => {
    const { files } = source;
    for (const [file, known] of watches) {
      if (files.includes(file)) continue;
      known.close();
      watches.delete(file);
    }
    for (const file of files)
      if (!watches.has(file))
        watches.set(
          file,
          watchFile(file, parts.clock, () => inTurn(loadChanged)),
        );
  };
  watch();
  return {
    reload: () => inTurn(load),
    close() {
      for (const known of watches.values()) known.close();
      return last;
    },
  };
}
