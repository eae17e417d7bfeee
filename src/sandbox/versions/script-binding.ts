// Checks what a script exports as `binding`. It came out of an isolate: nothing in it is taken on trust.
import { LOWEST_PRIORITY, type OnError } from "../../events/binding.ts";
import { DEFAULT_SCRIPT_LIMITS, type ScriptLimits } from "../../../runtime/contract.ts";

/** How a script asks to be bound; the entry of the same ScriptName in the configuration overrides it. */
export interface ScriptBinding {
  readonly displayName?: string;
  readonly rule?: string;
  /** 0 first … 32767 last. */
  readonly priority?: number;
  readonly enabled?: boolean;
  readonly onError?: OnError;
  readonly cacheable?: boolean;
  readonly mode?: "live" | "shadow";
  /** Of a shadow: display name or file name of the live script that it is compared with. */
  readonly compareWith?: string;
  readonly limits?: Partial<ScriptLimits>;
  readonly sinkProperties?: Readonly<Record<string, unknown>>;
}

export type BindingCheck =
  | { readonly kind: "valid"; readonly binding: ScriptBinding }
  | { readonly kind: "invalid"; readonly problem: string };

const MAX_TEXT = 4096;

/** What a script may ask for itself at most; the operator's configuration is not bound by it. */
const LIMIT_CEILINGS: Required<ScriptLimits> = {
  timeoutMs: 60_000,
  cpuMs: 60_000,
  memoryMb: 512,
  externalMb: 512,
  logLines: 10_000,
  logBytes: 1024 * 1024,
  hostCalls: 10_000_000,
  growthBytes: DEFAULT_SCRIPT_LIMITS.growthBytes,
  changes: 1_000_000,
  recipientsAdded: 10_000,
  messages: 1000,
  copiedBytes: 1024 * 1024 * 1024,
  requests: 10_000,
  requestBytes: DEFAULT_SCRIPT_LIMITS.requestBytes,
  sentMessages: 100,
  sendHops: DEFAULT_SCRIPT_LIMITS.sendHops,
};
const LIMIT_FLOORS: ReadonlyMap<string, number> = new Map([
  ["timeoutMs", 1],
  // V8 refuses to make a smaller isolate.
  ["memoryMb", 8],
  ["externalMb", 1],
]);

/** Answers what is wrong with the value, or undefined. */
type Check = (value: unknown) => string | undefined;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const text: Check = (value) =>
  typeof value === "string" && value.length <= MAX_TEXT ? undefined : "must be a string";
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "must be true or false");

const CHECKS: Readonly<Record<keyof ScriptBinding, Check>> = {
  displayName: text,
  rule: text,
  priority: (value) =>
    isWithin(value, 0, LOWEST_PRIORITY) ? undefined : `must be a whole number from 0 to ${LOWEST_PRIORITY}`,
  enabled: flag,
  onError: (value) =>
    value === "hold" || value === "continue" || value === "badmail"
      ? undefined
      : 'must be "hold", "continue" or "badmail"',
  cacheable: flag,
  mode: (value) => (value === "live" || value === "shadow" ? undefined : 'must be "live" or "shadow"'),
  compareWith: text,
  limits: checkLimits,
  sinkProperties: (value) => (isObject(value) ? undefined : "must be an object"),
};

function isWithin(value: unknown, low: number, high: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= low && value <= high;
}

function checkLimits(value: unknown): string | undefined {
  if (!isObject(value)) return "must be an object";
  for (const [name, limit] of Object.entries(value)) {
    if (!Object.hasOwn(LIMIT_CEILINGS, name)) return `has the unknown key "${name}"`;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an own key, as checked
    const high = LIMIT_CEILINGS[name as keyof ScriptLimits];
    const low = LIMIT_FLOORS.get(name) ?? 0;
    if (!isWithin(limit, low, high)) return `: ${name} must be a whole number from ${low} to ${high}`;
  }
  return undefined;
}

export function checkBinding(exported: unknown): BindingCheck {
  if (exported === undefined) return { kind: "valid", binding: {} };
  if (!isObject(exported)) return { kind: "invalid", problem: "binding must be an object" };
  for (const [name, value] of Object.entries(exported)) {
    if (name === "allow")
      return {
        kind: "invalid",
        problem: "binding.allow: capabilities are granted in the configuration file, not by the script",
      };
    if (!Object.hasOwn(CHECKS, name))
      return {
        kind: "invalid",
        problem: `binding has the unknown key "${name}" (known: ${Object.keys(CHECKS).join(", ")})`,
      };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an own key, as checked
    const problem = CHECKS[name as keyof ScriptBinding](value);
    if (problem !== undefined) return { kind: "invalid", problem: `binding.${name} ${problem}` };
  }
  return { kind: "valid", binding: exported };
}
