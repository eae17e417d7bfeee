// What a script that is only tried may do: what its binding would lay down, with a key-value store that is gone afterwards, in the sandbox as it is configured.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Config } from "../../config/schema.ts";
import { systemClock } from "../../core/clock.ts";
import { silentLogger } from "../../core/logger.ts";
import type { Capabilities, ScriptLimits } from "../../../runtime/contract.ts";
import type { ScriptHostOptions } from "../../sandbox/script-host.ts";
import { definedOf, scriptNameOf } from "../bindings/bindings.ts";
import { scriptHostSettings } from "./script-host-settings.ts";
import { ServiceCapabilities } from "./service-capabilities.ts";

export interface TrialCapabilities extends AsyncDisposable {
  readonly hostOptions: Pick<ScriptHostOptions, "broker" | "secrets" | "settings">;
}

/** The store of the running service stays untouched: one that was tried on must not remember it. */
export async function openTrialCapabilities(config: Config): Promise<TrialCapabilities> {
  const folder = await mkdtemp(path.join(tmpdir(), "onarrival-run-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const capabilities = await ServiceCapabilities.open(
      { ...config, mailroot: folder },
      silentLogger,
      systemClock,
    );
    const { broker, secrets } = capabilities.hostOptions;
    return {
      hostOptions: { broker, secrets, settings: scriptHostSettings(config) },
      async [Symbol.asyncDispose]() {
        await capabilities.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What a binding lays down for the calls of its script. */
export interface TrialTerms {
  readonly allow: Capabilities;
  readonly limits: Partial<ScriptLimits>;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly cacheable: boolean | undefined;
}

/** Those of the first binding of the script in the configuration, and what is granted beside it. */
export function trialTerms(config: Config, script: string, beside: Capabilities): TrialTerms {
  const settings = config.bindings.find((one) => scriptNameOf(one) === path.basename(script));
  const { sinkProperties: properties = {}, limits = {}, cacheable } = settings ?? {};
  const granted: Capabilities = definedOf(settings?.allow ?? {});
  const joined = (name: "fetch" | "secrets" | "read"): readonly string[] => [
    ...(granted[name] ?? []),
    ...(beside[name] ?? []),
  ];
  const allow = {
    ...granted,
    send: granted.send === true || beside.send === true,
    kv: granted.kv === true || beside.kv === true,
    dns: granted.dns === true || beside.dns === true,
    fetch: joined("fetch"),
    secrets: joined("secrets"),
    read: joined("read"),
  };
  return { allow, limits: definedOf(limits), properties, cacheable };
}
