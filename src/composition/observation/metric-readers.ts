// Where each metric comes from: reads the plain counts of all folders when somebody scrapes.
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Labels, MetricReaders, Sample } from "../../observe/metrics.ts";
import type { AskedRequests } from "../../sandbox/capabilities/asked-requests.ts";
import type { PoolFigures } from "../../sandbox/pool/sandbox-counts.ts";
import type { ScriptHost } from "../../sandbox/script-host.ts";
import type { ShadowRuns } from "../../sandbox/shadow-runs.ts";
import type { SegmentStore } from "../../store/segments/segment-store.ts";
import type { QueueDepths } from "../../transport/queues/queue-view.ts";
import type { TransportCounts } from "../../transport/transport-counts.ts";
import type { SinkTimes } from "./sink-times.ts";
import type { ServerEntry } from "../servers/server-set.ts";
import type { UnservedBinding } from "../bindings/unserved-bindings.ts";
import type { VirtualServer } from "../servers/virtual-server.ts";

/** The parts of a running service. */
export interface ServiceParts {
  readonly entries: () => readonly ServerEntry[];
  readonly scripts: ScriptHost;
  readonly shadows: Pick<ShadowRuns, "running" | "started" | "leftOut">;
  readonly asked: AskedRequests;
  readonly unserved: () => readonly UnservedBinding[];
  readonly sinkTimes: SinkTimes;
  readonly trackingLost: () => number;
  readonly isHealthy: () => boolean;
}

const RESOLUTION_MS = 20;
/** One scrape asks for the queues several times, and gets the same answer. */
const SAME_SCRAPE_MS = 50;

const one = (value: number): Sample[] => [{ value }];

const each = (label: string, values: Readonly<Record<string, number>>, more?: Labels): Sample[] =>
  Object.entries(values).map(([name, value]) => ({ labels: { ...more, [label]: name }, value }));

