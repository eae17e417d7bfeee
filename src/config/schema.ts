// The shape of onarrival.yaml, every key with its description: the file is checked with it, docs/settings.md is made from it.
import { z } from "zod";
import { bindingSchema } from "./binding-schema.ts";
import { virtualServerSchema } from "./server-schema.ts";
import { count, milliseconds, size, type SettingMeta } from "./values.ts";

const restart = (description: string, more: Partial<SettingMeta> = {}): SettingMeta => ({
  description,
  applies: "restart",
  ...more,
});
const live = (description: string, more: Partial<SettingMeta> = {}): SettingMeta => ({
  description,
  applies: "live",
  ...more,
});

const MIB = 1024 * 1024;

const store = z.strictObject({
  segmentSize: size(MIB, 1024 * MIB)
    .default(64 * MIB)
    .meta(restart("Size at which a new segment file of the store begins.", { unit: "bytes" })),
  memoryBudget: size(MIB)
    .default(64 * MIB)
    .meta(restart("Message bytes kept in memory; beyond it they are read from disk.", { unit: "bytes" })),
  minFreeBytes: size()
    .default(64 * MIB)
    .meta(restart("Free space below which mail is refused with 452.", { unit: "bytes" })),
  diskSampleMs: milliseconds(10)
    .default(2000)
    .meta(restart("Between looks at the free space.", { unit: "ms" })),
  syncIntervalMs: milliseconds(1)
    .default(200)
    .meta(restart("Longest time until a saved state is durable.", { unit: "ms" })),
});

const sandbox = z.strictObject({
  workers: count(1, 256)
    .default(2)
    .meta(restart("Sandbox processes.", { unit: "processes" })),
  killGraceMs: milliseconds(1)
    .default(500)
    .meta(restart("Time beyond a script's own limit before its process is killed.", { unit: "ms" })),
  strikes: count(1, 1000)
    .default(3)
    .meta(
      restart("Faults in a row that end a process before a script version is suspended.", { unit: "faults" }),
    ),
  probeMs: milliseconds(1)
    .default(30_000)
    .meta(restart("Time until a suspended script version is tried on one message.", { unit: "ms" })),
  recycleUses: count(1)
    .default(100_000)
    .meta(restart("Messages before a script's isolate is replaced.", { unit: "messages" })),
  recycleAgeMs: milliseconds(1000)
    .default(3_600_000)
    .meta(restart("Age at which a script's isolate is replaced.", { unit: "ms" })),
  recycleHeapPercent: count(10, 100)
    .default(75)
    .meta(restart("Share of its heap limit at which an isolate is replaced.", { unit: "%" })),
  jitless: z
    .boolean()
    .default(false)
    .meta(restart("Run scripts without the JIT compiler: slower, smaller attack surface.")),
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

export const configSchema = z
  .strictObject({
    mailroot: z
      .string()
      .min(1)
      .default("./mailroot")
      .meta(restart("Folder of Pickup, Queue, Drop and Badmail, relative to this file.")),
    scripts: z
      .strictObject({
        folder: z
          .string()
          .min(1)
          .default("./scripts")
          .meta(restart("The watched folder of scripts, relative to this file.")),
      })
      .prefault({})
      .meta(restart("Where scripts live.")),
    virtualServers: z
      .array(virtualServerSchema)
      .min(1)
      .prefault([{}])
      .meta(restart("SMTP services of this process.")),
    bindings: z.array(bindingSchema).default([]).meta(live("Which sink is called for which event.")),
    store: store.prefault({}).meta(restart("How accepted mail is kept.")),
    sandbox: sandbox.prefault({}).meta(restart("The processes that run scripts.")),
    log: log.prefault({}).meta(restart("The log, on standard output.")),
  })
  .superRefine((config, context) => {
    for (const index of duplicates(config.virtualServers, (server) => server.name)) {
      context.addIssue({
        code: "custom",
        path: ["virtualServers", index, "name"],
        message: "is the name of an earlier virtual server",
      });
    }
    for (const index of duplicates(config.bindings, (binding) => binding.id)) {
      context.addIssue({
        code: "custom",
        path: ["bindings", index, "id"],
        message: "is the id of an earlier binding",
      });
    }
  });

/** The settings as checked and completed, before load.ts resolves paths. */
export type CheckedConfig = z.output<typeof configSchema>;
export type VirtualServerSettings = z.output<typeof virtualServerSchema>;
export type CheckedBinding = z.output<typeof bindingSchema>;
/** A binding as loaded: it has an id and a name. */
export type BindingSettings = CheckedBinding & { id: string; displayName: string };
export type Config = Omit<CheckedConfig, "bindings"> & { bindings: BindingSettings[] };
