// Scripts of every kind that ends its process or its isolate, each beside innocent ones on the same processes (FAULTS X04, X06, X07, X10, X14).
import { afterAll, beforeAll, test } from "vitest";
import {
  HOARDING,
  HOSTILE,
  type HostileHost,
  losesOnlyItsOwn,
  startHostileHost,
} from "../sandbox/pool/hostile-host.ts";

let host: HostileHost;
beforeAll(async () => {
  host = await startHostileHost();
});
afterAll(() => host[Symbol.asyncDispose]());

test.each(Object.keys({ ...HOSTILE, ...HOARDING }))(
  "X04 X06 X07 X10 X14 lose only their own message: %s",
  (name) => losesOnlyItsOwn(host, name),
);
