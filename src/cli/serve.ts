// `onarrival serve`: runs the service until SIGTERM or SIGINT; SIGHUP or a changed file reloads the configuration.
import { Command } from "commander";
import type { Audience } from "../composition/observation/audience.ts";
import { followConfig } from "../composition/config-reloads.ts";
import { ConfigSource } from "../config/config-source.ts";
import type { Config } from "../config/schema.ts";
import { systemClock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { type ServiceLogger, createServiceLogger } from "../observe/log.ts";
import { type Relay, startRelay } from "../relay.ts";
import { type CommandFactory, collect } from "./program.ts";

export interface ServiceOptions {
  readonly config?: string;
  readonly listen?: readonly string[];
  readonly mailroot?: string;
  readonly scripts?: string;
  readonly json?: boolean;
}

/** What differs between the commands that run the service. */
export interface ServiceStage {
  openLog(config: Config): ServiceLogger;
  readonly audience?: Audience;
  ready(relay: Relay, config: Config): void | Promise<void>;
}

export function serveCommand(): CommandFactory {
  return (output) =>
    withServiceOptions(new Command("serve"))
      .description("run the service")
      .option("--json", "print the ready line as JSON")
      .action((options: ServiceOptions) =>
        runService(options, {
          openLog: (config) => createServiceLogger(config.log),
          ready: ({ addresses }) =>
            output.out(
              options.json === true
                ? `${JSON.stringify({ ready: true, addresses })}\n`
                : `onarrival ready on ${addresses.join(", ")}\n`,
            ),
        }),
      );
}

export function withServiceOptions(command: Command): Command {
  return command
    .option("-c, --config <file>", "configuration file (default: onarrival.yaml when it is there)")
    .option(
      "--listen <host:port>",
      "address to accept mail on instead of the file's; may be repeated",
      collect,
    )
    .option("--mailroot <dir>", "mailroot instead of the file's")
    .option("--scripts <dir>", "scripts folder instead of the file's");
}

export async function runService(options: ServiceOptions, stage: ServiceStage): Promise<void> {
  using hangUps = new HangUps();
  const source = new ConfigSource(options.config, {
    listen: options.listen,
    mailroot: options.mailroot,
    scripts: options.scripts,
  });
  const config = await source.load();
  const log = stage.openLog(config);
  const forget = surviveForgottenPromises(log);
  try {
    const relay = await startRelay(config, log, systemClock, stage.audience);
    const reloads = followConfig({
      source,
      config,
      reload: (changed) => relay.reload(changed),
      clock: systemClock,
      log: relay.log,
    });
    hangUps.call(reloads.reload);
    const end = ended();
    try {
      await stage.ready(relay, config);
      const signal = await end;
      relay.log.info({ signal }, "stopping: what is in hand is finished");
    } finally {
      // A service that could not get ready is stopped too: no signal ends the process by now.
      hangUps.call(() => undefined);
      await reloads.close();
      await relay.stop();
    }
  } finally {
    forget();
    await log.close();
  }
}

/** SIGHUP, for as long as there is a service, also while it starts and stops: without a listener it ends the process. */
class HangUps implements Disposable {
  #cameEarly = false;
  #answer = (): void => void (this.#cameEarly = true);
  readonly #heard = (): void => this.#answer();

  constructor() {
    process.on("SIGHUP", this.#heard);
  }

  /** Calls at each signal from now on, and at once when one came before anybody listened. */
  call(answer: () => void): void {
    this.#answer = answer;
    if (this.#cameEarly) answer();
    this.#cameEarly = false;
  }

  [Symbol.dispose](): void {
    process.off("SIGHUP", this.#heard);
  }
}

/**
 * A native sink that starts something and does not wait for it must not end the service, and with it all mail, when that
 * fails: nobody's state hangs on a promise that nobody holds. An exception out of a callback is another thing: it may have
 * left anything half done, and ends the process, whose next run goes on from the store.
 */
function surviveForgottenPromises(log: Logger): () => void {
  const tell = (reason: unknown): void =>
    log.error(
      {
        code: "INTERNAL",
        error: describeError(reason),
        stack: reason instanceof Error ? reason.stack : undefined,
      },
      "a promise failed that nobody waits for: a native sink has to await or catch what it starts",
    );
  process.on("unhandledRejection", tell);
  return () => void process.off("unhandledRejection", tell);
}

/** npx runs us behind a shell, which a signal ends without being passed on: we would go on without anybody. */
const LOOK_FOR_SHELL_MS = 500;

function ended(): Promise<string> {
  return new Promise((resolve) => {
    process.on("SIGTERM", resolve);
    process.on("SIGINT", resolve);
    if (process.env["npm_lifecycle_event"] !== "npx") return;
    const shell = process.ppid;
    const look = (): void => {
      if (process.ppid !== shell) resolve("the end of npx");
    };
    setInterval(look, LOOK_FOR_SHELL_MS).unref();
  });
}
