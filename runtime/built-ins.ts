// The built-in objects of the language that are taken away or narrowed before a script comes.

/** Resizable buffers: V8 takes their memory past the allocator that counts it, so they would fill the machine within any limit. */
export function narrowBuiltIns(): void {
  Reflect.deleteProperty(Intl, "v8BreakIterator");
  for (const name of ["resize", "transferToFixedLength"]) Reflect.deleteProperty(ArrayBuffer.prototype, name);
  const value = fixedArrayBuffer(ArrayBuffer);
  // Both ways to the constructor lead to ours: the built-in one is out of reach.
  for (const owner of [globalThis, ArrayBuffer.prototype]) {
    const name = owner === globalThis ? "ArrayBuffer" : "constructor";
    Object.defineProperty(owner, name, { value, writable: true, enumerable: false, configurable: true });
  }
}

function fixedArrayBuffer(BuiltIn: ArrayBufferConstructor): object {
  const { construct } = Reflect;
  const FixedArrayBuffer = function ArrayBuffer(
    length: unknown,
    options?: { maxByteLength?: unknown },
  ): object {
    if (new.target === undefined) throw new TypeError("Constructor ArrayBuffer requires 'new'");
    if (options?.maxByteLength !== undefined)
      throw new TypeError("resizable ArrayBuffers are not available in scripts");
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a constructor answers is an object
    return construct(BuiltIn, [length], new.target) as object;
  };
  const { prototype, ...statics } = Object.getOwnPropertyDescriptors(BuiltIn);
  Object.defineProperties(FixedArrayBuffer, { ...statics, prototype });
  return FixedArrayBuffer;
}
