// Tells whether a script changed the built-in objects of the language while it worked on a message: then the next message gets a
// fresh context. What a script changes while it is loaded is its own way of writing, and stays.
/* oxlint-disable typescript/no-implied-eval, typescript/no-unsafe-type-assertion -- the check is written out as code, for speed */

export interface BuiltInCheck {
  /** What is there now counts as untouched. */
  remember(): void;
  areUntouched(): boolean;
}

/** What the runtime and every script take for granted; listing all members costs a fresh context more than the rest of it. */
const MEMBERS: Readonly<Record<string, string>> = {
  globalThis:
    "Object Function Array String Number Boolean Symbol Promise Map Set Date RegExp Error TypeError ArrayBuffer Uint8Array JSON Reflect Math parseInt parseFloat isNaN isFinite eval encodeURIComponent decodeURIComponent",
  Object:
    "assign create defineProperty entries freeze fromEntries getOwnPropertyNames getPrototypeOf hasOwn is keys values",
  "Object.prototype": "constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toString valueOf",
  "Function.prototype": "apply bind call toString constructor",
  Array: "from isArray of",
  "Array.prototype":
    "at concat entries every fill filter find findIndex flat flatMap forEach includes indexOf join keys lastIndexOf map pop push reduce reverse shift slice some sort splice toString unshift values constructor",
  String: "fromCharCode fromCodePoint raw",
  "String.prototype":
    "at charAt charCodeAt codePointAt concat endsWith includes indexOf lastIndexOf match matchAll normalize padEnd padStart repeat replace replaceAll search slice split startsWith substring substr toLowerCase toString toUpperCase trim trimEnd trimStart valueOf constructor",
  Number: "isFinite isInteger isNaN isSafeInteger",
  "Number.prototype": "toFixed toString valueOf",
  "Symbol.prototype": "toString valueOf",
  Promise: "all allSettled race reject resolve",
  "Promise.prototype": "then catch finally constructor",
  "Map.prototype": "get set has delete clear forEach entries keys values",
  "Set.prototype": "add has delete clear forEach values",
  Date: "now parse UTC",
  "Date.prototype": "getTime setTime toISOString toString valueOf getFullYear getMonth getDate getHours",
  "RegExp.prototype": "exec test toString",
  "Error.prototype": "toString constructor",
  "Uint8Array.__proto__.prototype": "fill indexOf set slice subarray",
  "ArrayBuffer.prototype": "slice constructor",
  JSON: "parse stringify",
  Reflect: "apply construct defineProperty get getPrototypeOf has ownKeys set",
  Math: "abs ceil floor max min pow random round trunc",
};
const ITERATORS = ["Array", "String", "Map", "Set"];

/**
 * Comparing that many members in a loop takes several µs; the same written out as one expression, half a µs, because V8 remembers
 * for each place in the code where its member lies. Additions to the prototypes of Object and Array are seen by their effect on
 * an empty array, which inherits from both.
 */
const CODE = ((): string => {
  const holders: string[] = [];
  const values: string[] = [];
  const terms: string[] = [];
  const add = (holder: string, access: string): void => {
    terms.push(`${holder}${access}===v${values.length}`);
    values.push(`v${values.length}=${holder}${access}`);
  };
  for (const [path, members] of Object.entries(MEMBERS)) {
    const holder = `h${holders.length}`;
    holders.push(`${holder}=${path}`);
    for (const member of members.split(" ")) add(holder, `.${member}`);
  }
  holders.push("I=Symbol.iterator", "N=[][Symbol.iterator]().__proto__");
  for (const type of ITERATORS) {
    const holder = `i${type}`;
    holders.push(`${holder}=${type}.prototype`);
    add(holder, "[I]");
  }
  add("N", ".next");
  const additions = ["0 in e", ...["then", "get", "set", "value", "toJSON"].map((name) => `"${name}" in e`)];
  return `"use strict";const ${holders.join()};return()=>{const ${values.join()};return e=>{for(const k in e)return false;return!(${additions.join("||")})&&${terms.join("&&")}}}`;
})();

export function createBuiltInCheck(): BuiltInCheck {
  const take = new Function(CODE)() as () => (empty: readonly unknown[]) => boolean;
  let compare = take();
  return {
    remember(): void {
      compare = take();
    },
    areUntouched(): boolean {
      try {
        return compare([]);
      } catch {
        // A getter of the script in the place of a function.
        return false;
      }
    },
  };
}
