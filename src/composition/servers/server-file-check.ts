// The files that virtual servers name, for `onarrival check`: `serve` ends at the first that it cannot use.
import { readPassword } from "../../config/named-files.ts";
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import { OnArrivalError } from "../../core/errors.ts";
import { certificateWarning, readAccessTokens, readCertificate } from "./server-files.ts";
import { type ServerPlace, placesOfServer } from "./server-places.ts";
import { loadSigningEntry } from "../next-hops/signing.ts";

export interface ServerFileCheck {
  /** Why a service would not start with these files, or would miss one when it delivers. One line each. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export async function checkServerFiles(config: Config, now: number): Promise<ServerFileCheck> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const attempt = async (step: Promise<unknown> | undefined): Promise<void> => {
    try {
      await step;
    } catch (thrown) {
      if (!(thrown instanceof OnArrivalError)) throw thrown;
      problems.push(thrown.message);
    }
  };
  const checkCertificate = async (server: VirtualServerSettings, placeOf: ServerPlace): Promise<void> => {
    const pair = server.tls && (await readCertificate(server.tls, placeOf));
    const warning = certificateWarning(server, pair, placeOf, now);
    if (warning !== undefined) warnings.push(warning);
  };
  for (const server of config.virtualServers) {
    const placeOf = placesOfServer(config, server);
    const { tls, auth, signing } = server;
    /* oxlint-disable no-await-in-loop -- a handful of files */
    await attempt(tls && checkCertificate(server, placeOf));
    await attempt(auth.accessTokens && readAccessTokens(auth.accessTokens, placeOf));
    for (const [index, entry] of signing.entries())
      await attempt(loadSigningEntry(entry, () => placeOf("signing", index, "keyFile")));
    for (const { file, at } of tokenFiles(server))
      await readPassword(file, (why) => problems.push(`${placeOf(...at)}: ${why}`));
    /* oxlint-enable no-await-in-loop */
  }
  // What servers inherit is told once.
  return { problems: [...new Set(problems)], warnings: [...new Set(warnings)] };
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
