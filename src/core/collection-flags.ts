// How V8 collects garbage where nearly everything dies within milliseconds (docs/decisions/0042).
import { setFlagsFromString } from "node:v8";

/**
 * V8 puts objects of a kind that lived long when it looked, as while a slow start kept messages waiting, into old memory from then on,
 * and there everything that they ever held stays with them: some processes did so for life and lost a tenth of their rate.
 */
export const NO_PRETENURING = "--no-allocation-site-pretenuring";

/** For the whole process, as early as possible. */
export function collectAsForMail(): void {
  // In percent of the limit of old memory. By default V8 begins to mark old garbage as soon as all young memory might not fit in any
  // more, under load several times a second, and finds nothing.
  setFlagsFromString("--incremental-marking-soft-trigger=80");
  setFlagsFromString("--incremental-marking-hard-trigger=95");
  setFlagsFromString(NO_PRETENURING);
}
