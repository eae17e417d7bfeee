// Where each metric comes from: reads the plain counts of the rooms when somebody scrapes.
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Labels, MetricReaders, Sample } from "../observe/metrics.ts";
import type { AskedRequests } from "../sandbox/capabilities/asked-requests.ts";
import type { PoolFigures } from "../sandbox/pool/sandbox-counts.ts";
import type { ScriptHost } from "../sandbox/script-host.ts";
import type { ShadowRuns } from "../sandbox/shadow-runs.ts";
import type { SmtpListener } from "../smtp/server/smtp-listener.ts";
import type { SegmentStore } from "../store/segment-store.ts";
import type { QueueDepths } from "../transport/queue-view.ts";
import type { Transport } from "../transport/transport.ts";
import type { SinkTimes } from "./sink-times.ts";

export interface ServerListener {
  readonly name: string;
  readonly listener: SmtpListener;
}

/** The parts of a running service. */
export interface ServiceParts {
  readonly listeners: readonly ServerListener[];
  readonly transport: Transport;
  readonly store: SegmentStore;
  readonly scripts: ScriptHost;
  readonly shadows: Pick<ShadowRuns, "running" | "started" | "leftOut">;
  readonly asked: AskedRequests;
  readonly sinkTimes: SinkTimes;
  readonly trackingLost: () => number;
  readonly isHealthy: () => boolean;
}

const RESOLUTION_MS = 20;
/** One scrape asks for the queues some times. */
const SAME_SCRAPE_MS = 50;

const one = (value: number): Sample[] => [{ value }];

const each = (label: string, values: Readonly<Record<string, number>>, more?: Labels): Sample[] =>
  Object.entries(values).map(([name, value]) => ({ labels: { ...more, [label]: name }, value }));

/** Also starts the measuring of the event loop's delay; `stop` ends it. */
export function createMetricReaders(parts: ServiceParts): { readers: MetricReaders; stop: () => void } {
  const loopDelay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  loopDelay.enable();
  return {
    readers: {
      onarrival_healthy: () => one(parts.isHealthy() ? 1 : 0),
      ...protocolReaders(parts),
      ...transportReaders(parts),
      ...sinkReaders(parts),
      ...storeReaders(parts),
      onarrival_tracking_lines_lost_total: () => one(parts.trackingLost()),
      onarrival_event_loop_lag_seconds: () => takeDelay(loopDelay),
      process_resident_memory_bytes: () => one(process.memoryUsage.rss()),
      process_cpu_seconds_total: () => {
        const { user, system } = process.cpuUsage();
        return one((user + system) / 1e6);
      },
      process_start_time_seconds: () => one(performance.timeOrigin / 1000),
    },
    stop: () => void loopDelay.disable(),
  };
}

function protocolReaders({
  listeners,
}: ServiceParts): Pick<
  MetricReaders,
  | "onarrival_smtp_connections"
  | "onarrival_smtp_connections_accepted_total"
  | "onarrival_smtp_connections_refused_total"
  | "onarrival_smtp_commands_total"
  | "onarrival_smtp_replies_total"
> {
  const perServer = (samples: (listener: SmtpListener, server: string) => Sample[]) => (): Sample[] =>
    listeners.flatMap(({ name, listener }) => samples(listener, name));
  return {
    onarrival_smtp_connections: perServer(({ connections }, server) => [
      { labels: { server }, value: connections },
    ]),
    onarrival_smtp_connections_accepted_total: perServer(({ counts }, server) => [
      { labels: { server }, value: counts.accepted },
    ]),
    onarrival_smtp_connections_refused_total: perServer(({ counts }, server) =>
      each("limit", counts.refused, { server }),
    ),
    onarrival_smtp_commands_total: perServer(({ counts: { commands, otherCommands } }, server) =>
      [...commands, ["other", otherCommands] as const].map(([verb, { count }]) => ({
        labels: { server, verb },
        value: count,
      })),
    ),
    onarrival_smtp_replies_total: perServer(({ counts }, server) =>
      [2, 3, 4, 5].map((digit) => ({
        labels: { server, class: String(digit) },
        value: counts.replies[digit] ?? 0,
      })),
    ),
  };
}

function transportReaders({
  transport,
}: ServiceParts): Pick<
  MetricReaders,
  | "onarrival_messages_accepted_total"
  | "onarrival_accepted_bytes_total"
  | "onarrival_delivered_bytes_total"
  | "onarrival_recipients_total"
  | "onarrival_attempts_total"
  | "onarrival_reports_total"
  | "onarrival_messages"
  | "onarrival_queue_messages"
  | "onarrival_deliveries"
  | "onarrival_destination_messages"
  | "onarrival_oldest_message_age_seconds"
  | "onarrival_held_messages"
