// How long promises of native sinks are waited for, and how many may be open that nobody waits for (REFERENCE 4.1).
import { z } from "zod";
import { count, milliseconds, restart } from "./values.ts";

export const nativeSinks = z.strictObject({
  sinkTimeoutMs: milliseconds(1)
    .default(60_000)
    .meta(
      restart(
        "How long a sink of OnTransportSubmission, OnPreCategorize or OnPostCategorize may keep its message waiting; then it has failed.",
        { unit: "ms" },
      ),
    ),
  openPromises: count(1, 1_000_000)
    .default(1000)
    .meta(
      restart(
        "Promises that a sink of MsgTrackLog, EventLog or the notices of StoreDriver may have open at a time; with more it is not called.",
        { unit: "promises" },
      ),
    ),
  openPromiseMs: milliseconds(1)
    .default(30_000)
    .meta(restart("How long such a promise counts as open; then it is logged as late.", { unit: "ms" })),
});
