// Which capabilities a script names while it is being loaded: those that it imports, and secrets that it reads at its top level.
/* oxlint-disable typescript/unbound-method -- taken apart on purpose */
import type { CapabilityName } from "./web/capabilities.ts";
import type { HostFunction } from "./host.ts";

/** What the module "cdo" calls (cdo-module.ts). */
const NEED_GLOBAL = "__onarrivalNeed";
const MAX_NEEDS = 100;

const { apply, defineProperty, deleteProperty } = Reflect;
const stringSlice = String.prototype.slice;
const arrayJoin = Array.prototype.join;
const arrayIncludes = Array.prototype.includes;
const arrayPush = Array.prototype.push;
const toStringOf = String;

export class CapabilityNeeds {
  readonly #host: HostFunction;
  #named: string[] | undefined;

  constructor(host: HostFunction) {
    this.#host = host;
  }

  begin(capabilities: Readonly<Record<CapabilityName, unknown>>): void {
    this.#named = [];
    const value = (name: CapabilityName): unknown => {
      if (name !== "secret") this.#add(name);
      return capabilities[name];
    };
    defineProperty(globalThis, NEED_GLOBAL, { value, configurable: true });
  }

  /** A line each. */
  end(): string {
    deleteProperty(globalThis, NEED_GLOBAL);
    const named = this.#named ?? [];
    this.#named = undefined;
    return apply(arrayJoin, named, ["\n"]);
  }

  /** The secret of the call that the script is loaded for; undefined when it is not being loaded. */
  secret(name: string): string | undefined {
    if (this.#named === undefined) return undefined;
    // "=" and the value, or "!" and why there is none.
    const told = toStringOf(this.#host("secretAtLoad", name));
    const rest = apply(stringSlice, told, [1]);
    if (told[0] !== "=") throw new Error(rest);
    this.#add(`secret ${name}`);
    return rest;
  }

  #add(capability: string): void {
    const named = this.#named;
    if (named === undefined || named.length >= MAX_NEEDS) return;
    if (!apply(arrayIncludes, named, [capability])) apply(arrayPush, named, [capability]);
  }
}
