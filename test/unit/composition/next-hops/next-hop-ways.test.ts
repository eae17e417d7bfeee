import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { waysOf } from "../../../../src/composition/next-hops/next-hop-ways.ts";
import { routerSettings } from "../../../../src/composition/settings.ts";
import { loadConfig } from "../../../../src/config/load.ts";
import { createRouter } from "../../../../src/transport/routing/router.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const BEFORE = `
virtualServers:
  - hostName: relay.example
    domains:
      local: [here.example]
      remote:
        - { name: partner.example, smartHost: "gate.example:2525" }
        - { name: mx.example, mx: true }
    delivery: { smartHost: "out.example:25", auth: { user: us, password: one }, destinations: [{ to: gate.example, maxConnections: 3 }] }
`;

const NAMES = ["partner.example", "mx.example", "any.example"];

/** Whose way is another one after `edit`. */
async function changedBy(edit: (text: string) => string): Promise<string[]> {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "onarrival.yaml");
  const ways = async (text: string): Promise<string[]> => {
    await writeFile(file, text);
    const config = await loadConfig(file);
    const [server] = config.virtualServers;
    if (server === undefined) throw new Error("there is no virtual server");
    const router = createRouter(routerSettings(server));
    const wayOf = waysOf(config, server);
    return NAMES.map((name) => {
      const route = router.routeOf(`a@${name}`);
      return route.kind === "local" || route.kind === "unreachable" ? "" : wayOf(route);
    });
  };
  const before = await ways(BEFORE);
  const after = await ways(edit(BEFORE));
  return NAMES.filter((_name, index) => before[index] !== after[index]);
}

test.each([
  ["the same text", (text: string) => text, []],
  ["limits of sessions", (text: string) => text.replace("hostName", "greetDelayMs: 1\n    hostName"), []],
  ["retry intervals", (text: string) => `${text}    retry: { glitchRetries: 1 }\n`, []],
  ["the password of the smart host", (text: string) => text.replace("one", "two"), ["any.example"]],
  [
    "a destination",
    (text: string) => text.replace("maxConnections: 3", "tls: required"),
    ["partner.example"],
  ],
  ["the port of a domain", (text: string) => text.replace("mx: true", "mx: true, port: 26"), ["mx.example"]],
  ["STARTTLS of all", (text: string) => text.replace("delivery: {", "delivery: { startTls: never,"), NAMES],
  ["whom look-ups ask", (text: string) => `${text}dns: { servers: ["192.0.2.53"] }\n`, NAMES],
  ["the name in EHLO", (text: string) => text.replace("relay.example", "new.example"), NAMES],
])("an edit of %s changes the way of those whom it is about", async (_what, edit, changed) => {
  expect((await changedBy(edit)).toSorted()).toEqual([...changed].toSorted());
});
