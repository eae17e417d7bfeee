// Reads onarrival.yaml, checks all of it at once, and answers settings with absolute paths, or every problem by line.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { isMap, LineCounter, parseDocument } from "yaml";
import { describeError, OnArrivalError } from "../core/errors.ts";
import { checkInherited, inherit, knownSchema, origin, placeIssues } from "./inheritance.ts";
import { type DirectoryFile, readDirectoryFile } from "./directory-file.ts";
import { readAuthorities, readPassword, resolveLdap } from "./named-files.ts";
import {
  describeIssues,
  describeLoneAliases,
  describePlace,
  describeSyntax,
  formatPath,
  type PlaceOf,
  type Source,
} from "./problems.ts";
import {
  configSchema,
  type BindingSettings,
  type CheckedBinding,
  type CheckedConfig,
  type Config,
  type VirtualServerSettings,
} from "./schema.ts";
import { folderConflicts } from "./server-folders.ts";
import { normalizeGuid, parseHostPort } from "./values.ts";
import { wording } from "./wording.ts";

export const DEFAULT_CONFIG_FILE = "onarrival.yaml";

/** What flags of the command line put in place of the file's settings. Relative to the working directory. */
export interface ConfigOverrides {
  readonly listen?: readonly string[] | undefined;
  readonly mailroot?: string | undefined;
  readonly scripts?: string | undefined;
}

/** A file much larger than any real configuration is a mistake (or an attack on whoever runs `check`). */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** The file named, or onarrival.yaml of the folder when there is one. */
export function findConfigFile(
  named: string | undefined,
  folder: string = process.cwd(),
): string | undefined {
  if (named !== undefined) return path.resolve(folder, named);
  const usual = path.join(folder, DEFAULT_CONFIG_FILE);
  return existsSync(usual) ? usual : undefined;
}

/** `directories`: takes the files of categorizers that the file names, also when there is a problem with one of them. */
export async function loadConfig(
  file: string | undefined,
  overrides: ConfigOverrides = {},
  directories = new Set<string>(),
): Promise<Config> {
  if (file === undefined)
    return applyOverrides(
      await resolveSettings(configSchema.parse({}), process.cwd(), formatPath, directories),
      overrides,
    );
  const text = await readConfigFile(file);
  const { dir, base: name } = path.parse(path.resolve(file));
  // A full disk, a power failure or an unfinished write leaves an empty file: nobody meant the defaults by it.
  if (text.trim() === "")
    throw invalid([`${name} is empty; for the defaults alone it takes no file, or a comment`]);
  const config = await resolveSettings(checkConfig(text, name), dir, placesIn(text, name), directories);
  return applyOverrides(config, overrides);
}

export async function readConfigFile(file: string): Promise<string> {
  try {
    const text = await readFile(file, "utf8");
    if (text.length <= MAX_FILE_BYTES) return text;
  } catch (error) {
    throw new OnArrivalError("CONFIG_UNREADABLE", `${file} cannot be read: ${describeError(error)}`, {
      cause: error,
    });
  }
  throw new OnArrivalError("CONFIG_UNREADABLE", `${file} is larger than ${MAX_FILE_BYTES} bytes`);
}

/** The mailroot as far as it can be told of a file with problems, else the default one: what a service may run with all the same. */
export async function likelyMailroot(file: string): Promise<string> {
  const { dir, base } = path.parse(path.resolve(file));
  const text = await readConfigFile(file).catch(() => "");
  const { contents } = parseSource(text, base).document;
  const named = isMap(contents) ? contents.get("mailroot") : undefined;
  const isNamed = typeof named === "string" && named !== "";
  return path.resolve(dir, isNamed ? named : configSchema.parse({}).mailroot);
}

/** Checks the text of a configuration file. Throws CONFIG_INVALID with one line per problem. */
export function checkConfig(text: string, name: string): CheckedConfig {
  const source = parseSource(text, name);
  const { errors } = source.document;
  if (errors.length > 0) throw invalid(describeSyntax(source, errors));
  const value = plainValue(source) ?? {};
  const result = configSchema.safeParse(inherit(value), { error: wording });
  const issues = [...checkInherited(value), ...placeIssues(result.error?.issues ?? [], value)];
  if (result.success && issues.length === 0) return result.data;
  // A wrong setting that servers inherit is found in each of them: it is told once.
  throw invalid([...new Set(describeIssues(issues, knownSchema, source))]);
}

