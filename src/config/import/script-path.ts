// What the ScriptName of an old binding means here: a file of the scripts folder, in a language that runs.

export interface NamedScript {
  readonly scriptName: string;
  /** What a person has to know or do. */
  readonly notes: readonly string[];
}

const OUR_ENDINGS = /\.(?:js|mjs|ts)$/i;

/** `c:\scripts\my.vbs` → my.js, to be written. Names that are ours already stay as they are. */
export function namedScript(given: string): NamedScript {
  const file = given.trim().split(/[\\/]/).at(-1) ?? "";
  if (file === "") return { scriptName: "", notes: [] };
  const ending = OUR_ENDINGS.exec(file);
  const stem = file.replace(/\.[^.]*$/, "");
  // Windows minds no case; here a file that ends in .JS is no script.
  const scriptName = `${stem}${ending?.[0].toLowerCase() ?? ".js"}`;
  const notes: string[] = [];
  if (scriptName !== given)
    notes.push(
      `${given} becomes ${scriptName}: scripts lie in the scripts folder, and end in .js, .mjs or .ts`,
    );
  if (ending !== null) return { scriptName, notes };
  const language = /\.vb[se]?$/i.test(file)
    ? "VBScript does not run here"
    : "only .js, .mjs and .ts run here";
  notes.push(`${language}: rewrite ${file} as ${scriptName} (docs/migrating-from-iis.md)`);
  return { scriptName, notes };
}
