// Loads native sinks: those that come with the service by class name, others as modules by path (docs/sinks.md).
import { realpathSync, statSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import { LOWEST_PRIORITY } from "../../events/binding.ts";
import { type EventName, findEvent } from "../../events/catalog.ts";
import type { AnyNativeSink } from "../../events/sink.ts";
import addHeader from "../../sinks/add-header.ts";
import { createAuthenticateSink } from "../../sinks/authenticate.ts";
import limitRecipients from "../../sinks/limit-recipients.ts";

/** Reloads wait for it, and a stop for the reload. */
const LOAD_DEADLINE_MS = 10_000;

/** Of each file: for one URL Node would answer a failed load with that failure ever after. */
const failures = new Map<string, number>();

export const AUTHENTICATE_CLASS = "onarrival.authenticate";

const BUILT_IN: Readonly<Record<string, AnyNativeSink>> = {
  "onarrival.addheader": addHeader,
  // For commands that look at bindings and submit no mail; the service has one that can verify.
  [AUTHENTICATE_CLASS]: createAuthenticateSink({
    verify: () => Promise.reject(new OnArrivalError("INTERNAL", "no service runs that could verify")),
    hostNameOf: (server) => server,
  }),
  "onarrival.limitrecipients": limitRecipients,
};

/** `import … from "onarrival"` in a sink that lies anywhere means this very program. */
export function serveOwnPackage(): void {
  const own = new URL(import.meta.url.endsWith(".ts") ? "../../index.ts" : "../../index.js", import.meta.url)
    .href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "onarrival" ? { url: own, shortCircuit: true } : next(specifier, context),
  });
}

/** Whether `sinkClass` names a sink that comes with the service. */
export const isBuiltIn = (sinkClass: string): boolean => Object.hasOwn(BUILT_IN, sinkClass.toLowerCase());

/**
 * The sink of a class name or absolute module path. A module that changed on disk is loaded anew. `own`: those that the
 * service made, by class name in lower case.
 */
export async function loadNativeSink(
  sinkClass: string,
  event: EventName,
  own: Readonly<Record<string, AnyNativeSink>> = {},
  deadlineMs = LOAD_DEADLINE_MS,
): Promise<AnyNativeSink> {
  const className = sinkClass.toLowerCase();
  const builtIn = own[className] ?? BUILT_IN[className];
  if (builtIn !== undefined) return ofEvent(builtIn, sinkClass, event);
  if (!/[/\\]/.test(sinkClass)) {
    throw new OnArrivalError(
      "SINK_NOT_FOUND",
      `sinkClass ${sinkClass} is no known class and no path of a module`,
    );
  }
  const exported = await importDefault(sinkClass, deadlineMs);
  if (!isSink(exported))
    throw new OnArrivalError(
      "SINK_INVALID",
      `${sinkClass} does not export default defineSink({ event, onEvent })`,
    );
  requireBinding(exported, sinkClass);
  return ofEvent(exported, sinkClass, event);
}

function ofEvent(sink: AnyNativeSink, sinkClass: string, event: EventName): AnyNativeSink {
  if (findEvent(sink.event) === event) return sink;
  throw new OnArrivalError(
    "SINK_INVALID",
    `${sinkClass} is a sink of ${sink.event}, the binding is for ${event}`,
  );
}

/** What the module says of its binding is held against the same bounds as what the configuration says. */
function requireBinding({ binding }: AnyNativeSink, sinkClass: string): void {
  const { rule, priority } = binding ?? {};
  if (rule !== undefined && typeof rule !== "string")
    throw new OnArrivalError("SINK_INVALID", `${sinkClass}: binding.rule has to be a text`);
  if (priority !== undefined && !isPriority(priority))
    throw new OnArrivalError(
      "SINK_INVALID",
      `${sinkClass}: binding.priority has to be 0 to ${LOWEST_PRIORITY}`,
    );
}

const isPriority = (value: unknown): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= LOWEST_PRIORITY;

async function importDefault(file: string, deadlineMs: number): Promise<unknown> {
  const url = pathToFileURL(file);
  const late = Promise.withResolvers<never>();
  // Keeps the process alive: a command that waits for nothing else would end without a word.
  const timer = setTimeout(() => {
    late.reject(new Error(`not loaded within ${deadlineMs} ms: what its top level awaits has not come`));
  }, deadlineMs);
  try {
    // Whole before any sink: CommonJS cannot require a module that another sink is about to load.
    await import("../../index.ts");
    url.searchParams.set("changed", String(statSync(file).mtimeMs));
    // Of CommonJS Node keeps one module of a file, whatever the URL says.
    delete createRequire(import.meta.url).cache[realpathSync(file)];
    url.searchParams.set("try", String(failures.get(file) ?? 0));
    const module: { default?: unknown } = await Promise.race([import(url.href), late.promise]);
    return module.default;
  } catch (thrown) {
    failures.set(file, (failures.get(file) ?? 0) + 1);
    throw new OnArrivalError("SINK_NOT_FOUND", `${file} cannot be loaded: ${describeError(thrown)}`, {
      cause: thrown,
    });
  } finally {
    clearTimeout(timer);
  }
}

function isSink(value: unknown): value is AnyNativeSink {
  return (
    typeof value === "object" &&
    value !== null &&
    "event" in value &&
    typeof value.event === "string" &&
    "onEvent" in value &&
    typeof value.onEvent === "function"
  );
}