function parseSource(text: string, name: string): Source {
  const lines = new LineCounter();
  return { name, lines, document: parseDocument(text, { lineCounter: lines, prettyErrors: true }) };
}

/** A service keeps this as long as its configuration, and seldom asks: so the text is kept and parsed again for a problem. */
function placesIn(text: string, name: string): PlaceOf {
  let parsed: WeakRef<{ readonly source: Source; readonly value: unknown }> | undefined;
  return (at) => {
    let file = parsed?.deref();
    if (file === undefined) {
      const source = parseSource(text, name);
      file = { source, value: plainValue(source) };
      parsed = new WeakRef(file);
    }
    return describePlace(file.source, origin(at, file.value));
  };
}

/** Resolving aliases may fail: of a "billion laughs" the parser refuses to expand them. */
function plainValue(source: Source): unknown {
  const lone = describeLoneAliases(source);
  if (lone.length > 0) throw invalid(lone);
  try {
    return source.document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw invalid([`${source.name} ${describeError(error)}`]);
  }
}

const invalid = (problems: readonly string[]): OnArrivalError =>
  new OnArrivalError("CONFIG_INVALID", problems.join("\n"));

async function resolveSettings(
  checked: CheckedConfig,
  base: string,
  placeOf: PlaceOf,
  directories: Set<string>,
): Promise<Config> {
  const problems: string[] = [];
  const directoryFiles = new Map<string, DirectoryFile>();
  for (const [index, server] of checked.virtualServers.entries()) {
    const directoryFile = await resolveCategorizer(server, base, directories, (where, why) =>
      problems.push(`${placeOf(["virtualServers", index, "categorizer", ...where])}: ${why}`),
    );
    if (directoryFile !== undefined) directoryFiles.set(server.name, directoryFile);
    await resolveDelivery(server.delivery, base, (where, why) =>
      problems.push(`${placeOf(["virtualServers", index, "delivery", ...where])}: ${why}`),
    );
    resolvePaths(server, base);
    for (const [at, { auth }] of server.domains.remote.entries()) {
      const where = ["virtualServers", index, "domains", "remote", at, "auth", "passwordFile"];
      // oxlint-disable-next-line no-await-in-loop -- a handful of files at start
      await resolveCredentials(auth, base, (why) => problems.push(`${placeOf(where)}: ${why}`));
    }
  }
  if (problems.length > 0) throw invalid(problems);
  return {
    ...checked,
    mailroot: path.resolve(base, checked.mailroot),
    scripts: {
      ...checked.scripts,
      folder: path.resolve(base, checked.scripts.folder),
      ...(checked.scripts.secretsFile !== undefined && {
        secretsFile: path.resolve(base, checked.scripts.secretsFile),
      }),
    },
    tracking: {
      ...checked.tracking,
      ...(checked.tracking.folder !== undefined && { folder: path.resolve(base, checked.tracking.folder) }),
    },
    bindings: completeBindings(checked.bindings, base),
    directoryFiles,
    placeOf,
  };
}

/** Of files that are read later, and of folders. */
function resolvePaths(server: VirtualServerSettings, base: string): void {
  if (server.mailroot !== undefined) server.mailroot = path.resolve(base, server.mailroot);
  for (const name of ["pickup", "queue", "drop", "badmail"] as const) {
    const folder = server.folders[name];
    if (folder !== undefined) server.folders[name] = path.resolve(base, folder);
  }
  for (const entry of server.signing) entry.keyFile = path.resolve(base, entry.keyFile);
  const { accessTokens } = server.auth;
  if (accessTokens !== undefined) accessTokens.keysFile = path.resolve(base, accessTokens.keysFile);
  if (server.tls !== undefined) {
    server.tls.certificate = path.resolve(base, server.tls.certificate);
    server.tls.key = path.resolve(base, server.tls.key);
  }
  const { protocolLog } = server;
  if (protocolLog.folder !== undefined) protocolLog.folder = path.resolve(base, protocolLog.folder);
}

async function resolveCategorizer(
  { categorizer, domains }: VirtualServerSettings,
  base: string,
  directories: Set<string>,
  report: (where: readonly (string | number)[], why: string) => void,
): Promise<DirectoryFile | undefined> {
  if (categorizer?.ldap !== undefined)
    await resolveLdap(categorizer.ldap, base, (where, why) => report(["ldap", ...where], why));
  if (categorizer?.file === undefined) return undefined;
  categorizer.file = path.resolve(base, categorizer.file);
  directories.add(categorizer.file);
  return readDirectoryFile(categorizer.file, domains.default ?? domains.local[0] ?? "localhost", (why) =>
    report(["file"], why),
  );
}

