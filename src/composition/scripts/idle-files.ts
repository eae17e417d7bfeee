// Files of the scripts folder that look like scripts and are none: on Windows both case and language of a sink were free.
import { readdir } from "node:fs/promises";
import { isSinkName } from "../../sandbox/versions/script-file.ts";

const LOOKS_LIKE_SCRIPT = /^[^_.].*\.(?:vbs|vbe|wsf|wsc|jse|js|mjs|cjs|jsx|ts|mts|cts|tsx)$/i;
const OF_VBSCRIPT = /\.(?:vbs|vbe|wsf|wsc)$/i;
/** Tests and types have names of their own. */
const BESIDE_SCRIPTS = /\.(?:test|d)\.\w+$/;

/** What `onarrival check` says of each. */
export async function idleFileWarnings(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .filter((name) => LOOKS_LIKE_SCRIPT.test(name) && !isSinkName(name) && !BESIDE_SCRIPTS.test(name))
    .toSorted()
    .map((name) => `${name}: is not run: ${adviceOn(name)}`);
}

const adviceOn = (name: string): string =>
  OF_VBSCRIPT.test(name)
    ? "scripts are JavaScript or TypeScript; docs/migrating-from-iis.md shows how to rewrite it"
    : "names of scripts end in .js, .mjs or .ts, in small letters";
