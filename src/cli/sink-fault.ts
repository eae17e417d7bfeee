// Whether the sink of a binding can be loaded before the binding is stored: over one that cannot, a service refuses the file.
import path from "node:path";
import { loadNativeSink, serveOwnPackage } from "../composition/native-sinks.ts";
import { isModulePath } from "../config/load.ts";
import { OnArrivalError } from "../core/errors.ts";
import { isScriptClass } from "../events/binding.ts";
import type { EventName } from "../events/catalog.ts";

/** `folder`: that of the configuration file, from where paths begin. Scripts are compiled by those who run them. */
export async function sinkFault(
  sinkClass: string,
  event: EventName,
  folder: string,
): Promise<OnArrivalError | undefined> {
  if (isScriptClass(sinkClass)) return undefined;
  serveOwnPackage();
  try {
    await loadNativeSink(isModulePath(sinkClass) ? path.resolve(folder, sinkClass) : sinkClass, event);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof OnArrivalError) return thrown;
    throw thrown;
  }
}