/** Paths become absolute; passwords and certificates of authorities are read now, so that a bad file is told at once. */
async function resolveDelivery(
  { auth, destinations }: VirtualServerSettings["delivery"],
  base: string,
  report: (where: readonly (string | number)[], why: string) => void,
): Promise<void> {
  await resolveCredentials(auth, base, (why) => report(["auth", "passwordFile"], why));
  for (const [index, destination] of destinations.entries()) {
    if (destination.authoritiesFile === undefined) continue;
    const where = ["destinations", index, "authoritiesFile"];
    destination.authoritiesFile = path.resolve(base, destination.authoritiesFile);
    // oxlint-disable-next-line no-await-in-loop -- a handful of files at start
    destination.authorities = await readAuthorities(destination.authoritiesFile, (why) => report(where, why));
  }
}

async function resolveCredentials(
  auth: VirtualServerSettings["delivery"]["auth"],
  base: string,
  report: (why: string) => void,
): Promise<void> {
  if (auth?.passwordFile !== undefined) {
    auth.passwordFile = path.resolve(base, auth.passwordFile);
    auth.password = await readPassword(auth.passwordFile, report);
  }
  if (auth?.tokenFile !== undefined) auth.tokenFile = path.resolve(base, auth.tokenFile);
}

/**
 * A binding without an id gets one computed from what it says, so that it keeps its identity (and its count of
 * firings) over restarts. Equal entries are told apart by their order.
 */
export function completeBindings(bindings: readonly CheckedBinding[], base: string): BindingSettings[] {
  const seen = new Map<string, number>();
  return bindings.map((binding) => {
    const sinkProperties = binding.sinkProperties && withScriptName(binding.sinkProperties);
    const scriptName = sinkProperties?.["ScriptName"];
    const script = typeof scriptName === "string" ? scriptName : undefined;
    const key = JSON.stringify([binding.event, binding.displayName, binding.sinkClass, script]);
    const earlier = seen.get(key) ?? 0;
    seen.set(key, earlier + 1);
    return {
      ...binding,
      ...(sinkProperties && { sinkProperties }),
      id: binding.id ?? computedGuid(`${key}#${earlier}`),
      displayName: binding.displayName ?? script ?? binding.sinkClass,
      sinkClass: isModulePath(binding.sinkClass) ? path.resolve(base, binding.sinkClass) : binding.sinkClass,
    };
  });
}

/** The bags of the original do not regard case: the script is read from ScriptName, however the file spells it. */
function withScriptName<Value>(properties: Readonly<Record<string, Value>>): Record<string, Value> {
  const given = Object.keys(properties).find((name) => name.toLowerCase() === "scriptname") ?? "ScriptName";
  const { [given]: script, ...others } = properties;
  return script === undefined ? others : { ScriptName: script, ...others };
}

/** A path names a native sink; "CDO.SS_SMTPOnArrivalSink" and the like are class names. */
export const isModulePath = (sinkClass: string): boolean => /[/\\]|\.[cm]?[jt]s$/.test(sinkClass);

function computedGuid(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const guid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  return normalizeGuid(guid) ?? guid;
}

function applyOverrides(config: Config, overrides: ConfigOverrides): Config {
  const { listen, mailroot, scripts } = overrides;
  const wrong = (listen ?? []).find((address) => parseHostPort(address) === undefined);
  if (wrong !== undefined) throw new OnArrivalError("WRONG_USE", `--listen ${wrong}: must be HOST:PORT`);
  const overridden = {
    ...config,
    mailroot: mailroot === undefined ? config.mailroot : path.resolve(mailroot),
    scripts: scripts === undefined ? config.scripts : { ...config.scripts, folder: path.resolve(scripts) },
    // Flags name one set of addresses and one mailroot: the first virtual server takes them.
    virtualServers: config.virtualServers.map((server, index) =>
      index > 0
        ? server
        : {
            ...server,
            listen: listen === undefined || listen.length === 0 ? server.listen : [...listen],
            mailroot: mailroot === undefined ? server.mailroot : undefined,
          },
    ),
  };
  const [conflict] = folderConflicts(overridden);
  if (conflict !== undefined) throw new OnArrivalError("WRONG_USE", `--mailroot: ${conflict.why}`);
  return overridden;
}
