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
  const notes: string[] = [];
  if (file !== given) notes.push(`${given} becomes ${file}: scripts lie in the scripts folder`);
  if (OUR_ENDINGS.test(file)) return { scriptName: file, notes };
  const scriptName = `${file.replace(/\.[^.]*$/, "")}.js`;
  const language = /\.vb[se]?$/i.test(file)
    ? "VBScript does not run here"
    : "only .js, .mjs and .ts run here";
  notes.push(`${language}: rewrite ${file} as ${scriptName} (docs/migrating-from-iis.md)`);
  return { scriptName, notes };
}
