// Scripts in the shipped configuration: a folder, the compiler, the pool and real sandbox processes, nothing else.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../../src/core/logger.ts";
import { Content } from "../../../src/message/content.ts";
import {
  createScriptHost,
  type RunAnswer,
  type RunRequest,
  type ScriptHost,
  type ScriptOutcome,
} from "../../../src/sandbox/script-host.ts";
import type { SandboxSettings } from "../../../src/sandbox/sandbox-settings.ts";
import { DEFAULT_SCRIPT_LIMITS, type ScriptLimits } from "../../../runtime/contract.ts";
import { compiledProgram } from "../../support/compiled.ts";

export const MESSAGE = [
  "From: Ann <ann@example.com>",
  "To: Bob <bob@example.net>",
  "Subject: wall",
  "MIME-Version: 1.0",
  "Content-Type: text/plain; charset=utf-8",
  "",
  "Hello.",
  "",
].join("\r\n");

export interface WallOptions {
  readonly limits?: Partial<ScriptLimits>;
  readonly message?: string;
  readonly cacheable?: boolean;
  readonly continueOnFault?: boolean;
}

/** A plain script whose entry point has the given body. */
export const scriptOf = (body: string): string => `function onArrival(msg, status, event) {\n${body}\n}`;

export class Wall {
  readonly host: ScriptHost;
  readonly #folder: string;
  readonly #limits: Partial<ScriptLimits>;

  private constructor(host: ScriptHost, folder: string, limits: Partial<ScriptLimits>) {
    this.host = host;
    this.#folder = folder;
    this.#limits = limits;
  }

  /** `scripts`: the body of onArrival by name, or a whole script when it brings an onArrival of its own. */
  static async start(
    scripts: Readonly<Record<string, string>>,
    limits: Partial<ScriptLimits> = {},
    settings: Partial<SandboxSettings> = {},
  ): Promise<Wall> {
    const folder = await mkdtemp(join(tmpdir(), "wall-"));
    for (const [name, source] of Object.entries(scripts))
      await writeFile(join(folder, `${name}.js`), source.includes("onArrival") ? source : scriptOf(source));
    // Nothing is suspended here: each case is to show what it does by itself.
    const common = { processes: 1, strikes: 1000, killGraceMs: 1000 };
    const host = createScriptHost({
      folder,
      log: silentLogger,
      watch: false,
      program: await compiledProgram(),
      settings: { ...common, ...settings },
    });
    await host.start();
    return new Wall(host, folder, limits);
  }

  call(name: string, options: WallOptions = {}): RunRequest["calls"][number] {
    const script = this.host.scripts.get(`${name}.js`);
    if (script === undefined) throw new Error(`${name}: ${this.host.broken.get(`${name}.js`)}`);
    return {
      script,
      bindingName: name,
      sinkProperties: {},
      limits: { ...DEFAULT_SCRIPT_LIMITS, ...this.#limits, ...options.limits },
      allow: {},
      cacheable: options.cacheable ?? true,
      continueOnFault: options.continueOnFault ?? false,
    };
  }

  runAll(names: readonly string[], options: WallOptions = {}): Promise<RunAnswer> {
    return this.host.run({
      messageId: "m",
      content: Content.fromBuffer(Buffer.from(options.message ?? MESSAGE)),
      envelope: {
        sender: "ann@example.com",
        recipients: ["bob@example.net"],
        arrivalTime: 0,
        clientAddress: "192.0.2.1",
        pickupFileName: "",
        status: 0,
      },
      calls: names.map((name) => this.call(name, options)),
    });
  }

  async run(name: string, options: WallOptions = {}): Promise<ScriptOutcome> {
    const { outcomes } = await this.runAll([name], options);
    const [outcome] = outcomes;
    if (outcome === undefined) throw new Error(`${name}: no outcome`);
    return outcome;
  }

  /** What the script logs; a fault fails the test. */
  async logged(name: string, options: WallOptions = {}): Promise<readonly string[]> {
    const { fault, logs } = await this.run(name, options);
    if (fault !== undefined) throw new Error(`${fault.kind}: ${fault.message}`);
    return logs.map(({ text }) => text);
  }

  async stop(): Promise<void> {
    await this.host.stop();
    await rm(this.#folder, { recursive: true });
  }
}
