// The secrets of scripts: from `scripts.secretsFile` and from the environment, which wins. Read anew at each reload.
import { open } from "node:fs/promises";
import path from "node:path";
import { parseDocument } from "yaml";
import { describeError, OnArrivalError } from "../core/errors.ts";

const ENVIRONMENT_PREFIX = "ONARRIVAL_SECRET_";
const NAME = /^\w{1,100}$/;
const MAX_FILE_BYTES = 1024 * 1024;
/** Rights of everybody, as ssh looks at the files of its keys. */
const OF_OTHERS = 0o007;

/** Values by name. Throws SECRETS_UNUSABLE. */
export async function loadSecrets(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Map<string, string>> {
  const secrets =
    file === undefined ? new Map<string, string>() : parseSecrets(await readSecretsFile(file), file);
  for (const [variable, value] of Object.entries(environment)) {
    const name = variable.slice(ENVIRONMENT_PREFIX.length);
    if (variable.startsWith(ENVIRONMENT_PREFIX) && NAME.test(name) && value !== undefined)
      secrets.set(name, value);
  }
  return secrets;
}

async function readSecretsFile(file: string): Promise<string> {
  try {
    const handle = await open(file, "r");
    try {
      // Of the open file, not of the name: it cannot be exchanged in between.
      const { mode, size } = await handle.stat();
      if (process.platform !== "win32" && (mode & OF_OTHERS) !== 0)
        throw unusable(file, "everybody on this machine has rights to it; chmod o-rwx it");
      if (size > MAX_FILE_BYTES) throw unusable(file, `it is larger than ${MAX_FILE_BYTES} bytes`);
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof OnArrivalError ? error : unusable(file, describeError(error));
  }
}

/** `NAME=value` lines, or YAML when the name of the file says so. What is wrong is told by line, never by value. */
function parseSecrets(text: string, file: string): Map<string, string> {
  return /\.ya?ml$/.test(file) ? parseYaml(text, file) : parseLines(text, file);
}

function parseLines(text: string, file: string): Map<string, string> {
  const secrets = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const [, name, value = ""] = /^(\w{1,100})\s*=\s*(.*)$/.exec(trimmed) ?? [];
    if (name === undefined) throw unusable(file, `line ${index + 1} is no NAME=value`);
    // Quotes keep blanks at the ends.
    secrets.set(name, /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value);
  }
  return secrets;
}

function parseYaml(text: string, file: string): Map<string, string> {
  const document = parseDocument(text, { prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) throw unusable(file, `it is no YAML (${error.code})`);
  const content: unknown = document.toJS({ maxAliasCount: 0 });
  if (content === null) return new Map();
  if (typeof content !== "object" || Array.isArray(content))
    throw unusable(file, "it is no list of NAME: value");
  const secrets = new Map<string, string>();
  for (const [name, value] of Object.entries(content)) {
    if (!NAME.test(name))
      throw unusable(file, `a name has only letters, digits and _; ${JSON.stringify(name)} has not`);
    if (typeof value !== "string") throw unusable(file, `the value of ${name} is no text; put it in quotes`);
    secrets.set(name, value);
  }
  return secrets;
}

const unusable = (file: string, why: string): OnArrivalError =>
  new OnArrivalError("SECRETS_UNUSABLE", `${path.basename(file)}: ${why}`);
