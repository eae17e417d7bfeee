// The files that virtual servers name, for `onarrival check`: `serve` ends at the first that it cannot use.
import { readPassword } from "../config/named-files.ts";
import type { Config, VirtualServerSettings } from "../config/schema.ts";
import { OnArrivalError } from "../core/errors.ts";
import { readAccessTokens, readCertificate } from "./server-files.ts";
import { placesOfServer } from "./server-places.ts";
import { loadSigningEntry } from "./signing.ts";

/** Why a service would not start with these files, or would miss one when it delivers. One line each. */
export async function checkServerFiles(config: Config): Promise<string[]> {
  const problems: string[] = [];
  const attempt = async (step: Promise<unknown> | undefined): Promise<void> => {
    try {
      await step;
    } catch (thrown) {
      if (!(thrown instanceof OnArrivalError)) throw thrown;
      problems.push(thrown.message);
    }
  };
  for (const server of config.virtualServers) {
    const placeOf = placesOfServer(config, server);
    const { tls, auth, signing } = server;
    /* oxlint-disable no-await-in-loop -- a handful of files */
    await attempt(tls && readCertificate(tls, placeOf));
    await attempt(auth.accessTokens && readAccessTokens(auth.accessTokens, placeOf));
    for (const [index, entry] of signing.entries())
      await attempt(loadSigningEntry(entry, () => placeOf("signing", index, "keyFile")));
    for (const { file, at } of tokenFiles(server))
      await readPassword(file, (why) => problems.push(`${placeOf(...at)}: ${why}`));
    /* oxlint-enable no-await-in-loop */
  }
  // What servers inherit is wrong in each of them.
  return [...new Set(problems)];
}

interface TokenFile {
  readonly file: string;
  readonly at: readonly (string | number)[];
}

/** They are read anew for each session: a service starts without them. */
function tokenFiles({ delivery, domains }: VirtualServerSettings): TokenFile[] {
  const named = [
    { auth: delivery.auth, at: ["delivery"] },
    ...domains.remote.map(({ auth }, index) => ({ auth, at: ["domains", "remote", index] })),
  ];
  return named.flatMap(({ auth, at }) =>
    auth?.tokenFile === undefined ? [] : [{ file: auth.tokenFile, at: [...at, "auth", "tokenFile"] }],
  );
}
