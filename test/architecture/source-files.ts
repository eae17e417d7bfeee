// The source files of the repository and what each imports and exports, read by a parser rather than by patterns.
import { parseSync } from "oxc-parser";
import { globSync, readFileSync } from "node:fs";

export interface SourceModule {
  /** Path from the root of the repository, with forward slashes. */
  readonly file: string;
  readonly imports: readonly string[];
  readonly hasDefaultExport: boolean;
  /** `export … from`: what a barrel is made of. */
  readonly reexports: readonly string[];
}

/** A set, since the parser's own enum is not there at run time. */
const DEFAULT: ReadonlySet<string> = new Set(["Default"]);

export function listSources(...patterns: readonly string[]): string[] {
  return globSync([...patterns], { exclude: ["node_modules/**"] })
    .map((file) => file.replaceAll("\\", "/"))
    .toSorted();
}

export function readModule(file: string, source: string = readFileSync(file, "utf8")): SourceModule {
  const { module, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message ?? "does not parse"}`);
  const reexports = module.staticExports.flatMap((statement) =>
    statement.entries.flatMap((entry) => entry.moduleRequest?.value ?? []),
  );
  return {
    file,
    imports: [
      ...module.staticImports.map((statement) => statement.moduleRequest.value),
      ...reexports,
      // A dynamic import of a computed name says nothing here: only text counts.
      ...module.dynamicImports.flatMap(
        ({ moduleRequest: { start, end } }) =>
          /^["'`]([^"'`$]+)["'`]$/.exec(source.slice(start, end))?.[1] ?? [],
      ),
    ],
    hasDefaultExport: module.staticExports.some((statement) =>
      statement.entries.some((entry) => DEFAULT.has(entry.exportName.kind)),
    ),
    reexports,
  };
}
