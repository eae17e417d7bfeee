// A module that exports no `binding` gets every message. What was meant for one is named before it goes live.
import { at } from "./jscript-habits.ts";

const DECLARED = /^(export\s+)?(?:const|let|var)\s+(bindings?)\b/gim;
const EXPORTED = /\bexport\s*\{[^}]*\bbinding\b/;

/** `code` is the output of the compiler: a constant that nobody uses is not in it. */
export function lostBinding(name: string, text: string, code: string): string | undefined {
  const found = [...text.matchAll(DECLARED)];
  if (EXPORTED.test(text) || found.some(([, exported, as]) => exported !== undefined && as === "binding"))
    return undefined;
  for (const { 0: whole, 1: exported, 2: as = "", index } of found) {
    const place = at(name, text, index + whole.length - as.length);
    if (exported !== undefined)
      return `${place}: ${as} binds nothing, and the script would get every message: its name is binding`;
    if (as === "binding" && !/\bbinding\b/.test(code))
      return `${place}: binding is not exported, and the script would get every message: write export const binding`;
  }
  return undefined;
}
