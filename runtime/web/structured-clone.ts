// structuredClone for the values that scripts hold: plain objects, arrays, Map, Set, Date, RegExp, Error, buffers.
/* oxlint-disable typescript/no-unsafe-type-assertion -- values of a script have no type */

export function structuredClone(value: unknown): unknown {
  return clone(value, new Map());
}

function clone(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === "function" || typeof value === "symbol")
    throw new TypeError(`structuredClone: a ${typeof value} cannot be cloned`);
  if (typeof value !== "object" || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  const leaf = cloneLeaf(value);
  if (leaf !== undefined) {
    seen.set(value, leaf);
    return leaf;
  }
  if (Array.isArray(value)) return cloneArray(value, seen);
  if (value instanceof Map) return cloneMap(value, seen);
  if (value instanceof Set) return cloneSet(value, seen);
  const copy: Record<string, unknown> = {};
  seen.set(value, copy);
  for (const key of Object.keys(value)) {
    Object.defineProperty(copy, key, {
      value: clone((value as Record<string, unknown>)[key], seen),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return copy;
}

function cloneLeaf(value: object): object | undefined {
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof RegExp) return new RegExp(value.source, value.flags);
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (value instanceof DataView)
    return new DataView(value.buffer.slice(0), value.byteOffset, value.byteLength);
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).slice();
  if (value instanceof Error) return Object.assign(new Error(value.message), { name: value.name });
  return undefined;
}

function cloneArray(value: readonly unknown[], seen: Map<object, unknown>): unknown[] {
  const copy: unknown[] = [];
  seen.set(value, copy);
  for (const item of value) copy.push(clone(item, seen));
  return copy;
}

function cloneMap(value: ReadonlyMap<unknown, unknown>, seen: Map<object, unknown>): Map<unknown, unknown> {
  const copy = new Map<unknown, unknown>();
  seen.set(value, copy);
  for (const [key, item] of value) copy.set(clone(key, seen), clone(item, seen));
  return copy;
}

function cloneSet(value: ReadonlySet<unknown>, seen: Map<object, unknown>): Set<unknown> {
  const copy = new Set<unknown>();
  seen.set(value, copy);
  for (const item of value) copy.add(clone(item, seen));
  return copy;
}
