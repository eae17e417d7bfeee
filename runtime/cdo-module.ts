// What `import { … } from "cdo"` finds. A script that uses one of the last names needs a capability: the call says so when the
// script is loaded. Bundlers keep only the names that are used.
/* oxlint-disable no-underscore-dangle -- the handover is by a global name */
export * from "./cdo/constants.ts";

/** There while a script is being loaded (glue.ts). */
declare const __onarrivalNeed: (capability: string) => unknown;

export const fetch = /* @__PURE__ */ __onarrivalNeed("fetch");
export const kv = /* @__PURE__ */ __onarrivalNeed("kv");
export const dns = /* @__PURE__ */ __onarrivalNeed("dns");
/** Which one is told by its calls at the top level of the script. */
export const secret = /* @__PURE__ */ __onarrivalNeed("secret");
