// Whether the bindings of a script grant what it asks for at load: a script that could only fail does not go live.
import type { Capabilities } from "../../../runtime/contract.ts";

/** What one binding of a script grants. */
export interface BindingGrant {
  /** Its display name. */
  readonly binding: string;
  readonly allow: Capabilities;
}

/** The bindings of a script in the configuration; none: it is bound by what it exports, which grants nothing. */
export type GrantsOf = (scriptName: string) => readonly BindingGrant[];

const SECRET = "secret ";

/** The setting that would grant it. */
function settingOf(need: string): string {
  if (need.startsWith(SECRET)) return `allow: { secrets: ["${need.slice(SECRET.length)}"] }`;
  return need === "fetch" ? 'allow: { fetch: ["https://host/path/"] }' : `allow: { ${need}: true }`;
}

function isGranted(need: string, { fetch, kv, dns, secrets }: Capabilities): boolean {
  if (need.startsWith(SECRET)) return secrets?.includes(need.slice(SECRET.length)) === true;
  switch (need) {
    case "fetch":
      return fetch !== undefined && fetch.length > 0;
    case "kv":
      return kv === true;
    case "dns":
      return dns === true;
    default:
      return false;
  }
}

/** The secrets that its bindings grant, and those that it reads at load: without a configuration nothing else is known. */
export function secretsFor(needs: readonly string[], grants: readonly BindingGrant[]): string[] {
  const granted = grants.flatMap(({ allow }) => allow.secrets ?? []);
  const read = needs.filter((need) => need.startsWith(SECRET)).map((need) => need.slice(SECRET.length));
  return [...new Set([...granted, ...read])];
}

/** What is not granted, with the setting that would; undefined: all of it is. */
export function needsProblem(
  name: string,
  needs: readonly string[],
  grants: readonly BindingGrant[],
): string | undefined {
  const bindings = grants.length > 0 ? grants : [{ binding: name, allow: {} }];
  const missing = bindings.flatMap(({ binding, allow }) =>
    needs
      .filter((need) => !isGranted(need, allow))
      .map((need) => `asks for ${need}, which ${whose(binding, grants)} ${settingOf(need)}`),
  );
  return missing.length === 0 ? undefined : `${name}: ${missing.join("; ")}`;
}

const whose = (binding: string, grants: readonly BindingGrant[]): string =>
  grants.length > 0
    ? `its binding ${JSON.stringify(binding)} does not grant; in the configuration it needs`
    : "nothing grants: it needs an entry under bindings in the configuration with its ScriptName and";
