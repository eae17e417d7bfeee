// Places in the configuration file, of what concerns one virtual server.
import type { Config, VirtualServerSettings } from "../../config/schema.ts";

/** Where a setting of the server stands. */
export type ServerPlace = (...at: readonly (string | number)[]) => string;

export function placesOfServer(
  { virtualServers, placeOf }: Config,
  { name }: VirtualServerSettings,
): ServerPlace {
  const index = virtualServers.findIndex((server) => server.name === name);
  return (...at) => placeOf(["virtualServers", index, ...at]);
}
