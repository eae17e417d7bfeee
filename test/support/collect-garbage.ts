// A collection of garbage at once, of the young objects alone or of all.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export async function collectGarbage(type: "minor" | "major" = "major"): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("this Node has no gc()");
  // A WeakRef holds what it was made of, or asked for, until the end of the turn.
  await new Promise<void>((resolve) => void setTimeout(resolve, 0));
  Reflect.apply(collect, undefined, [{ type }]);
}
