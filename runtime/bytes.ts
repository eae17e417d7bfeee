// Byte arrays that a script cannot get hold of: made, filled and copied by functions taken before it ran.
/* oxlint-disable typescript/unbound-method, typescript/no-unsafe-type-assertion -- taken apart on purpose */

const { apply } = Reflect;
const Bytes = Uint8Array;
const Buffers = ArrayBuffer;
const typedArray = Reflect.getPrototypeOf(Uint8Array.prototype) as Uint8Array;
const setBytes = typedArray.set;
const fillBytes = typedArray.fill;
const getter = (owner: object, name: string): ((this: unknown) => unknown) =>
  Object.getOwnPropertyDescriptor(owner, name)?.get ?? ((): unknown => undefined);
const lengthGetter = getter(typedArray, "length");
const bufferGetter = getter(typedArray, "buffer");

export const createBytes = (length: number): Uint8Array<ArrayBuffer> => new Bytes(length);

export const lengthOf = (bytes: Uint8Array): number => apply(lengthGetter, bytes, []) as number;

export function putBytes(target: Uint8Array, source: Uint8Array, at: number): void {
  apply(setBytes, target, [source, at]);
}

export function clearBytes(target: Uint8Array, start: number, end: number): void {
  apply(fillBytes, target, [0, start, end]);
}

/** A buffer of exactly the range: what leaves the isolate is neither resizable nor more than what was meant. */
export function copyRange(
  bytes: Uint8Array<ArrayBuffer>,
  start: number,
  end: number,
): Uint8Array<ArrayBuffer> {
  const copy = new Bytes(end - start);
  putBytes(copy, new Bytes(bufferOf(bytes), start, end - start), 0);
  return copy;
}

export const bufferOf = (bytes: Uint8Array<ArrayBuffer>): ArrayBuffer =>
  apply(bufferGetter, bytes, []) as ArrayBuffer;

/** Over the whole of a buffer that came from the host. */
export const bytesOver = (buffer: ArrayBuffer): Uint8Array<ArrayBuffer> => new Bytes(buffer);

/** A copy of what a script gave as bytes; undefined when it is none, or longer than it may be. */
export function bytesFrom(value: unknown, maxLength: number): Uint8Array<ArrayBuffer> | undefined {
  try {
    if (value instanceof Buffers) return bytesFrom(new Bytes(value), maxLength);
    if (!(value instanceof Bytes) || lengthOf(value) > maxLength) return undefined;
    return new Bytes(value);
  } catch {
    // A detached buffer, or something that only looks like one.
    return undefined;
  }
}

/** What the worker answered; no bytes when it answered none. */
export const bytesOf = (value: unknown): Uint8Array<ArrayBuffer> =>
  bytesOver(typeof value === "object" ? (value as ArrayBuffer) : new Buffers(0));

/** Only these bytes, as they cross to the worker. */
export const exactBuffer = (bytes: Uint8Array<ArrayBuffer>): ArrayBuffer =>
  bufferOf(copyRange(bytes, 0, lengthOf(bytes)));
