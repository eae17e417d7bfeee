// The shape of onarrival.yaml, every key with its description: the file is checked with it, docs/settings.md is made from it.
import { availableParallelism } from "node:os";
import { z } from "zod";
import { isScriptClass } from "../events/binding.ts";
import { EVENTS } from "../events/catalog.ts";
import { dnsSchema } from "./authentication-schema.ts";
import { bindingSchema } from "./binding-schema.ts";
import type { DirectoryFile } from "./directory-file.ts";
import { capabilitySettings } from "./capability-schema.ts";
import { mailMsg } from "./mail-msg-schema.ts";
import { nativeSinks } from "./native-sinks-schema.ts";
import { admin, tracking } from "./observe-schema.ts";
import type { PlaceOf } from "./problems.ts";
import { folderConflicts } from "./server-folders.ts";
import { virtualServerSchema } from "./server-schema.ts";
import { count, isSameAddress, milliseconds, size, restart, live } from "./values.ts";

const MIB = 1024 * 1024;

const store = z.strictObject({
  segmentSize: size(MIB, 1024 * MIB)
    .default(64 * MIB)
    .meta(restart("Size at which a new segment file of the store begins.", { unit: "bytes" })),
  memoryBudget: size(MIB)
    .default(64 * MIB)
    .meta(
      restart(
        "Message bytes kept in memory, those of all virtual servers, of which each has an equal part; beyond it they are read from disk.",
        { unit: "bytes" },
      ),
    ),
  messagesInMemory: count(100, 1_000_000)
    .default(10_000)
    .meta(
      restart(
        "With more messages in a server's queues, those that wait are kept on disk only until they are due.",
        { unit: "messages" },
      ),
    ),
  minFreeBytes: size()
    .default(64 * MIB)
    .meta(restart("Free space below which mail is refused with 452.", { unit: "bytes" })),
  diskSampleMs: milliseconds(10)
    .default(2000)
    .meta(restart("Between looks at the free space.", { unit: "ms" })),
  groupDelayMs: milliseconds(0)
    .default(5)
    .meta(
      restart(
        "Under load, how long a disk barrier waits at most for further messages to share it: half of what barriers take, at most this.",
        { unit: "ms" },
      ),
    ),
  syncIntervalMs: milliseconds(1)
    .default(200)
    .meta(restart("Longest time until a saved state is durable.", { unit: "ms" })),
});

const sandbox = z.strictObject({
  // A default of this machine must not get into the documents: it is filled in after them.
  workers: count(1, 256)
    .optional()
    .transform((workers) => workers ?? Math.max(2, availableParallelism()))
    .meta(restart("Sandbox processes.", { unit: "processes", defaultText: "one per processor, at least 2" })),
  jitless: z
    .boolean()
    .default(false)
    .meta(
      restart(
        "Interpret scripts: V8's compilers of machine code are off in sandbox processes (see security.md).",
      ),
    ),
  wrapper: z
    .array(z.string().min(1))
    .default([])
    .meta(
      restart(
        "Command line put before that of each sandbox process, as [/usr/bin/setpriv, --no-new-privs, …]; it must exec, keeping its process id.",
      ),
    ),
  niceness: count(0, 19)
    .default(10)
    .meta(
      restart(
        "How far the priority of a sandbox process stands below that of the service after its first thousand messages; 0: the same priority. With 10 it gets a tenth of a processor that others want all of, with 19 a seventieth, and the time limits of scripts are by the clock.",
        { unit: "nice" },
      ),
    ),
  killGraceMs: milliseconds(1)
    .default(500)
    .meta(restart("Time beyond a script's own limit before its process is killed.", { unit: "ms" })),
  startTimeoutMs: milliseconds(100)
    .default(10_000)
    .meta(restart("Time in which a sandbox process must have started.", { unit: "ms" })),
  processMemoryMb: count(128)
    .default(1024)
    .meta(restart("Memory of one sandbox process, all scripts together (Linux).", { unit: "MiB" })),
  wholeContentBytes: size()
    .default(MIB)
    .meta(restart("Messages up to this size go whole to scripts that read bodies.", { unit: "bytes" })),
  waitingJobs: count(1, 100_000)
    .default(500)
    .meta(
      restart("Messages in one sandbox process whose scripts wait for capabilities; about 1 MB each.", {
        unit: "messages",
      }),
    ),
  waitingBytes: size(MIB)
    .default(256 * MIB)
    .meta(restart("Bytes of these messages in one sandbox process.", { unit: "bytes" })),
  strikes: count(1, 1000)
    .default(5)
    .meta(
      restart("Time-outs, memory faults and crashes in a row that suspend a script version.", {
        unit: "faults",
      }),
    ),
  probeMs: milliseconds(1)
    .default(60_000)
    .meta(restart("Time until a suspended script version is tried on one message.", { unit: "ms" })),
  shadowRuns: count(1, 1000)
    .default(16)
    .meta(
      restart("Runs of shadow bindings at a time; of further messages they are left out.", { unit: "runs" }),
    ),
  rescanMs: milliseconds(100)
    .default(5000)
    .meta(restart("Between looks at the scripts folder, beside the notices of the system.", { unit: "ms" })),
  ...capabilitySettings,
  maxDropMessages: count(1, 1_000_000)
    .default(10_000)
    .meta(
      restart("Messages of the Drop folder that a script with allow.drop gets at once.", {
        unit: "messages",
      }),
    ),
});

