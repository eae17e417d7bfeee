// Every metric, declared once: docs/operating.md lists them, a test holds it to this table. Names as Prometheus wants them.

interface MetricDeclaration {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
}

const counter = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ kind: "counter", help, labels }) as const;
const gauge = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ kind: "gauge", help, labels }) as const;
const histogram = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ kind: "histogram", help, labels }) as const;

export const METRICS = {
  onarrival_healthy: gauge("1 while GET /healthz answers 200"),
  onarrival_server_running: gauge(
    "1 while the virtual server runs, 0 while it is paused or stopped",
    "server",
  ),
  onarrival_smtp_connections: gauge("Open inbound connections", "server"),
  onarrival_smtp_connections_accepted_total: counter("Inbound connections taken", "server"),
  onarrival_smtp_connections_refused_total: counter(
    "Inbound connections turned away with 421, by the limit met: connections, address; or paused",
    "server",
    "limit",
  ),
  onarrival_smtp_commands_total: counter(
    "Commands of clients; _EOD is the end of data, other what is no verb",
    "server",
    "verb",
  ),
  onarrival_smtp_replies_total: counter(
    "Replies to clients by the first digit of the code",
    "server",
    "class",
  ),
  onarrival_messages_accepted_total: counter(
    "Messages that became durable, by source: smtp, pickup, dsn",
    "server",
    "source",
  ),
  onarrival_accepted_bytes_total: counter("Bytes of these messages", "server"),
  onarrival_delivered_bytes_total: counter("Bytes of messages handed on, counted per next hop", "server"),
  onarrival_recipients_total: counter(
    "Recipients that came to their end: delivered, relayed, bounced, expired, discarded, badmail, expanded",
    "server",
    "state",
  ),
  onarrival_attempts_total: counter(
    "Delivery attempts by their best result: succeeded, deferred, refused, unreachable",
    "server",
    "outcome",
  ),
  onarrival_reports_total: counter("Delivery status notifications made, by kind", "server", "kind"),
  onarrival_messages: gauge("Unfinished messages", "server"),
  onarrival_queue_messages: gauge(
    "Messages by queue: submission (sinks at work), pre-submission, local, remote, unreachable",
    "server",
    "queue",
  ),
  onarrival_deliveries: gauge(
    "Deliveries in the queues of next hops: active, ready, retry, held",
    "server",
    "state",
  ),
  onarrival_destination_messages: gauge(
    "Messages of the 20 fullest next hops, and of all others",
    "server",
    "queue",
  ),
  onarrival_oldest_message_age_seconds: gauge("Age of the message that waits longest", "server"),
  onarrival_held_messages: gauge(
    "Held messages by reason: script, sink, poison, operator",
    "server",
    "reason",
  ),
  onarrival_sink_seconds: histogram("Time of sinks by binding; kind is native or script", "binding", "kind"),
  onarrival_sink_faults_total: counter(
    "Faults of sinks; script is empty for native ones",
    "binding",
    "script",
    "fault",
  ),
  onarrival_scripts: gauge("Scripts: live, broken, disabled, suspended", "state"),
  onarrival_bindings_without_script: gauge(
    "Bindings whose script is not there or never went live: by their onError mail is held",
  ),
  onarrival_script_strikes_total: counter(
    "Time-outs, memory faults and crashes that count against a version",
  ),
  onarrival_script_suspensions_total: counter("Versions suspended after too many strikes"),
  onarrival_sandbox_processes: gauge("Sandbox processes for live mail and for shadow runs", "pool", "state"),
  onarrival_sandbox_processes_ended_total: counter(
    "Sandbox processes that ended: deadline, memory, start, exit, violation",
    "reason",
  ),
  onarrival_sandbox_queued_jobs: gauge("Jobs that wait for a sandbox process", "pool"),
  onarrival_sandbox_waiting_jobs: gauge("Jobs whose scripts wait for a capability", "pool"),
  onarrival_shadow_runs: gauge("Shadow runs in hand"),
  onarrival_shadow_runs_total: counter("Shadow runs: started, left_out", "outcome"),
  onarrival_capability_requests_total: counter("Requests of scripts: fetch, kv, dns", "kind"),
  onarrival_capability_refusals_total: counter("Requests of scripts that were refused or failed"),
  onarrival_store_commits_total: counter(
    "Messages written by the store, those of compaction included",
    "server",
  ),
  onarrival_store_barriers_total: counter("Disk barriers", "server"),
  onarrival_store_barrier_seconds_total: counter(
    "Time from the start of a write until its barrier was through",
    "server",
  ),
  onarrival_store_failures_total: counter("Writes or barriers that failed", "server"),
  onarrival_store_segments: gauge("Segment files", "server"),
  onarrival_store_bytes: gauge("Bytes in segment files", "server"),
  onarrival_tracking_lines_lost_total: counter("Lines of the tracking log that could not be written"),
  onarrival_event_loop_lag_seconds: gauge(
    "Delay of the relay's event loop since the last scrape",
    "quantile",
  ),
  process_resident_memory_bytes: gauge("Memory of the relay process"),
  process_cpu_seconds_total: counter("Processor time of the relay process"),
  process_start_time_seconds: gauge("Start of the relay process since the epoch"),
} satisfies Record<string, MetricDeclaration>;

export type MetricName = keyof typeof METRICS;
