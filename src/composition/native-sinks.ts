// Loads native sinks: those that come with the service by class name, others as modules by path (docs/sinks.md).
import { statSync } from "node:fs";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { EventName } from "../events/catalog.ts";
import type { AnyNativeSink } from "../events/sink.ts";
import addHeader from "../sinks/add-header.ts";
import { createAuthenticateSink } from "../sinks/authenticate.ts";
import limitRecipients from "../sinks/limit-recipients.ts";

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
  const own = new URL(import.meta.url.endsWith(".ts") ? "../index.ts" : "../index.js", import.meta.url).href;
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
  const exported = await importDefault(sinkClass);
  if (!isSink(exported))
    throw new OnArrivalError(
      "SINK_INVALID",
      `${sinkClass} does not export default defineSink({ event, onEvent })`,
    );
  return ofEvent(exported, sinkClass, event);
}

function ofEvent(sink: AnyNativeSink, sinkClass: string, event: EventName): AnyNativeSink {
  if (sink.event === event) return sink;
  throw new OnArrivalError(
    "SINK_INVALID",
    `${sinkClass} is a sink of ${sink.event}, the binding is for ${event}`,
  );
}

async function importDefault(file: string): Promise<unknown> {
  const url = pathToFileURL(file);
  try {
    url.searchParams.set("changed", String(statSync(file).mtimeMs));
    const module: { default?: unknown } = await import(url.href);
    return module.default;
  } catch (thrown) {
    throw new OnArrivalError("SINK_NOT_FOUND", `${file} cannot be loaded: ${describeError(thrown)}`, {
      cause: thrown,
    });
  }
}

function isSink(value: unknown): value is AnyNativeSink {
  return (
    typeof value === "object" &&
    value !== null &&
    "event" in value &&
    "onEvent" in value &&
    typeof value.onEvent === "function"
  );
}