const effects = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .meta(live("Record what sinks did to each message, for `onarrival explain` and shadow bindings.")),
  keepHours: count(1, 87_600)
    .default(168)
    .meta(live("How long the records are kept.", { unit: "hours" })),
  maxSize: size(MIB)
    .default(256 * MIB)
    .meta(live("Size of all records; the oldest go first.", { unit: "bytes" })),
});

const log = z.strictObject({
  level: z
    .enum(["debug", "info", "warn", "error"])
    .default("info")
    .meta(restart("Lines below this level are not written.")),
  format: z.enum(["json", "pretty"]).default("json").meta(restart("JSON lines, or lines for people.")),
});

/** The first index whose key appeared before. */
function duplicates<T>(items: readonly T[], keyOf: (item: T) => string | undefined): number[] {
  const seen = new Set<string>();
  return [...items.entries()].flatMap(([index, item]) => {
    const key = keyOf(item);
    if (key === undefined) return [];
    if (seen.has(key)) return [index];
    seen.add(key);
    return [];
  });
}

type Servers = readonly z.output<typeof virtualServerSchema>[];

/** What a binding cannot have: for its event, for its sink, or beside the rest of the file. */
function checkBindings(
  config: { readonly bindings: readonly CheckedBinding[]; readonly virtualServers: Servers },
  context: z.core.$RefinementCtx,
): void {
  const report = (index: number, key: string, message: string): void =>
    context.addIssue({ code: "custom", path: ["bindings", index, key], message });
  const servers = config.virtualServers.map(({ name }) => name);
  for (const [index, { mode, compareWith, sinkClass, event, server }] of config.bindings.entries()) {
    const isScript = isScriptClass(sinkClass);
    if (isScript && !EVENTS[event].scriptable) report(index, "event", `${event} takes native sinks only`);
    if (mode === "shadow" && !isScript)
      report(
        index,
        "mode",
        "only scripts can run as shadow: nothing keeps a native sink from changing the message",
      );
    if (compareWith !== undefined && mode === "live")
      report(index, "compareWith", "is for bindings with mode: shadow");
    if (server !== undefined && !servers.includes(server))
      report(
        index,
        "server",
        `no virtual server has the name "${server}" (there are: ${servers.join(", ")})`,
      );
  }
  for (const index of duplicates(config.bindings, ({ id }) => id))
    report(index, "id", "is the id of an earlier binding");
}

/** What two virtual servers cannot both have. */
function checkServers(
  { mailroot, virtualServers }: { readonly mailroot: string; readonly virtualServers: Servers },
  context: z.core.$RefinementCtx,
): void {
  const report = (index: number, path: readonly string[], message: string): void =>
    context.addIssue({ code: "custom", path: ["virtualServers", index, ...path], message });
  for (const index of duplicates(virtualServers, ({ name }) => name))
    report(index, ["name"], "is the name of an earlier virtual server");
  for (const index of sameAddress(virtualServers))
    report(index, ["listen"], "has an address of an earlier virtual server that starts with the service");
  const logFolderOf = ({ protocolLog: { enabled, folder } }: Servers[number]): string | undefined =>
    enabled ? folder : undefined;
  for (const index of duplicates(virtualServers, logFolderOf)) {
    const message = "is where an earlier virtual server has its protocol log: each needs a folder of its own";
    report(index, ["protocolLog", "folder"], message);
  }
  for (const { index, why } of folderConflicts({ mailroot, virtualServers }))
    report(index, ["mailroot"], why);
}

