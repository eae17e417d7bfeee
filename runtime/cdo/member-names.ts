// Member names as COM resolved them: without regard to case. The exact spelling never meets the Proxy made here, because
// it sits behind the prototype and is asked only for names that neither the object nor its prototype has.
import { CdoError } from "./errors.ts";

/** The bundler puts an underscore before the name of a class that mentions itself. */
const labelOf = (type: { readonly name: string }): string => type.name.replace(/^_/, "");

/** Makes the members of a class reachable in any case, refuses assignments to unknown ones, and freezes the class. */
export function resolveAnyCase(type: { readonly prototype: object; readonly name: string }): void {
  const { prototype } = type;
  const label = labelOf(type);
  const exactNames = new Map<string, string>();
  for (
    let at: object | null = prototype;
    at !== null && at !== Object.prototype;
    at = Reflect.getPrototypeOf(at)
  ) {
    refuseSilentWrites(at);
    for (const name of Object.getOwnPropertyNames(at)) exactNames.set(name.toLowerCase(), name);
  }
  const exact = (key: PropertyKey): string | undefined => {
    const name = typeof key === "string" ? exactNames.get(key.toLowerCase()) : undefined;
    return name === key ? undefined : name;
  };
  const parent = Reflect.getPrototypeOf(prototype) ?? Object.prototype;
  const fallback = new Proxy(Object.freeze(Object.setPrototypeOf({}, parent)), {
    get(target, key, receiver): unknown {
      const name = exact(key);
      return name === undefined ? Reflect.get(target, key, receiver) : Reflect.get(prototype, name, receiver);
    },
    has(target, key): boolean {
      return exact(key) !== undefined || Reflect.has(target, key);
    },
    set(_target, key, value, receiver): boolean {
      const name = exact(key);
      // In its exact spelling it gets here when a class above has it.
      if (typeof key === "string" && exactNames.get(key.toLowerCase()) === key)
        return Reflect.set(parent, key, value, receiver);
      if (name === undefined) throw new CdoError("CDO_E_PROP_UNSUPPORTED", `${label}.${String(key)}`);
      return Reflect.set(prototype, name, value, receiver);
    },
  });
  Object.setPrototypeOf(prototype, fallback);
  Object.freeze(prototype);
  Object.freeze(type);
}

/** Without strict mode an assignment to a getter is lost without a word. */
function refuseSilentWrites(prototype: object): void {
  if (Object.isFrozen(prototype)) return;
  const label = labelOf(prototype.constructor).replace(/Base$/, "");
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (descriptor.get === undefined || descriptor.set !== undefined) continue;
    const refuse = (): void => {
      refuseWrite(`${label}.${name}`);
    };
    Object.defineProperty(prototype, name, { ...descriptor, set: refuse });
  }
}

/** Members of the original that OnArrival does not serve (yet): calling them says so by name. */
export function defineUnavailable(
  type: { readonly prototype: object; readonly name: string },
  members: readonly string[],
): void {
  for (const member of members) {
    const refuse = (): never => {
      throw new CdoError("CDO_E_NOT_AVAILABLE", `${labelOf(type)}.${member}`);
    };
    Object.defineProperty(type.prototype, member, { value: Object.freeze(refuse), configurable: true });
  }
}

/** A setter for a property that can only be read. */
export function refuseWrite(member: string): never {
  throw new CdoError("CDO_E_PROP_READONLY", member);
}

/**
 * What a script assigned to `name`, as text. Called once per assignment: an object whose toString changes its mind is asked no
 * second time, and nothing but its text goes on. Of objects without a text of their own nobody wants "[object Object]" in mail.
 */
export function toText(value: unknown, name = "the value"): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  // oxlint-disable-next-line typescript/no-base-to-string -- what the script's object says of itself is what it gets
  const text = typeof value === "function" || typeof value === "symbol" ? "[object" : String(value);
  if (!text.startsWith("[object")) return text;
  const forgotten = value instanceof Promise ? " (a promise: await it)" : "";
  throw new CdoError("CDO_E_NO_SUPPORT_FOR_OBJECTS", `${name}${forgotten}`);
}

/** The setter of a property, to be looked for on the stack. */
export function setterOf(type: { readonly prototype: object }, property: string): (value: unknown) => void {
  // oxlint-disable-next-line typescript/unbound-method -- it is compared with what is on the stack, never called
  const setter = Object.getOwnPropertyDescriptor(type.prototype, property)?.set;
  if (setter === undefined) throw new TypeError(`${property} has no setter`);
  return setter;
}
