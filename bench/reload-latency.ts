// How long a saved script takes to be live on a service that runs: from the write to the first message at the next hop that shows
// the new version.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateLoad } from "./load-generator.ts";
import { quantile } from "./burst.ts";
import { STAMP_MODULE, versionScript } from "./scripts.ts";
import { listen, monotonicMs } from "./smtp-sink.ts";
import { sleep, startService } from "./subject.ts";

const WAIT_MS = 5000;
/** As people save. */
const PAUSE_MS = 250;
/** The first save creates the file and starts compiler and sandboxes, which load the script one after the other. */
const START_MS = 2000;
const LIGHT_LOAD_SESSIONS = 2;

export interface ReloadLatency {
  readonly saves: number;
  readonly missed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A small message of its own: the load is light, the latency is what counts. */
const WIRE = Buffer.from("From: <sender@example.com>\r\nSubject: reload\r\n\r\nlight load\r\n.\r\n");

/** The version that the last message at the next hop showed. */
class VersionWatch {
  #seen = "";
  #wake: (() => void) | undefined;

  show(version: string): void {
    this.#seen = version;
    this.#wake?.();
  }

  /** The time at which the version was there; undefined when it never came. */
  async waitFor(version: string): Promise<number | undefined> {
    const deadline = monotonicMs() + WAIT_MS;
    while (monotonicMs() < deadline) {
      if (this.#seen === version) return monotonicMs();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake = (): void => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return undefined;
  }
}

/** Editors save both ways: in place, and as a new file moved over the old one. */
function save(folder: string, version: number): void {
  const path = join(folder, "version.ts");
  const target = version % 2 === 0 ? path : join(folder, ".version.tmp");
  writeFileSync(target, versionScript(version));
  if (target !== path) renameSync(target, path);
}

async function lightLoad(port: number, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await generateLoad({ port, count: 20, sessions: LIGHT_LOAD_SESSIONS, wire: WIRE, deadlineMs: 5000 });
    await sleep(5);
  }
}

export async function measureReload(saves: number): Promise<ReloadLatency> {
  const watch = new VersionWatch();
  const sink = await listen({ recordHeader: "X-Version", onMessage: (value) => watch.show(value ?? "") });
  const service = await startService({ sinkPort: sink.port });
  const folder = service.scriptsFolder ?? "";
  mkdirSync(join(folder, "lib"));
  writeFileSync(join(folder, "lib/stamp.ts"), STAMP_MODULE);
  const stop = new AbortController();
  const load = lightLoad(service.port, stop.signal).catch(() => undefined);
  const latencies: number[] = [];
  try {
    for (let version = 0; version <= saves; version += 1) {
      const from = monotonicMs();
      save(folder, version);
      const live = await watch.waitFor(`v${version}`);
      if (version > 0 && live !== undefined) latencies.push(live - from);
      await sleep(version === 0 ? START_MS : PAUSE_MS);
    }
  } finally {
    stop.abort();
    await load;
    await service.stop();
    await sink.close();
  }
  return {
    saves,
    missed: saves - latencies.length,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    maxMs: Math.max(...latencies),
  };
}