/** Those that start with the service on an address that is taken by then. */
function sameAddress(servers: Servers): number[] {
  const taken: string[] = [];
  return [...servers.entries()].flatMap(([index, { listen, autoStart }]) => {
    const own = autoStart ? listen : [];
    const isTaken = own.some((address) => taken.some((other) => isSameAddress(address, other)));
    taken.push(...own);
    return isTaken ? [index] : [];
  });
}

export const configSchema = z
  .strictObject({
    watchConfig: z
      .boolean()
      .default(true)
      .meta(
        live(
          "Take over changes of this file while the service runs, as SIGHUP does; a file with a problem changes nothing.",
        ),
      ),
    mailroot: z
      .string()
      .min(1)
      .default("./mailroot")
      .meta(
        restart(
          "Folder of what the service keeps, and of Pickup, Queue, Drop and Badmail of the first virtual server, relative to this file.",
        ),
      ),
    scripts: z
      .strictObject({
        folder: z
          .string()
          .min(1)
          .default("./scripts")
          .meta(restart("The watched folder of scripts, relative to this file.")),
        watch: z
          .enum(["events", "poll"])
          .default("events")
          .meta(
            restart(
              "poll: on a volume whose changes the system does not tell (some network and shared ones).",
            ),
          ),
        pollMs: milliseconds(50)
          .default(1000)
          .meta(
            restart("Between looks at the folder with `watch: poll`, and when it cannot be watched.", {
              unit: "ms",
            }),
          ),
        testMs: milliseconds(1)
          .default(10_000)
          .meta(restart("Time for all samples and test cases of one script.", { unit: "ms" })),
        logLines: count(1)
          .default(200)
          .meta(
            restart("Log lines and faults kept per script for `onarrival scripts log`.", { unit: "lines" }),
          ),
        logBytes: size()
          .default(32 * 1024)
          .meta(restart("The same in bytes.", { unit: "bytes" })),
        secretsFile: z
          .string()
          .min(1)
          .optional()
          .meta(
            live(
              "File of the secrets that allow.secrets may name, relative to this file: NAME=value lines, or YAML. Not for everybody's eyes. ONARRIVAL_SECRET_<NAME> of the environment wins.",
            ),
          ),
      })
      .prefault({})
      .meta(restart("Where scripts live and how their changes are found.")),
    virtualServers: z
      .array(virtualServerSchema)
      .min(1)
      .prefault([{}])
      .meta(
        live("The SMTP servers of this process; what a running one does not take over is said of its keys."),
      ),
    bindings: z.array(bindingSchema).default([]).meta(live("Which sink is called for which event.")),
    store: store.prefault({}).meta(restart("How accepted mail is kept, in each virtual server.")),
    sandbox: sandbox.prefault({}).meta(restart("The processes that run scripts.")),
    effects: effects
      .prefault({})
      .meta(live("What is recorded of each message in the folder Effects of the mailroot.")),
    dns: dnsSchema.prefault({}).meta(live("Whom look-ups ask, and how long.")),
    mailMsg: mailMsg.prefault({}).meta(restart("What sinks may keep with messages.")),
    nativeSinks: nativeSinks
      .prefault({})
      .meta(restart("How long native sinks may take, and what they may leave open.")),
    log: log.prefault({}).meta(restart("The log, on standard output.")),
    admin: admin.prefault({}).meta(restart("What programs that watch the service may ask.")),
    tracking: tracking.prefault({}).meta(live("The message tracking log.")),
  })
  .superRefine((config, context) => {
    checkBindings(config, context);
    checkServers(config, context);
  });

/** The settings as checked and completed, before load.ts resolves paths. */
export type CheckedConfig = z.output<typeof configSchema>;
export type VirtualServerSettings = z.output<typeof virtualServerSchema>;
export type CheckedBinding = z.output<typeof bindingSchema>;
/** A binding as loaded: it has an id and a name. */
export type BindingSettings = CheckedBinding & { id: string; displayName: string };
export type Config = Omit<CheckedConfig, "bindings"> & {
  bindings: BindingSettings[];
  /** What `categorizer.file` holds, by name of the virtual server. */
  directoryFiles: ReadonlyMap<string, DirectoryFile>;
  /** For problems that show only after the file was read. Without a file it answers the path alone. */
  placeOf: PlaceOf;
};
