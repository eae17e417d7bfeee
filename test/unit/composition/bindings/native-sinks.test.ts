import { execFile } from "node:child_process";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { loadNativeSink } from "../../../../src/composition/bindings/native-sinks.ts";
import { type TempFolder, tempFolder } from "../../../support/temp-folder.ts";

const SINK = 'export default { event: "OnTransportSubmission", onEvent: () => 1 };\n';

async function write(folder: TempFolder, name: string, text: string): Promise<string> {
  const file = path.join(folder.path, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
}

/** In a Node of its own: the test runner resolves modules in its own way. `load` loads a file. */
async function runElsewhere(text: string): Promise<string> {
  const program = `
    import { loadNativeSink, serveOwnPackage } from ${JSON.stringify(new URL("../../../../src/composition/bindings/native-sinks.ts", import.meta.url).href)};
    serveOwnPackage();
    const load = (file) => loadNativeSink(file, "OnTransportSubmission");
    ${text}
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  return stdout.trim();
}

const loadElsewhere = (...files: readonly string[]): Promise<string> =>
  runElsewhere(`
    const sinks = await Promise.all(${JSON.stringify(files)}.map(load));
    for (const sink of sinks) console.log(sink.event, typeof sink.onEvent);`);

describe("a native sink", () => {
  test("that comes with the service is found by its class name, in any case", async () => {
    expect((await loadNativeSink("onarrival.ADDHEADER", "OnTransportSubmission")).event).toBe(
      "OnTransportSubmission",
    );
    expect((await loadNativeSink("OnArrival.LimitRecipients", "OnTransportSubmission")).event).toBe(
      "OnTransportSubmission",
    );
  });

  test("is loaded from a path, also one with spaces and a hash", async () => {
    await using folder = await tempFolder();
    const file = await write(folder, "my sinks/c#.mjs", SINK);
    expect(await loadElsewhere(file)).toBe("OnTransportSubmission function");
  });

  test("may import this program as onarrival from anywhere", async () => {
    await using folder = await tempFolder();
    const file = await write(
      folder,
      "own.mjs",
      'import { defineSink } from "onarrival";\nexport default defineSink({ event: "OnTransportSubmission", onEvent: () => 0 });\n',
    );
    expect(await loadElsewhere(file)).toBe("OnTransportSubmission function");
  });

  test("of CommonJS may require it, also beside one that imports it", async () => {
    await using folder = await tempFolder();
    const esm = await write(folder, "esm.mjs", `import "onarrival";\n${SINK}`);
    const cjs = await write(
      folder,
      "common.cjs",
      'const { defineSink } = require("onarrival");\nmodule.exports = defineSink({ event: "OnTransportSubmission", onEvent: () => sinkResult.runNext });\n',
    );
    const loaded = "OnTransportSubmission function";
    expect(await loadElsewhere(esm, cjs)).toBe(`${loaded}\n${loaded}`);
  });

  test("of CommonJS that was changed is loaded anew", async () => {
    await using folder = await tempFolder();
    const file = await write(folder, "common.cjs", SINK.replace("export default", "module.exports ="));
    const said = await runElsewhere(`
      import { readFileSync, utimesSync, writeFileSync } from "node:fs";
      const file = ${JSON.stringify(file)};
      const first = await load(file);
      writeFileSync(file, readFileSync(file, "utf8").replace("=> 1", "=> 0"));
      utimesSync(file, 1, 1_900_000_000);
      console.log(first.onEvent(), (await load(file)).onEvent());`);
    expect(said).toBe("1 0");
  });

  test("may name its event as a binding does", async () => {
    await using folder = await tempFolder();
    const file = await write(folder, "arrival.mjs", SINK.replace("OnTransportSubmission", "OnArrival"));
    expect(await loadNativeSink(file, "OnTransportSubmission")).toHaveProperty("onEvent");
    await expect(loadNativeSink(file, "OnPreCategorize")).rejects.toMatchObject({ code: "SINK_INVALID" });
  });

  test("that was changed is loaded anew", async () => {
    await using folder = await tempFolder();
    const file = await write(folder, "sink.mjs", SINK);
    const first = await loadNativeSink(file, "OnTransportSubmission");
    await writeFile(file, SINK.replace("=> 1", "=> 0"));
    await utimes(file, 1, 1_900_000_000);
    const second = await loadNativeSink(file, "OnTransportSubmission");
    expect(second).not.toBe(first);
  });

  test.each([
    ["of an unknown class", "Some.Class", "SINK_NOT_FOUND"],
    ["of a file that is not there", "/nonexistent/sink.mjs", "SINK_NOT_FOUND"],
  ])("%s is refused", async (_name, sinkClass, code) => {
    await expect(loadNativeSink(sinkClass, "OnTransportSubmission")).rejects.toMatchObject({ code });
  });

  test.each([
    ["without a default export", "export const sink = 1;\n", "SINK_INVALID"],
    ["without onEvent", 'export default { event: "OnTransportSubmission" };\n', "SINK_INVALID"],
    ["of another event", SINK.replace("OnTransportSubmission", "OnMessageStart"), "SINK_INVALID"],
    ["that throws while it is loaded", 'throw new Error("boom");\n', "SINK_NOT_FOUND"],
    ["whose rule is no text", SINK.replace("onEvent", "binding: { rule: 42 }, onEvent"), "SINK_INVALID"],
    [
      "whose priority is none",
      SINK.replace("onEvent", "binding: { priority: 99999 }, onEvent"),
      "SINK_INVALID",
    ],
  ])("%s is refused with its file in the message", async (_name, text, code) => {
    await using folder = await tempFolder();
    const file = await write(folder, "sink.mjs", text);
    await expect(loadNativeSink(file, "OnTransportSubmission")).rejects.toMatchObject({
      code,
      message: expect.stringContaining(file) as string,
    });
  });

  test("that waits for ever while it is loaded is refused after a while", async () => {
    await using folder = await tempFolder();
    const file = await write(folder, "sink.mjs", `await new Promise(() => undefined);\n${SINK}`);
    await expect(loadNativeSink(file, "OnTransportSubmission", {}, 50)).rejects.toMatchObject({
      code: "SINK_NOT_FOUND",
      message: expect.stringContaining("not loaded within 50 ms") as string,
    });
  });

  test("that could not be loaded is tried anew, also when its file is the same", async () => {
    await using folder = await tempFolder();
    const text = `import { existsSync } from "node:fs";
      if (!existsSync(${JSON.stringify(path.join(folder.path, "up"))})) throw new Error("the directory is down");\n${SINK}`;
    const file = await write(folder, "sink.mjs", text);
    await expect(loadNativeSink(file, "OnTransportSubmission")).rejects.toThrow("the directory is down");
    await write(folder, "up", "");
    expect((await loadNativeSink(file, "OnTransportSubmission")).event).toBe("OnTransportSubmission");
  });
});
