// What sinks may keep with messages (REFERENCE 4.6).
import { z } from "zod";
import { count, restart, size } from "./values.ts";

export const mailMsg = z.strictObject({
  maxProperties: count(1, 100_000)
    .default(1000)
    .meta(
      restart("Properties that sinks may keep with a message, and with each of its recipients.", {
        unit: "properties",
      }),
    ),
  maxPropertyBytes: size(1024)
    .default(64 * 1024)
    .meta(restart("Size of these properties, their names included.", { unit: "bytes" })),
  maxPropertyIds: count(1, 1_000_000)
    .default(16_384)
    .meta(restart("Numbers of private properties that sinks may have reserved.", { unit: "ids" })),
});
