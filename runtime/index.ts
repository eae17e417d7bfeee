// Entry of the runtime's bundle, one classic script. The worker calls what it leaves in the global scope; when the script comes,
// that name does not exist any more.
/* oxlint-disable typescript/no-unsafe-type-assertion, no-underscore-dangle -- the handover is by a global name */
import { createGlue, type Glue } from "./glue.ts";
import type { HostFunction } from "./host.ts";

interface Handover {
  __onarrivalConnect?: (host: HostFunction) => Glue;
}

const handover = globalThis as Handover;
handover.__onarrivalConnect = (host) => {
  delete handover.__onarrivalConnect;
  return createGlue(host);
};
