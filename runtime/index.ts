// Entry of the runtime's bundle, one classic script. The worker puts its one function into the global scope before and
// takes the glue out of it afterwards; when the script comes, neither name exists any more.
/* oxlint-disable typescript/no-unsafe-type-assertion, no-underscore-dangle -- the handover is by global names */
import { createGlue, type Glue } from "./glue.ts";
import type { HostFunction } from "./host.ts";

interface Handover {
  __onarrivalHost?: HostFunction;
  __onarrivalGlue?: Glue;
}

const handover = globalThis as Handover;
const hostFunction = handover.__onarrivalHost;
delete handover.__onarrivalHost;
if (hostFunction === undefined) throw new Error("the runtime needs a host");
handover.__onarrivalGlue = createGlue(hostFunction);
