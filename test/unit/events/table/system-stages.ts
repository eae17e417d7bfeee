// Look-ups, records, lines of the log and flags of domains: the parts that raise these events, with what they ask and write for real.
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { MessageTracker } from "../../../../src/composition/observation/message-tracker.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import type { DnsSubject } from "../../../../src/events/contexts/dns-contexts.ts";
import { domainFlag } from "../../../../src/events/contexts/domain-contexts.ts";
import { DomainFlags } from "../../../../src/events/domain-flags.ts";
import { EventLog } from "../../../../src/events/event-log.ts";
import type { Row } from "../../../../src/events/expectation-rows.ts";
import { SystemSinks } from "../../../../src/events/system-chain.ts";
import type { TrackingRecord } from "../../../../src/events/contexts/tracking-contexts.ts";
import { Content } from "../../../../src/message/content.ts";
import { SinkResolver } from "../../../../src/transport/routing/dns-sinks.ts";
import { createQueuedMessage } from "../../../../src/transport/queued-message.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { type LogLine, recordingLog, systemChain, until } from "../../transport/transport-house.ts";
import type { Stage } from "./act.ts";
import { trackingLog } from "../../../support/tracking-log.ts";

const DEADLINE_MS = 20;
const sinks = new SystemSinks({ clock: systemClock, log: silentLogger, sinkDeadlineMs: DEADLINE_MS });

interface LoggingSinks {
  readonly sinks: SystemSinks;
  /** The bindings that its log names, as soon as what the row says has gone wrong. */
  readonly logged: (row: Row) => Promise<readonly unknown[]>;
}

function loggingSinks(): LoggingSinks {
  const lines: LogLine[] = [];
  return {
    sinks: new SystemSinks({
      clock: systemClock,
      log: recordingLog(lines),
      sinkDeadlineMs: DEADLINE_MS,
    }),
    logged: async (row) => {
      if (row.logged === true) await until(() => lines.length > 0, "a line about the sink");
      return lines.map(({ fields }) => fields["binding"]);
    },
  };
}

export const lookUpStage =
  (kind: DnsSubject["kind"]): Stage =>
  async (act) => {
    const change = (subject: DnsSubject): void => {
      if (subject.kind === "mx") subject.records = [{ exchange: "changed.example", priority: 1 }];
      else subject.addresses = ["192.0.2.99"];
    };
    const chain = systemChain(
      "DnsResolver",
      [(subject) => act.perform(subject, () => change(subject)), () => act.next()],
      act.onError,
    );
    const dns = {
      resolveMx: () => Promise.resolve([{ exchange: "mx.far.example", priority: 1 }]),
      resolve4: () => Promise.resolve(["192.0.2.1"]),
      resolve6: () => Promise.resolve([]),
    };
    const resolver = new SinkResolver(dns, { chain: () => chain, sinks, server: "default" });
    try {
      const found = await (kind === "mx" ? resolver.resolveMx("far.example") : resolver.resolve4("mx"));
      return { ending: "goes on", changed: /changed|99/.test(JSON.stringify(found)) };
    } catch {
      return { ending: "waits" };
    }
  };

const TRACKING_CHANGES: Readonly<Record<string, (record: TrackingRecord) => void>> = {
  from: (record) => {
    record.from = "changed@client.example";
  },
  to: (record) => {
    record.to = ["changed@far.example"];
  },
  more: (record) => {
    record.more = { ...record.more, note: "changed" };
  },
  isWritten: (record) => {
    record.isWritten = false;
  },
};

export const trackingStage: Stage = async (act, change) => {
  await using folder = await tempFolder("tracking-table");
  const log = trackingLog(folder.path);
  const chain = systemChain("MsgTrackLog", [
    (record) => act.perform(record, () => TRACKING_CHANGES[change]?.(record)),
    () => act.next(),
  ]);
  const { sinks: watching, logged } = loggingSinks();
  const tracker = new MessageTracker(log, systemClock, { chain: () => chain, sinks: watching });
  const origin = { via: "smtp", arrivalTime: 1, server: "default" } as const;
  const envelope = { sender: "a@client.example", recipients: [{ address: "b@far.example" }] };
  const content = Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n"));
  tracker.submitted(createQueuedMessage("ID1", origin, envelope, content), false);
  await log.close();
  const [file] = await readdir(folder.path);
  const text = file === undefined ? "" : await readFile(path.join(folder.path, file), "utf8");
  const isWritten = text.includes('"step":"submitted"');
  return {
    ending: "goes on",
    changed: !isWritten || text.includes("changed"),
    logged: await logged(act.row),
  };
};

export const eventLogStage: Stage = async (act) => {
  const lines: LogLine[] = [];
  const events = new EventLog(systemClock);
  const log = events.watched(recordingLog(lines));
  const chain = systemChain("EventLog", [
    (entry) =>
      act.perform(entry, () => {
        entry.isWritten = false;
      }),
    () => act.next(),
  ]);
  const { sinks: watching, logged } = loggingSinks();
  events.use(chain, watching);
  log.info({ bindings: 3 }, "configuration reloaded");
  await act.reached;
  const isWritten = lines.some(({ fields }) => fields["eventId"] === 1010);
  return { ending: "goes on", changed: !isWritten, logged: await logged(act.row) };
};

export const domainStage: Stage = async (act) => {
  const chain = systemChain("GetAuxDomainInfoFlags", [
    (context) =>
      act.perform(context, () => {
        context.flags |= domainFlag.requireTls;
      }),
    () => act.next(),
  ]);
  const { sinks: watching, logged } = loggingSinks();
  const flags = new DomainFlags({
    chain: () => chain,
    sinks: watching,
    server: "default",
    clock: systemClock,
  });
  const changed = flags.of("far.example") === domainFlag.requireTls;
  return { ending: "goes on", changed, logged: await logged(act.row) };
};
