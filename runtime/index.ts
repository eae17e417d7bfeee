// Entry of the runtime's bundle, one classic script. It is evaluated without a host, as a rule in a snapshot that many contexts are
// made of; the worker calls what it leaves in the global scope, and when the script comes, that name does not exist any more.
/* oxlint-disable typescript/no-unsafe-type-assertion, no-underscore-dangle -- the handover is by a global name */
import { type Connect, prepareGlue } from "./glue.ts";

interface Handover {
  __onarrivalConnect?: Connect;
}

const handover = globalThis as Handover;
const connect = prepareGlue();
handover.__onarrivalConnect = (host) => {
  delete handover.__onarrivalConnect;
  return connect(host);
};