/** Also starts the measuring of the event loop's delay; `stop` ends it. */
export function createMetricReaders(parts: ServiceParts): { readers: MetricReaders; stop: () => void } {
  const loopDelay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  loopDelay.enable();
  const perServer = perServerOf(parts);
  return {
    readers: {
      onarrival_healthy: () => one(parts.isHealthy() ? 1 : 0),
      onarrival_server_running: () =>
        parts.entries().map(({ name, state }) => ({
          labels: { server: name },
          value: state === "running" ? 1 : 0,
        })),
      ...protocolReaders(perServer),
      ...messageReaders(perServer),
      ...queueReaders(perServer),
      ...sinkReaders(parts),
      ...storeReaders(perServer),
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

type PerServer = (samples: (server: VirtualServer, labels: Labels) => Sample[]) => () => Sample[];

const perServerOf =
  ({ entries }: ServiceParts): PerServer =>
  (samples) =>
  () =>
    entries().flatMap(({ name, server }) => (server === undefined ? [] : samples(server, { server: name })));

function protocolReaders(
  perServer: PerServer,
): Pick<
  MetricReaders,
  | "onarrival_smtp_connections"
  | "onarrival_smtp_connections_accepted_total"
  | "onarrival_smtp_connections_refused_total"
  | "onarrival_smtp_commands_total"
  | "onarrival_smtp_replies_total"
> {
  return {
    onarrival_smtp_connections: perServer(({ listener }, labels) => [
      { labels, value: listener.connections },
    ]),
    onarrival_smtp_connections_accepted_total: perServer(({ listener }, labels) => [
      { labels, value: listener.counts.accepted },
    ]),
    onarrival_smtp_connections_refused_total: perServer(({ listener }, labels) =>
      each("limit", listener.counts.refused, labels),
    ),
    onarrival_smtp_commands_total: perServer(
      (
        {
          listener: {
            counts: { commands, otherCommands },
          },
        },
        labels,
      ) =>
        [...commands, ["other", otherCommands] as const].map(([verb, { count }]) => ({
          labels: { ...labels, verb },
          value: count,
        })),
    ),
    onarrival_smtp_replies_total: perServer(({ listener }, labels) =>
      [2, 3, 4, 5].map((digit) => ({
        labels: { ...labels, class: String(digit) },
        value: listener.counts.replies[digit] ?? 0,
      })),
    ),
  };
}

function messageReaders(
  perServer: PerServer,
): Pick<
  MetricReaders,
  | "onarrival_messages_accepted_total"
  | "onarrival_accepted_bytes_total"
  | "onarrival_delivered_bytes_total"
  | "onarrival_recipients_total"
  | "onarrival_attempts_total"
  | "onarrival_reports_total"
> {
  const count = (read: (counts: TransportCounts) => number): (() => Sample[]) =>
    perServer(({ transport }, labels) => [{ labels, value: read(transport.counts) }]);
  const eachOf = (
    label: string,
    read: (counts: TransportCounts) => Readonly<Record<string, number>>,
  ): (() => Sample[]) => perServer(({ transport }, labels) => each(label, read(transport.counts), labels));
  return {
    onarrival_messages_accepted_total: eachOf("source", ({ messages }) => messages),
    onarrival_accepted_bytes_total: count(({ bytesAccepted }) => bytesAccepted),
    onarrival_delivered_bytes_total: count(({ bytesDelivered }) => bytesDelivered),
    onarrival_recipients_total: eachOf("state", ({ recipients }) => recipients),
    onarrival_attempts_total: eachOf("outcome", ({ attempts }) => attempts),
    onarrival_reports_total: eachOf("kind", ({ reports }) => reports),
  };
}

function queueReaders(
  perServer: PerServer,
): Pick<
  MetricReaders,
  | "onarrival_messages"
  | "onarrival_queue_messages"
  | "onarrival_deliveries"
  | "onarrival_destination_messages"
  | "onarrival_oldest_message_age_seconds"
  | "onarrival_held_messages"
> {
  const looks = new WeakMap<VirtualServer, { readonly depths: QueueDepths; readonly at: number }>();
  const current = (server: VirtualServer): QueueDepths => {
    const now = performance.now();
    const last = looks.get(server);
    if (last !== undefined && now - last.at <= SAME_SCRAPE_MS) return last.depths;
    const depths = server.transport.depths();
    looks.set(server, { depths, at: now });
    return depths;
  };
  const read = (samples: (depths: QueueDepths, labels: Labels) => Sample[]): (() => Sample[]) =>
    perServer((server, labels) => samples(current(server), labels));
  return {
    onarrival_messages: read(({ messages }, labels) => [{ labels, value: messages }]),
    onarrival_queue_messages: read(({ kinds }, labels) => each("queue", kinds, labels)),
    onarrival_deliveries: read(({ states }, labels) => each("state", states, labels)),
    onarrival_destination_messages: read(({ destinations, otherDestinations }, labels) => [
      ...destinations.map(({ queue, messages }) => ({ labels: { ...labels, queue }, value: messages })),
      { labels: { ...labels, queue: "others" }, value: otherDestinations },
    ]),
    onarrival_oldest_message_age_seconds: read(({ oldestAgeMs }, labels) => [
      { labels, value: oldestAgeMs / 1000 },
    ]),
    onarrival_held_messages: read(({ held }, labels) => each("reason", held, labels)),
  };
}

function sinkReaders({
  sinkTimes,
  scripts,
  shadows,
  asked,
  unserved,
}: ServiceParts): Pick<
  MetricReaders,
  | "onarrival_sink_seconds"
  | "onarrival_sink_faults_total"
  | "onarrival_scripts"
  | "onarrival_script_strikes_total"
  | "onarrival_script_suspensions_total"
  | "onarrival_sandbox_processes"
  | "onarrival_sandbox_processes_ended_total"
  | "onarrival_bindings_without_script"
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
    onarrival_bindings_without_script: () => one(unserved().length),
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

function storeReaders(
  perServer: PerServer,
): Pick<
  MetricReaders,
  | "onarrival_store_commits_total"
  | "onarrival_store_barriers_total"
  | "onarrival_store_barrier_seconds_total"
  | "onarrival_store_failures_total"
  | "onarrival_store_segments"
  | "onarrival_store_bytes"
> {
  const read = (value: (store: SegmentStore) => number): (() => Sample[]) =>
    perServer(({ store }, labels) => [{ labels, value: value(store) }]);
  return {
    onarrival_store_commits_total: read(({ counts }) => counts.commits),
    onarrival_store_barriers_total: read(({ counts }) => counts.barriers),
    onarrival_store_barrier_seconds_total: read(({ counts }) => counts.barrierMs / 1000),
    onarrival_store_failures_total: read(({ counts }) => counts.failures),
    onarrival_store_segments: read((store) => store.figures().segments),
    onarrival_store_bytes: read((store) => store.figures().bytes),
  };
}

/** Names of scripts whose live version is suspended, be it only in shadow. */
export const suspendedScripts = ({ control }: Pick<ScriptHost, "control">): string[] =>
  (control?.list() ?? []).flatMap(({ name, suspended, suspendedInShadow }) =>
    suspended ? [name] : suspendedInShadow ? [`${name} (in shadow)`] : [],
  );

function takeDelay(delay: ReturnType<typeof monitorEventLoopDelay>): Sample[] {
  const samples = [
    delaySample("0.5", delay.percentile(50)),
    delaySample("0.99", delay.percentile(99)),
    delaySample("1", delay.max),
  ];
  delay.reset();
  return samples;
}

/** What is measured is the time between two looks: the resolution, which is no delay, is taken off. */
function delaySample(quantile: string, nanoseconds: number): Sample {
  const seconds = Number.isFinite(nanoseconds) ? nanoseconds / 1e9 - RESOLUTION_MS / 1000 : 0;
  return { labels: { quantile }, value: Math.max(0, seconds) };
}
