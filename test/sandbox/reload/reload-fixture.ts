// A script host with the real sandbox over a folder of its own: `await using host = await startReloading({ … })`.
import { appendFile, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Logger } from "../../../src/core/logger.ts";
import {
  type ScriptHostOptions,
  type ScriptHost,
  createScriptHost,
} from "../../../src/sandbox/script-host.ts";
import type { ScriptControl } from "../../../src/sandbox/versions/script-control.ts";
import { eventually } from "../../support/eventually.ts";
import { type TempFolder, tempFolder } from "../../support/temp-folder.ts";
import { compiledProgram } from "../../support/compiled.ts";

export const SCRIPT = "export default function onArrival(msg) { return 0; }\n";
export const OTHER = "export default function onArrival(msg) { return 1; }\n";

export interface LoggedLine extends Record<string, unknown> {
  readonly level: string;
  readonly message: string;
}

/** Collects what is logged. */
function collector(lines: LoggedLine[]): Logger {
  const write =
    (level: string) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void =>
      void lines.push({ ...fields, level, message });
  const logger: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => logger,
  };
  return logger;
}

export class Reloading implements AsyncDisposable {
  readonly lines: LoggedLine[] = [];
  readonly folder: string;
  readonly stateFolder: string;
  #temp: TempFolder;
  #options: Partial<ScriptHostOptions>;
  #host: ScriptHost | undefined;

  constructor(temp: TempFolder, options: Partial<ScriptHostOptions>) {
    this.#temp = temp;
    this.#options = options;
    this.folder = join(temp.path, "scripts");
    this.stateFolder = join(temp.path, "state");
  }

  get host(): ScriptHost {
    if (this.#host === undefined) throw new Error("not started");
    return this.#host;
  }

  get control(): ScriptControl {
    const { control } = this.host;
    if (control === undefined) throw new Error("not started");
    return control;
  }

  async start(): Promise<void> {
    this.#host = createScriptHost({
      folder: this.folder,
      stateFolder: this.stateFolder,
      log: collector(this.lines),
      program: await compiledProgram(),
      ...this.#options,
      settings: { processes: 1, rescanMs: 300, pollMs: 100, removalMs: 150, ...this.#options.settings },
    });
    await this.#host.start();
  }

  async restart(): Promise<void> {
    await this.host.stop();
    await this.start();
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, text: string | Buffer): Promise<void> {
    await mkdir(dirname(this.path(name)), { recursive: true });
    await writeFile(this.path(name), text);
  }

  append(name: string, text: string): Promise<void> {
    return appendFile(this.path(name), text);
  }

  remove(name: string): Promise<void> {
    return rm(this.path(name), { recursive: true, force: true });
  }

  version(name = "a.ts"): string | undefined {
    return this.host.scripts.get(name)?.version;
  }

  /** Waits until something newer than `before` is live. */
  async changed(before: string | undefined, name = "a.ts"): Promise<string> {
    return eventually(() => (this.version(name) === before ? undefined : this.version(name)), {
      what: `a version of ${name} after ${String(before)}`,
      intervalMs: 5,
    });
  }

  /** Waits until the newest edit is refused, and answers why. */
  async refused(name = "a.ts", pattern = /./): Promise<string> {
    return eventually(
      () => {
        const problem = this.host.broken.get(name);
        return problem !== undefined && pattern.test(problem) ? problem : undefined;
      },
      {
        what: `${name} broken like ${String(pattern)}; now ${String(this.host.broken.get(name))}`,
        intervalMs: 5,
      },
    );
  }

  async accepted(name = "a.ts"): Promise<void> {
    await eventually(() => !this.host.broken.has(name), {
      what: `${name} is no longer broken`,
      intervalMs: 5,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host?.stop();
    await this.#temp[Symbol.asyncDispose]();
  }
}

export async function startReloading(
  files: Readonly<Record<string, string>>,
  options: Partial<ScriptHostOptions> = {},
): Promise<Reloading> {
  const reloading = new Reloading(await tempFolder("reload"), options);
  await mkdir(reloading.folder);
  try {
    for (const [name, text] of Object.entries(files)) await reloading.write(name, text);
    await reloading.start();
  } catch (error) {
    await reloading[Symbol.asyncDispose]();
    throw error;
  }
  return reloading;
}
