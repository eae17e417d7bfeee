// What the compiler found, in words of an author: of bundles, of our own files and of Node's it knows more than a script has.
import { isBuiltin } from "node:module";
import { relative, resolve } from "node:path";
import type { Message } from "esbuild";
import { habitHint } from "./jscript-habits.ts";

/** Of the script that does not compile. */
interface Places {
  readonly folder: string;
  /** File behind the virtual module "cdo". */
  readonly cdoModule: string;
}

const MAX_NAMED_LINES = 5;
const NO_EXPORT = /^No matching export in "(.+)" for import "(.+)"$/;
const UNRESOLVED = /^Could not resolve "(.+)"$/;
const TOP_LEVEL_AWAIT = /^Top-level await\b/;

/** The first error with its place, and where the others of its file are. */
export function describeFailure(errors: readonly Message[], places: Places): string {
  const first = errors[0];
  if (first === undefined) return "does not compile";
  const { location } = first;
  const sameFile = errors.slice(1).filter((error) => error.location?.file === location?.file);
  const lines = sameFile.slice(0, MAX_NAMED_LINES).flatMap((error) => error.location?.line ?? []);
  const others = lines.length === 0 ? "" : `: line ${lines.join(", ")}`;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more${others})` : "";
  // esbuild counts columns from 0.
  const where =
    location === null
      ? ""
      : `${relative(places.folder, resolve(places.folder, location.file))}:${location.line}:${location.column + 1}: `;
  return `${where}${wordingOf(first, places)}${more}`;
}

function wordingOf({ text, location }: Message, { folder, cdoModule }: Places): string {
  const habit = habitHint(text, location?.lineText ?? "");
  if (habit !== "") return text + habit;
  if (TOP_LEVEL_AWAIT.test(text))
    return "Top-level await is not served: await in the entry point, export default async function onArrival(msg) { … }";
  const [, module, name] = NO_EXPORT.exec(text) ?? [];
  if (module !== undefined && resolve(folder, module) === cdoModule)
    return `"cdo" has no export ${name}; docs/cdo/README.md lists what it has`;
  const unresolved = UNRESOLVED.exec(text)?.[1];
  return unresolved === undefined ? text : `${text}; ${importAdvice(unresolved)}`;
}

function importAdvice(specifier: string): string {
  if (isBuiltin(specifier))
    return "scripts have no modules of Node, only files and packages of the script folder";
  if (/^[./]/.test(specifier)) return "there is no such file in the script folder";
  const [name] = /^(?:@[^/]+\/)?[^/]+/.exec(specifier) ?? [specifier];
  return `no such package is installed in the script folder: npm install ${name} there`;
}
