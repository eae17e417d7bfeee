// What the scripts of a service may do beyond their message, as the configuration says: the broker, the secrets, the grants.
import path from "node:path";
import type { BindingSettings, Config } from "../../config/schema.ts";
import { loadSecrets } from "../../config/secrets.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { Capabilities } from "../../../runtime/contract.ts";
import { AskedRequests } from "../../sandbox/capabilities/asked-requests.ts";
import { type ServiceBroker, createCapabilityBroker } from "../../sandbox/capabilities/broker.ts";
import type { ScriptHostOptions } from "../../sandbox/script-host.ts";
import type { BindingGrant } from "../../sandbox/versions/script-needs.ts";
import { Secrets } from "../../sandbox/capabilities/secrets.ts";
import { definedOf, scriptNameOf } from "../bindings/bindings.ts";
import { userAgent } from "../product.ts";

/** A secret that a binding grants and nobody defined. */
export interface MissingSecret {
  readonly script: string;
  readonly binding: string;
  readonly secret: string;
}

export class ServiceCapabilities {
  readonly #broker: ServiceBroker;
  /** The broker, and what it was asked for. */
  readonly asked: AskedRequests;
  readonly secrets: Secrets;
  readonly #log: Logger;
  #bindings: readonly BindingSettings[];

  private constructor(config: Config, secrets: Secrets, clock: Clock, log: Logger) {
    this.#broker = createCapabilityBroker({
      settings: brokerSettings(config),
      kvFolder: path.join(config.mailroot, "Scripts", "kv"),
      clock,
      log,
      userAgent: userAgent(),
    });
    this.asked = new AskedRequests(this.#broker, (text) => secrets.redact(text));
    this.secrets = secrets;
    this.#log = log;
    this.#bindings = config.bindings;
    this.#warn();
  }

  /** Throws SECRETS_UNUSABLE. */
  static async open(config: Config, log: Logger, clock: Clock): Promise<ServiceCapabilities> {
    return new ServiceCapabilities(config, new Secrets(await secretsOf(config)), clock, log);
  }

  /** For the script host. */
  get hostOptions(): Pick<ScriptHostOptions, "broker" | "secrets" | "grantsOf"> {
    return {
      broker: this.asked,
      secrets: this.secrets,
      grantsOf: (script) => grantsOf(this.#bindings, script),
    };
  }

  /** Reads what a new configuration names, which may fail; the answer puts it in place, which may not. */
  async prepare(config: Config): Promise<() => void> {
    const values = await secretsOf(config);
    return () => {
      this.secrets.replace(values);
      this.#bindings = config.bindings;
      this.#warn();
    };
  }

  missingSecrets(): MissingSecret[] {
    return this.#bindings.flatMap((settings) =>
      (settings.allow?.secrets ?? [])
        .filter((secret) => !this.secrets.has(secret))
        .map((secret) => ({ script: scriptNameOf(settings), binding: settings.displayName, secret })),
    );
  }

  close(): Promise<void> {
    return this.#broker.close();
  }

  #warn(): void {
    for (const { script, binding, secret } of this.missingSecrets())
      this.#log.warn(
        // The log leaves out what stands under "secret".
        { script, binding, name: secret },
        "a binding grants a secret that is not defined: set ONARRIVAL_SECRET_<name> or name it in scripts.secretsFile",
      );
  }
}

const secretsOf = (config: Config): Promise<Map<string, string>> =>
  loadSecrets(config.scripts.secretsFile, process.env);

/** What the bindings of a script in the configuration grant. */
function grantsOf(bindings: readonly BindingSettings[], script: string): BindingGrant[] {
  return bindings
    .filter((settings) => scriptNameOf(settings) === script)
    .map(({ displayName, allow }) => ({ binding: displayName, allow: allowOf(allow) }));
}

const allowOf = (allow: BindingSettings["allow"]): Capabilities => definedOf(allow ?? {});

export function brokerSettings({
  sandbox,
}: Pick<Config, "sandbox">): Parameters<typeof createCapabilityBroker>[0]["settings"] {
  return {
    fetch: {
      maxResponseBytes: sandbox.fetchMaxResponseBytes,
      maxHeaderBytes: sandbox.fetchMaxHeaderBytes,
      timeoutMs: sandbox.fetchTimeoutMs,
      maxRedirects: sandbox.fetchMaxRedirects,
      maxConcurrent: sandbox.fetchMaxConcurrent,
      maxConcurrentPerScript: sandbox.fetchMaxConcurrentPerScript,
      privateNetworks: sandbox.fetchPrivateNetworks,
    },
    kv: {
      maxKeys: sandbox.kvMaxKeys,
      maxValueBytes: sandbox.kvMaxValueBytes,
      maxTotalBytes: sandbox.kvMaxTotalBytes,
    },
    dns: {
      timeoutMs: sandbox.dnsTimeoutMs,
      maxRecords: sandbox.dnsMaxRecords,
      maxConcurrent: sandbox.dnsMaxConcurrent,
    },
  };
}
