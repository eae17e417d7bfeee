// Every sample of scripts/ runs in the real service and does not stand in the way of mail.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Service, startService } from "../support/service.ts";
import { plainMessage, send } from "../support/smtp-client.ts";

const SAMPLES = fileURLToPath(new URL("../../scripts/", import.meta.url));
const SCRIPT = /\.(?:js|mjs|ts)$/;

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (name === "node_modules" || name === "types") return [];
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

const samples = readdirSync(SAMPLES).filter(
  (name) => SCRIPT.test(name) && !/^[_.]/.test(name) && !name.endsWith(".d.ts"),
);

/** The sample with everything that it may import. */
function withLibraries(sample: string): Record<string, string> {
  const library = filesBelow(SAMPLES).filter(
    (path) => relative(SAMPLES, path).includes("/") || path.endsWith(".json"),
  );
  return Object.fromEntries(
    [join(SAMPLES, sample), ...library].map((path) => [relative(SAMPLES, path), readFileSync(path, "utf8")]),
  );
}

test("there are samples", () => {
  expect(samples.length).toBeGreaterThan(0);
});

let service: Service;
let sent = 0;
beforeAll(async () => {
  service = await startService({ config: {} });
});
afterAll(() => service[Symbol.asyncDispose]());

test.for(samples)("%s takes a message without a fault", async (sample) => {
  const own = sample.replaceAll(".", String.raw`\.`);
  for (const [name, text] of Object.entries(withLibraries(sample)))
    // oxlint-disable-next-line no-await-in-loop -- the sample is the first, and broken until what it imports is there
    await service.writeScript(name, text);
  await service.logged(new RegExp(`"script":"${own}".*"script live"`));
  sent += 1;
  await send(service.port, {
    data: plainMessage("Quarterly figures", "Dear all,\r\n\r\nplease find them below."),
  });
  await service.dropped(sent);
  await service.removeScript(sample);
  await service.logged(new RegExp(`"script":"${own}".*"script removed"`));
  expect(service.log.filter((line) => /SCRIPT_FAILED|SCRIPT_INVALID/.test(line))).toEqual([]);
  expect(await service.queue()).toEqual([]);
});
