// What looks on while a service runs: tracking log, protocol logs, times of sinks, and the admin listener that serves the counts.
import path from "node:path";
import { type AdminHttp, startAdminHttp } from "../../admin/admin-http.ts";
import { type HealthReport, judgeHealth } from "../../admin/health.ts";
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import { folderName } from "../../config/server-folders.ts";
import { parseHostPort } from "../../config/values.ts";
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { createMetrics } from "../../observe/metrics.ts";
import { RotatingLog, type RotatingLogSettings } from "../../observe/rotating-log.ts";
import { w3cHeading } from "../../observe/w3c-log.ts";
import type { StepRecorder } from "../../transport/message-steps.ts";
import { MessageTracker, type TrackingSinks } from "./message-tracker.ts";
import { type ServiceParts, createMetricReaders, suspendedScripts } from "./metric-readers.ts";
import { ProtocolLog } from "./protocol-log.ts";
import { hostNameOf } from "../settings.ts";
import { SinkTimes } from "./sink-times.ts";
import type { UnservedBinding } from "../bindings/unserved-bindings.ts";

/** The store forgets a finished message when its line is written: the shorter, the less a crash repeats. */
const TRACKING_FLUSH_MS = 10;
const PROTOCOL_FLUSH_MS = 200;

export type WatchedParts = Omit<ServiceParts, "sinkTimes" | "trackingLost" | "isHealthy">;

interface OpenProtocolLog {
  readonly file: RotatingLog;
  readonly lines: ProtocolLog;
}

/** What `onarrival status` shows of the service as a whole. */
export interface ServiceState {
  readonly health: HealthReport;
  readonly admin: string | undefined;
  readonly suspendedScripts: readonly string[];
  readonly unservedBindings: readonly UnservedBinding[];
  /** Why what the configuration says by now was not taken over; absent: it was. */
  readonly refusedReload?: string | undefined;
}

export class Observation {
  readonly sinkTimes = new SinkTimes();
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #tracking: RotatingLog;
  readonly recorder: StepRecorder;
  readonly #mailroot: string;
  /** By virtual server. A server that starts without a protocol log gets none until it starts again. */
  readonly #protocolLogs = new Map<string, OpenProtocolLog | undefined>();
  #parts: WatchedParts | undefined;
  #admin: AdminHttp | undefined;
  #stopMeasuring: (() => void) | undefined;
  #isStopping = false;
  #refusedReload: string | undefined;

  constructor(config: Config, log: Logger, clock: Clock, trackingSinks?: TrackingSinks) {
    this.#log = log;
    this.#clock = clock;
    this.#mailroot = config.mailroot;
    this.#tracking = new RotatingLog(trackingSettings(config), {
      what: "the message tracking log",
      prefix: "tracking",
      extension: "jsonl",
      droppedText: (lines) => `{"event":0,"step":"lost","lines":${lines}}\n`,
      flushMs: TRACKING_FLUSH_MS,
      clock,
      log,
    });
    this.recorder = new MessageTracker(this.#tracking, clock, trackingSinks);
  }

  /** Undefined when the virtual server has none: it then costs nothing. */
  protocolLog(server: VirtualServerSettings): ProtocolLog | undefined {
    const { name } = server;
    if (!this.#protocolLogs.has(name))
      this.#protocolLogs.set(name, server.protocolLog.enabled ? this.#openProtocolLog(server) : undefined);
    return this.#protocolLogs.get(name)?.lines;
  }

  /** A virtual server has ended. */
  async closeProtocolLog(server: string): Promise<void> {
    const open = this.#protocolLogs.get(server);
    this.#protocolLogs.delete(server);
    await open?.file.close();
  }

  /** Resolves when what the transport has told so far is in the tracking log. */
  kept(): Promise<void> {
    return new Promise((resolve) => this.recorder.whenKept(resolve));
  }

  /** Serves what these parts count, when the configuration names an address. */
  async start(parts: WatchedParts, { admin }: Config): Promise<void> {
    this.#parts = parts;
    const address = admin.listen === undefined ? undefined : parseHostPort(admin.listen);
    if (address === undefined) return;
    const { readers, stop } = createMetricReaders({
      ...parts,
      sinkTimes: this.sinkTimes,
      trackingLost: () => this.#tracking.lost,
      isHealthy: () => this.health().healthy,
    });
    this.#stopMeasuring = stop;
    this.#admin = await startAdminHttp({
      hosts: admin.hosts,
      ...address,
      metrics: createMetrics(readers),
      health: () => this.health(),
      log: this.#log,
    });
    this.#log.info({ address: this.#admin.address }, "admin listener ready");
  }

  configure(config: Config): void {
    this.#tracking.configure(trackingSettings(config));
  }

  /** Keeps why it failed, until another one succeeds. */
  async reloaded(reload: Promise<void>): Promise<void> {
    try {
      await reload;
      this.#refusedReload = undefined;
    } catch (thrown) {
      this.#refusedReload = describeError(thrown);
      throw thrown;
    }
  }

  health(): HealthReport {
    const parts = this.#parts;
    if (parts === undefined) return { healthy: false, reasons: ["the service is starting"], servers: {} };
    const { scripts } = parts;
    return judgeHealth({
      isStopping: this.#isStopping,
      servers: parts.entries().map(({ name, state, server }) => ({
        name,
        state,
        storeRefusal: server?.store.figures().refusal,
        storeFailing: server?.store.counts.isFailing === true,
        isListening: server?.listener.isListening === true,
      })),
      lacksSandbox: scripts.scripts.size > 0 && scripts.figures.live?.hasGivenUp === true,
    });
  }

  state(): ServiceState {
    return {
      health: this.health(),
      admin: this.#admin?.address,
      refusedReload: this.#refusedReload,
      unservedBindings: this.#parts?.unserved() ?? [],
      suspendedScripts: this.#parts === undefined ? [] : suspendedScripts(this.#parts.scripts),
    };
  }

  /** From here on the service is not healthy: balancers send their clients elsewhere. */
  stopping(): void {
    this.#isStopping = true;
  }

  /** Every line is written, and what waited for lines is done. */
  async closeLogs(): Promise<void> {
    await this.#tracking.close();
    await Promise.all([...this.#protocolLogs.values()].flatMap((open) => open?.file.close() ?? []));
  }

  async closeAdmin(): Promise<void> {
    this.#stopMeasuring?.();
    await this.#admin?.close();
  }

  #openProtocolLog(server: VirtualServerSettings): OpenProtocolLog {
    const { enabled, folder, maxSize, keepDays, fields } = server.protocolLog;
    const settings = {
      enabled,
      folder: folder ?? path.join(this.#mailroot, "Protocol", folderName(server.name)),
      maxSize,
      keepDays,
    };
    const file = new RotatingLog(settings, {
      what: `the protocol log of ${server.name}`,
      prefix: "ex",
      extension: "log",
      heading: (now) => w3cHeading(fields, now),
      droppedText: (lines) => `#Remark: ${lines} lines lost\n`,
      flushMs: PROTOCOL_FLUSH_MS,
      clock: this.#clock,
      log: this.#log,
    });
    const lines = new ProtocolLog({
      site: server.name,
      hostName: hostNameOf(server),
      fields,
      log: file,
      clock: this.#clock,
    });
    return { file, lines };
  }
}

function trackingSettings({ mailroot, tracking }: Config): RotatingLogSettings {
  return { ...tracking, folder: tracking.folder ?? path.join(mailroot, "Tracking") };
}
