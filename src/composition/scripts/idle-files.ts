// Files of the scripts folder that look like scripts and are none: on Windows both case and language of a sink were free.
// And tests whose script has another name.
import { readdir } from "node:fs/promises";
import { isForeignTest } from "../../sandbox/versions/script-cases.ts";
import { isSinkName, readScriptFile, stemOf, testedStem } from "../../sandbox/versions/script-file.ts";

const LOOKS_LIKE_SCRIPT = /^[^_.].*\.(?:vbs|vbe|wsf|wsc|jse|js|mjs|cjs|jsx|ts|mts|cts|tsx)$/i;
const OF_VBSCRIPT = /\.(?:vbs|vbe|wsf|wsc)$/i;
/** Tests and types have names of their own. */
const BESIDE_SCRIPTS = /\.(?:test|d)\.\w+$/;

/** What `onarrival check` says of each. */
export async function idleFileWarnings(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  const idle = names
    .filter((name) => LOOKS_LIKE_SCRIPT.test(name) && !isSinkName(name) && !BESIDE_SCRIPTS.test(name))
    .toSorted()
    .map((name) => `${name}: is not run: ${adviceOn(name)}`);
  return [...idle, ...(await lonelyTestWarnings(folder, names))];
}

async function lonelyTestWarnings(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const scripts = new Set(names.filter(isSinkName).map(stemOf));
  const lonely = names.filter((name) => {
    const stem = testedStem(name);
    return stem !== undefined && !scripts.has(stem);
  });
  const files = await Promise.all(lonely.map((name) => readScriptFile(folder, name)));
  return lonely
    .filter((_name, index) => {
      const file = files[index];
      return file?.kind !== "source" || !isForeignTest(file.text);
    })
    .toSorted()
    .map((name) => `${name}: is not run: there is no script ${testedStem(name)}.ts, .js or .mjs`);
}

const adviceOn = (name: string): string =>
  OF_VBSCRIPT.test(name)
    ? "scripts are JavaScript or TypeScript; docs/migrating-from-iis.md shows how to rewrite it"
    : "names of scripts end in .js, .mjs or .ts, in small letters";
