// The one door of the script sandbox: which scripts are live, and running them on a message.
import { join, resolve } from "node:path";
import { type Clock, systemClock } from "../core/clock.ts";
import { keepNewest } from "../core/keep-newest.ts";
import type { Logger } from "../core/logger.ts";
import type * as runner from "./pool/call-runner.ts";
import { CallRunner } from "./pool/call-runner.ts";
import type { CapabilityBroker } from "./capabilities/broker-contract.ts";
import { createReadingBroker } from "./capabilities/broker.ts";
import { PreparedAnswers } from "./capabilities/prepared-answers.ts";
import { bundleRuntime, toolsHash } from "./versions/compiler.ts";
import type { DropFolder } from "./capabilities/drop-folder.ts";
import { Generations } from "./versions/generations.ts";
import type * as loaded from "./versions/loaded-script.ts";
import { CDO_MODULE, defaultProgram, RUNTIME_ENTRY, type SandboxProgram } from "./pool/sandbox-program.ts";
import { ScriptFolder, requireFolder } from "./versions/script-folder.ts";
import { type PoolFigures, SandboxCounts } from "./pool/sandbox-counts.ts";
import { ScriptActivity } from "./versions/script-activity.ts";
import type { ScriptBuilder } from "./versions/script-build.ts";
import { type ControlParts, ScriptControl } from "./versions/script-control.ts";
import { isSinkName } from "./versions/script-file.ts";
import type { GrantsOf } from "./versions/script-needs.ts";
import { ScriptReloader } from "./versions/script-reloader.ts";
import { ScriptSwitches } from "./versions/script-switches.ts";
import type { Secrets } from "./capabilities/secrets.ts";
import { DEFAULT_SANDBOX_SETTINGS, type SandboxSettings } from "./sandbox-settings.ts";
import { ShadowPool } from "./pool/shadow-pool.ts";
import { Strikes } from "./pool/strikes.ts";
import { WorkerPool } from "./pool/worker-pool.ts";

// The types of this entry, for callers that shall know no other file of the folder.
export type LiveScript = loaded.LiveScript;
export type RunRequest = runner.RunRequest;
export type RunCall = runner.RunCall;
export type RunAnswer = runner.RunAnswer;
export type ScriptOutcome = RunAnswer["outcomes"][number];
export type RunFault = NonNullable<ScriptOutcome["fault"]>;

export interface ScriptHostOptions {
  readonly folder: string;
  /** Keeps the last good versions over a restart; absent: nothing is kept. */
  readonly stateFolder?: string | undefined;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly settings?: Partial<SandboxSettings>;
  /** false: the scripts are read once. */
  readonly watch?: boolean;
  /** Only these files of the folder. */
  readonly only?: readonly string[];
  /** false: a script may go live although its test cases fail. */
  readonly runsCases?: boolean;
  readonly program?: SandboxProgram;
  /** The Drop folder of the virtual server that has the message, for `allow.drop`; absent: there is none. */
  readonly dropFolder?: (server: string | undefined) => string | undefined;
  /** Performs what `allow.fetch` grants; absent: nothing is fetched. */
  readonly broker?: CapabilityBroker | undefined;
  /** Values of what `allow.secrets` names; they are taken out of everything that a script writes for people. */
  readonly secrets?: Secrets | undefined;
  /** A script goes live only when its bindings grant what it asks for at load. Absent: that is not looked at. */
  readonly grantsOf?: GrantsOf | undefined;
}

export interface ScriptHost {
  /** Scans, compiles, looks at each script in a sandbox process, then watches. */
  start(): Promise<void>;
  /** By file name. */
  readonly scripts: ReadonlyMap<string, LiveScript>;
  /** What is wrong with the newest edit, by file name; also of scripts that were never live. */
  readonly broken: ReadonlyMap<string, string>;
  /** Absolute paths of the scripts and of everything in the folder that they import. */
  readonly files: readonly string[];
  /** Names of scripts that are switched off: their bindings are not to be called. */
  readonly disabled: ReadonlySet<string>;
  /** For people; undefined before start(). */
  readonly control: ScriptControl | undefined;
  /** Process ids of the sandbox. */
  readonly pids: readonly number[];
  readonly counts: SandboxCounts;
  /** Of the processes for live mail, and of those for shadow runs when there are some. */
  readonly figures: { readonly live: PoolFigures | undefined; readonly shadow: PoolFigures | undefined };
  /** Serves the messages of tests, which say beforehand what is answered to them. */
  readonly answers: PreparedAnswers;
  /** The answers of `grantsOf` changed: what could not go live may do so now, and what is live may have lost a grant. */
  grantsChanged(): void;
  /** Called after `scripts` or `broken` changed. The answer ends it. */
  onChange(listener: () => void): () => void;
  /** Runs consecutive calls on one message. Never rejects. */
  run(request: RunRequest): Promise<RunAnswer>;
  /** The same on processes of their own, for runs that nobody waits for; their faults count apart. */
  runShadow(request: RunRequest): Promise<RunAnswer>;
  stop(): Promise<void>;
}

