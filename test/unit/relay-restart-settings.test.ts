// What a reload says of settings that only a start takes over: those in which the file differs from what runs.
import { copyFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { callControl } from "../../src/admin/control-client.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Logger } from "../../src/core/logger.ts";
import { startRelay } from "../../src/relay.ts";
import { tempFolder } from "../support/temp-folder.ts";

const TLS = new URL("../fixtures/tls/", import.meta.url);

test("is named by each reload until the service is as the file says, and by none after it was taken back", async () => {
  await using folder = await tempFolder("restart-settings");
  const file = path.join(folder.path, "onarrival.yaml");
  const load = async (top: string, server: string): ReturnType<typeof loadConfig> => {
    await writeFile(
      file,
      `${top}\nvirtualServers: [{ name: a, listen: ["127.0.0.1:0", "localhost:0"], ${server} }]\n`,
    );
    return loadConfig(file);
  };
  for (const name of ["one", "two"]) {
    await copyFile(new URL("certificate.pem", TLS), path.join(folder.path, `${name}.crt`));
    await copyFile(new URL("key.pem", TLS), path.join(folder.path, `${name}.key`));
  }
  const tls = "tls: { certificate: one.crt, key: one.key }";
  let told: unknown = [];
  const warn = (fields: object): void => {
    if ("needRestart" in fields) told = fields.needRestart;
  };
  const silent = (): void => undefined;
  const log: Logger = { debug: silent, info: silent, warn, error: silent, child: () => log };
  const relay = await startRelay(await load("", tls), log, systemClock);
  const needRestart = async (top: string, server: string): Promise<unknown> => {
    told = [];
    await relay.reload(await load(top, server));
    return told;
  };
  const server = (verb: string): Promise<unknown> =>
    callControl(path.join(folder.path, "mailroot"), `server.${verb}`, { name: "a" });
  try {
    const listening = `${tls}, protocolLog: { enabled: true }`;
    const expected = ["virtualServers.protocolLog"];
    expect(await needRestart("", listening)).toEqual(expected);
    expect(await needRestart("", `${listening}, hostName: a.example`)).toEqual(expected);
    expect(await needRestart("", tls)).toEqual([]);
    // A virtual server that is started takes its own over.
    expect(await needRestart("", listening)).toEqual(expected);
    await server("stop");
    expect(await needRestart("", listening)).toEqual([]);
    await server("start");
    expect(await needRestart("", listening)).toEqual([]);
    expect(await needRestart("", tls)).toEqual(expected);
    expect(await needRestart("scripts: { pollMs: 77 }\nnativeSinks: { openPromises: 7 }", listening)).toEqual(
      ["scripts.pollMs", "nativeSinks"],
    );
    // Another certificate is live, TLS from the first byte is not.
    expect(await needRestart("", listening.replaceAll("one.", "two."))).toEqual([]);
    expect(await needRestart("", listening.replace("one.key", 'one.key, implicit: ["localhost:0"]'))).toEqual(
      ["virtualServers.tls"],
    );
    expect(await needRestart("", listening.replace(tls, "limits: {}"))).toEqual(["virtualServers.tls"]);
  } finally {
    await relay.stop();
  }
});
