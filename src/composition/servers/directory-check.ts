// What is wrong with the directory's file that the service starts with all the same: for `onarrival check`.
import { placesInDirectory } from "../../config/directory-places.ts";
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import type { FileDirectoryContent } from "../../transport/categorizer/file-directory.ts";
import { directoryDomains, fileDirectory } from "./categorizer.ts";
import { defaultDomainOf } from "../settings.ts";

/** Addresses that entries lead to, in domains whose addresses are all in the file, and that are not there: mostly misspelled. */
export async function checkDirectories(config: Config): Promise<string[]> {
  const found: string[] = [];
  for (const server of config.virtualServers) {
    // oxlint-disable-next-line no-await-in-loop -- a handful of files
    found.push(...(await unknownTargets(config, server)));
  }
  // Servers may share a file.
  return [...new Set(found)];
}

async function unknownTargets(config: Config, server: VirtualServerSettings): Promise<string[]> {
  const { categorizer, name } = server;
  const content = config.directoryFiles.get(name);
  // What the file does not have, LDAP may.
  if (categorizer?.file === undefined || content === undefined || categorizer.ldap !== undefined) return [];
  const targets = [...targetsOf(content)];
  const directory = fileDirectory(config, server, directoryDomains(server, categorizer));
  const answers = await directory?.resolve(
    targets.map(({ address }) => ({ by: "address", value: address }) as const),
  );
  const unknown = targets.filter((_target, index) => answers?.[index]?.kind === "unknown");
  if (unknown.length === 0) return [];
  const placeOf = await placesInDirectory(categorizer.file, defaultDomainOf(server));
  const told = unknown
    .slice(0, MAX_TOLD)
    .map(
      ({ place, address, what }) =>
        `${placeOf(place)}: ${what}, ${address}, has no entry in its own domain: ${FATES[categorizer.unknown]}`,
    );
  const more = unknown.length - told.length;
  return more === 0 ? told : [...told, `${categorizer.file}: ${more} more addresses have no entry`];
}

/** Of one file: a domain that is not all in it would fill the screen. */
const MAX_TOLD = 50;

const FATES = {
  pass: "mail for it is delivered all the same (categorizer.unknown)",
  fail: "mail for it fails with 5.1.1",
} as const;

interface Target {
  readonly place: readonly (string | number)[];
  readonly address: string;
  readonly what: string;
}

function* targetsOf({ aliases, users, lists }: FileDirectoryContent): Generator<Target> {
  for (const [name, targets] of Object.entries(aliases))
    yield* each(["aliases", name], targets, `what ${name} stands for`);
  for (const [name, { forwardTo }] of Object.entries(users))
    yield* each(["users", name, "forwardTo"], forwardTo, `the forward of ${name}`);
  for (const [name, { members, owner }] of Object.entries(lists)) {
    yield* each(["lists", name, "members"], members, `a member of the list ${name}`);
    if (owner !== undefined)
      yield { place: ["lists", name, "owner"], address: owner, what: `the owner of the list ${name}` };
  }
}

function* each(place: readonly string[], addresses: readonly string[], what: string): Generator<Target> {
  for (const [index, address] of addresses.entries()) yield { place: [...place, index], address, what };
}