/** Messages that started with a version may come after it was replaced: as many of these are remembered. */
const RETIRED_KEPT = 1000;

export function createScriptHost(options: ScriptHostOptions): ScriptHost {
  return new FolderScriptHost(options);
}

type ReloadParts = Pick<ControlParts, "strikes" | "generations" | "activity"> &
  Pick<ScriptBuilder, "pool" | "tools"> & { readonly folder: ScriptFolder };

class FolderScriptHost implements ScriptHost {
  #options: ScriptHostOptions;
  #settings: SandboxSettings;
  #clock: Clock;
  #listeners = new Set<() => void>();
  #scripts: ReadonlyMap<string, LiveScript> = new Map();
  readonly #retired = new Map<string, undefined>();
  readonly counts = new SandboxCounts();
  readonly answers: PreparedAnswers;
  #shadows: ShadowPool;
  readonly #activity: ScriptActivity;
  #bundled: Promise<Buffer> | undefined;
  #parts:
    | { pool: WorkerPool; runner: CallRunner; reloader: ScriptReloader; folder: ScriptFolder }
    | undefined;
  #switches: ScriptSwitches;
  #control: ScriptControl | undefined;

  constructor(options: ScriptHostOptions) {
    this.#options = options;
    this.answers = new PreparedAnswers(options.broker);
    this.#settings = { ...DEFAULT_SANDBOX_SETTINGS, ...options.settings };
    this.#clock = options.clock ?? systemClock;
    const { stateFolder } = options;
    const switchFile = stateFolder === undefined ? undefined : join(stateFolder, "switches.json");
    this.#switches = new ScriptSwitches(switchFile, options.log);
    const { strikes, probeMs } = this.#settings;
    const activity = new ScriptActivity(this.#settings, this.#clock);
    this.#activity = activity;
    this.#shadows = new ShadowPool({
      createPool: (counted, log) => this.#createPool(counted, log, "shadow"),
      activity: {
        called: (name, version, message, outcome) => activity.called(name, version, message, outcome, true),
      },
      secrets: options.secrets,
      strikes,
      probeMs,
      counts: this.counts,
      clock: this.#clock,
      log: options.log,
    });
  }

  get scripts(): ReadonlyMap<string, LiveScript> {
    return this.#scripts;
  }

  get broken(): ReadonlyMap<string, string> {
    return this.#parts?.reloader.broken ?? new Map<string, string>();
  }

  get files(): readonly string[] {
    return [...(this.#parts?.reloader.watchedFiles() ?? [])];
  }

  get disabled(): ReadonlySet<string> {
    return this.#switches.disabled;
  }

  get control(): ScriptControl | undefined {
    return this.#control;
  }

  get pids(): readonly number[] {
    return [...(this.#parts?.pool.pids ?? []), ...this.#shadows.pids];
  }

  get figures(): ScriptHost["figures"] {
    return { live: this.#parts?.pool.figures, shadow: this.#shadows.figures };
  }

  async start(): Promise<void> {
    const { only, watch, log } = this.#options;
    const strikes = new Strikes(this.#settings.strikes, this.#settings.probeMs, this.#clock, this.counts);
    const pool = await this.#createPool(strikes, log, "live");
    const folder = this.#createFolder();
    const activity = this.#activity;
    const { stateFolder } = this.#options;
    const generations = stateFolder === undefined ? undefined : new Generations(stateFolder);
    await this.#switches.load();
    const tools = await toolsHash(await this.#runtime(), CDO_MODULE);
    const reloader = this.#createReloader({ pool, folder, strikes, generations, activity, tools });
    this.#parts = {
      pool,
      runner: new CallRunner(pool, strikes, log, activity, this.#options.secrets),
      reloader,
      folder,
    };
    this.#control = new ScriptControl({
      folder: this.#folder(),
      reloader,
      generations,
      switches: this.#switches,
      activity,
      strikes,
      shadows: this.#shadows,
      clock: this.#clock,
      log,
      changed: () => this.#changed(),
    });
    const entries = new Set(await folder.look());
    if (generations !== undefined) await requireFolder(this.#folder(), await generations.names());
    const names = [...entries].filter((name) => isSinkName(name) && (only?.includes(name) ?? true));
    if (names.length > 0) pool.warmUp();
    await reloader.start(names.toSorted(), entries);
    this.#scripts = reloader.scripts;
    if (watch !== false) await folder.start();
    await generations?.forgetGone((name) => entries.has(name) || this.#switches.has(name));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  grantsChanged(): void {
    this.#parts?.reloader.grantsChanged();
  }

  run(request: RunRequest): Promise<RunAnswer> {
    if (this.#parts !== undefined) return this.#parts.runner.run(request);
    const outcomes = request.calls.map(({ script }) => {
      const fault = {
        kind: "unavailable",
        message: "the sandbox is not started",
        script: script.name,
        version: script.version,
      } as const;
      return { verdict: 0, logs: [], logsDropped: 0, micros: 0, readBody: false, fault } as const;
    });
    return Promise.resolve({ outcomes });
  }

  runShadow(request: RunRequest): Promise<RunAnswer> {
    return this.#shadows.run(request);
  }

  async stop(): Promise<void> {
    await this.#shadows.stop();
    if (this.#parts === undefined) return;
    const { pool, reloader, folder } = this.#parts;
    reloader.stop();
    await folder.stop();
    await pool.stop();
  }

  #runtime(): Promise<Buffer> {
    return (this.#bundled ??= bundleRuntime(RUNTIME_ENTRY));
  }

  async #createPool(strikes: Strikes, log: Logger, kind: "live" | "shadow"): Promise<WorkerPool> {
    const { jitless, wrapper, niceness, killGraceMs, startTimeoutMs, processMemoryMb, wholeContentBytes } =
      this.#settings;
    const { program = defaultProgram(), broker: full } = this.#options;
    const broker = kind === "live" ? this.answers : full && createReadingBroker(full);
    const clock = this.#clock;
    const runtimeBundle = await this.#runtime();
    const maxRssBytes = processMemoryMb * 1024 * 1024;
    const worker = {
      program,
      runtimeBundle,
      clock,
      hardening: { jitless, wrapper },
      killGraceMs,
      startTimeoutMs,
      maxRssBytes,
      niceness,
      wholeContentBytes,
      isRetired: (version: string) => this.#isRetired(version),
      blocking: {
        scriptFolder: this.#folder(),
        drop: (server: string | undefined) => this.#drop(server),
        broker,
        clock,
      },
    };
    return new WorkerPool({
      ...this.#settings,
      processes: kind === "live" ? this.#settings.processes : 1,
      worker,
      clock,
      log,
      isSuspended: (version) => strikes.isSuspended(version),
      counts: this.counts,
    });
  }

  #drop(server: string | undefined): DropFolder | undefined {
    const folder = this.#options.dropFolder?.(server);
    const { maxDropMessages } = this.#settings;
    return folder === undefined ? undefined : { folder, maxMessages: maxDropMessages };
  }

  #createFolder(): ScriptFolder {
    const listener = {
      touched: (path: string) => this.#parts?.reloader.touched(path),
      watchedFiles: () => this.#parts?.reloader.watchedFiles() ?? [],
    };
    const { log } = this.#options;
    const { rescanMs, watch, pollMs } = this.#settings;
    return new ScriptFolder(
      { folder: this.#folder(), rescanMs, watch, pollMs, clock: this.#clock, log },
      listener,
    );
  }

  #createReloader({ pool, folder, strikes, generations, activity, tools }: ReloadParts): ScriptReloader {
    const { log, runsCases = true, grantsOf } = this.#options;
    const { testMs } = this.#settings;
    const clock = this.#clock;
    return new ScriptReloader({
      settings: this.#settings,
      builder: {
        folder: this.#folder(),
        cdoModule: CDO_MODULE,
        tools,
        pool,
        clock,
        runsCases,
        answers: this.answers,
        testMs,
        grantsOf,
      },
      generations,
      switches: this.#switches,
      activity,
      clock,
      log,
      folderExists: () => folder.exists(),
      changed: () => this.#changed(),
      retired: ({ version }) => {
        keepNewest(this.#retired, version, undefined, RETIRED_KEPT);
        pool.retire(version);
        this.#shadows.retire(version);
        strikes.clear(version);
      },
    });
  }

  /** It may have come back since. */
  #isRetired(version: string): boolean {
    if (!this.#retired.has(version)) return false;
    return ![...this.#scripts.values()].some((script) => script.version === version);
  }

  #folder(): string {
    return resolve(this.#options.folder);
  }

  #changed(): void {
    if (this.#parts !== undefined) this.#scripts = this.#parts.reloader.scripts;
    for (const listener of this.#listeners) listener();
  }
}
