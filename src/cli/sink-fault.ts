// Whether the sink of a binding can be loaded before the binding is stored: over one that cannot, a service refuses the file.
import path from "node:path";
import { loadNativeSink, serveOwnPackage } from "../composition/bindings/native-sinks.ts";
import { isModulePath } from "../config/load.ts";
import { OnArrivalError } from "../core/errors.ts";
import { isScriptClass } from "../events/binding.ts";
import type { EventName } from "../events/catalog.ts";
import type { AnyNativeSink } from "../events/sink.ts";

/** `folder`: that of the configuration file, from where paths begin. Scripts are compiled by those who run them. */
export async function sinkFault(
  sinkClass: string,
  event: EventName,
  folder: string,
): Promise<OnArrivalError | undefined> {
  if (isScriptClass(sinkClass)) return undefined;
  try {
    await load(sinkClass, event, folder);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof OnArrivalError) return thrown;
    throw thrown;
  }
}

/** What a native sink says of its own binding; nothing of one that cannot be loaded. */
export async function declaredBinding(
  sinkClass: string,
  event: EventName,
  folder: string,
): Promise<NonNullable<AnyNativeSink["binding"]>> {
  if (isScriptClass(sinkClass)) return {};
  try {
    return (await load(sinkClass, event, folder)).binding ?? {};
  } catch {
    return {};
  }
}

function load(sinkClass: string, event: EventName, folder: string): Promise<AnyNativeSink> {
  serveOwnPackage();
  return loadNativeSink(isModulePath(sinkClass) ? path.resolve(folder, sinkClass) : sinkClass, event);
}