> {
  const { counts } = transport;
  let depths = transport.depths();
  let lookedAt = performance.now();
  const current = (): QueueDepths => {
    const now = performance.now();
    if (now - lookedAt > SAME_SCRAPE_MS) depths = transport.depths();
    lookedAt = now;
    return depths;
  };
  return {
    onarrival_messages_accepted_total: () => each("source", counts.messages),
    onarrival_accepted_bytes_total: () => one(counts.bytesAccepted),
    onarrival_delivered_bytes_total: () => one(counts.bytesDelivered),
    onarrival_recipients_total: () => each("state", counts.recipients),
    onarrival_attempts_total: () => each("outcome", counts.attempts),
    onarrival_reports_total: () => each("kind", counts.reports),
    onarrival_messages: () => one(current().messages),
    onarrival_queue_messages: () => each("queue", current().kinds),
    onarrival_deliveries: () => each("state", current().states),
    onarrival_destination_messages: () => {
      const { destinations, otherDestinations } = current();
      return [
        ...destinations.map(({ queue, messages }) => ({ labels: { queue }, value: messages })),
        { labels: { queue: "others" }, value: otherDestinations },
      ];
    },
    onarrival_oldest_message_age_seconds: () => one(current().oldestAgeMs / 1000),
    onarrival_held_messages: () => each("reason", current().held),
  };
}

function sinkReaders({
  sinkTimes,
  scripts,
  shadows,
  asked,
}: ServiceParts): Pick<
  MetricReaders,
  | "onarrival_sink_seconds"
  | "onarrival_sink_faults_total"
  | "onarrival_scripts"
  | "onarrival_script_strikes_total"
  | "onarrival_script_suspensions_total"
  | "onarrival_sandbox_processes"
  | "onarrival_sandbox_processes_ended_total"
  | "onarrival_sandbox_queued_jobs"
  | "onarrival_sandbox_waiting_jobs"
  | "onarrival_shadow_runs"
  | "onarrival_shadow_runs_total"
  | "onarrival_capability_requests_total"
  | "onarrival_capability_refusals_total"
> {
  const { counts } = scripts;
  const perPool = (samples: (figures: PoolFigures, pool: string) => Sample[]) => (): Sample[] =>
    Object.entries(scripts.figures).flatMap(([pool, figures]) =>
      figures === undefined ? [] : samples(figures, pool),
    );
  return {
    onarrival_sink_seconds: () => sinkTimes.times(),
    onarrival_sink_faults_total: () => sinkTimes.faults(),
    onarrival_scripts: () =>
      each("state", {
        live: scripts.scripts.size,
        broken: scripts.broken.size,
        disabled: scripts.disabled.size,
        suspended: suspendedScripts(scripts).length,
      }),
    onarrival_script_strikes_total: () => one(counts.strikes),
    onarrival_script_suspensions_total: () => one(counts.suspensions),
    onarrival_sandbox_processes: perPool(({ processes, ready }, pool) =>
      each("state", { ready, starting: processes - ready }, { pool }),
    ),
    onarrival_sandbox_processes_ended_total: () => each("reason", counts.processesEnded),
    onarrival_sandbox_queued_jobs: perPool(({ queued }, pool) => [{ labels: { pool }, value: queued }]),
    onarrival_sandbox_waiting_jobs: perPool(({ waiting }, pool) => [{ labels: { pool }, value: waiting }]),
    onarrival_shadow_runs: () => one(shadows.running),
    onarrival_shadow_runs_total: () =>
      each("outcome", { started: shadows.started, left_out: shadows.leftOut }),
    onarrival_capability_requests_total: () => each("kind", asked.counts),
    onarrival_capability_refusals_total: () => one(asked.refused),
  };
}

function storeReaders({
  store,
}: ServiceParts): Pick<
  MetricReaders,
  | "onarrival_store_commits_total"
  | "onarrival_store_barriers_total"
  | "onarrival_store_barrier_seconds_total"
  | "onarrival_store_failures_total"
  | "onarrival_store_segments"
  | "onarrival_store_bytes"
> {
  const { counts } = store;
  return {
    onarrival_store_commits_total: () => one(counts.commits),
    onarrival_store_barriers_total: () => one(counts.barriers),
    onarrival_store_barrier_seconds_total: () => one(counts.barrierMs / 1000),
    onarrival_store_failures_total: () => one(counts.failures),
    onarrival_store_segments: () => one(store.figures().segments),
    onarrival_store_bytes: () => one(store.figures().bytes),
  };
}

/** Names of scripts whose live version is suspended. */
export const suspendedScripts = ({ control }: Pick<ScriptHost, "control">): string[] =>
  (control?.list() ?? []).flatMap(({ name, suspended }) => (suspended ? [name] : []));

function takeDelay(delay: ReturnType<typeof monitorEventLoopDelay>): Sample[] {
  const samples = [
    delaySample("0.5", delay.percentile(50)),
    delaySample("0.99", delay.percentile(99)),
    delaySample("1", delay.max),
  ];
  delay.reset();
  return samples;
}

/** Measured is the time from one look to the next, of which the resolution is no delay. */
function delaySample(quantile: string, nanoseconds: number): Sample {
  const seconds = Number.isFinite(nanoseconds) ? nanoseconds / 1e9 - RESOLUTION_MS / 1000 : 0;
  return { labels: { quantile }, value: Math.max(0, seconds) };
}
