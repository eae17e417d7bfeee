// A module that exports no `binding` gets every message. What was meant for one is named before it goes live.
import { at } from "./jscript-habits.ts";

const DECLARED = /^(export\s+)?(?:const|let|var)\s+(bindings?)\b/gim;
/** As the compiler writes what is declared at the top of a script. */
const KEPT = /^ {2}var binding = /m;

/** `export { name }`. A list holds no brace: who looks on behind one looks through a long text once for each. */
export const listsExport = (text: string, name: string): boolean =>
  new RegExp(`\\bexport\\s*\\{[^{}]*\\b${name}\\b`).test(text);

/** `code` is the output of the compiler: a constant that nobody uses is not in it, unless its value is computed. */
export function lostBinding(name: string, text: string, code: string): string | undefined {
  const found = [...text.matchAll(DECLARED)];
  if (
    listsExport(text, "binding") ||
    found.some(([, exported, as]) => exported !== undefined && as === "binding")
  )
    return undefined;
  const uses = (code.match(/\bbinding\b/g)?.length ?? 0) - (KEPT.test(code) ? 1 : 0);
  const lost = found.find(([, exported, as]) => exported !== undefined || (as === "binding" && uses === 0));
  if (lost === undefined) return undefined;
  const { 0: whole, 1: exported, 2: as = "", index } = lost;
  const place = at(name, text, index + whole.length - as.length);
  return exported === undefined
    ? `${place}: binding is not exported, and the script would get every message: write export const binding`
    : `${place}: ${as} binds nothing, and the script would get every message: its name is binding`;
}
