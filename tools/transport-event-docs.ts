// A page for each event of the transport that native sinks are called for: when, what they may read and change, and what follows.
import { readFileSync } from "node:fs";
import { EVENTS, type EventName } from "../src/events/catalog.ts";
import { domainFlag } from "../src/events/contexts/domain-contexts.ts";
import { LOGGED_EVENTS } from "../src/events/event-log.ts";
import { expectationTables } from "./expectation-docs.ts";
import { type PageParts, eventPageName, readInterfaces, subjectTables } from "./event-docs.ts";

interface Described {
  readonly source: string;
  /** Interfaces of the source that sinks receive. */
  readonly contexts: readonly string[];
  readonly when: string;
  /** What follows beside what the table of expectations says, as the tests named in `shownBy` have it. */
  readonly follows?: Readonly<Record<string, string>>;
  readonly shownBy: string;
  readonly example: string;
}

const MAIL_MSG = "The message itself (`MailMsg`): see [sinks](../sinks.md).";

/** Of the events whose promises nobody waits for. */
const OPEN_PROMISES = {
  "too many promises open (`nativeSinks.openPromises`)":
    "the sink is not called until some are settled or late; the log names the binding",
};

const CATEGORIZE = "test/unit/transport/categorizer/categorize-events.test.ts";

const TRANSPORT_EVENTS: Partial<Record<EventName, Described>> = {
  OnTransportSubmission: {
    source: "src/events/catalog.ts",
    contexts: [],
    when: "Scripts and native sinks share one chain. A message that was put back, or whose service died, meets the first sink again, as it was accepted.",
    shownBy: "test/unit/transport/submission.test.ts",
    example: `onEvent(msg) {
  if (msg.recipients.has("sales@example.com")) msg.recipients.add("archive@example.com");
}`,
  },
  OnPreCategorize: {
    source: "src/events/catalog.ts",
    contexts: [],
    when: "Sinks of submission do not run again when a sink here puts the message back.",
    shownBy: CATEGORIZE,
    example: `onEvent(msg) {
  if (msg.recipients.count > 500) msg.status = messageStatus.badMail;
}`,
  },
  OnCategorize: {
    source: "src/events/contexts/categorize-contexts.ts",
    contexts: [
      "RegisterContext",
      "MessageContext",
      "ItemContext",
      "BatchContext",
      "CategorizerItem",
      "CategorizerMessages",
    ],
    when: "`kind` says which of the ten sub-events. The order: `register` once for each set of bindings; for each message `beginMessage`; for each batch of addresses `buildQuery` (each), `buildQueries`, `sendQuery`, `sortQueryResult`, then of each address `processItem`, `expandItem`, `completeItem`, the sender's first; what they expand to makes the next batches; at last `endMessage`. The built-in sink, which asks the directory, expands and applies limits, takes part at priority 16384 in `buildQueries` to `expandItem`: sinks with a smaller number run before it, and with `skipRemaining` in its place. Raised where `categorizer` is configured or a sink is bound; mail that names its server itself is not categorized. A binding counts each message as one firing.",
    follows: {
      "the directory cannot tell":
        "back to the pre-categorization queue, whatever `onError` says; nobody is bounced",
    },
    shownBy: "test/unit/transport/categorizer/sinks.test.ts",
    example: readFileSync("docs/sinks/outside-copy.ts", "utf8").trimEnd(),
  },
  OnPostCategorize: {
    source: "src/events/catalog.ts",
    contexts: [],
    when: "Sinks before it do not run again when a sink here puts the message back.",
    shownBy: CATEGORIZE,
    example: `onEvent(msg) {
  msg.headers.add("X-Recipients", String(msg.recipients.count));
}`,
  },
  OnGetMessageRouter: {
    source: "src/events/contexts/router-contexts.ts",
    contexts: ["RouteContext", "RoutedMessage", "MessageRouter", "LinkContext", "LinkState", "LinkControl"],
    when: '`kind` says which. A next hop is `"local"`, `"default"`, `{ host, port }`, `{ domain }`, whose MX are looked up, or `{ unreachable: "550 5.1.1 text" }`: with 5xx the recipient fails and its sender hears of it, with 4xx it waits and is routed again. Mail that names its server itself (a script that sends through one) is not asked about. Of the link flags of the original these have a meaning here: `retryEnabled` 0x1; `adminHalt` 0x8, which freezes the queues of the next hop until it is unset; `forceConnection` 0x10. Without one: 0x2 (there are no schedules), 0x4 (commands: see `etrnOnly` of [domains](getAuxDomainInfoFlags.md)), 0x20 (nobody is connected to without mail), 0x40, 0x80, 0x100 and 0x800 (queues are made and forgotten by themselves), 0x200 and 0x400 (the route says whether a next hop is ours), 0x1000 (what DNS answers decides).',
    follows: {
      "a router that throws or names no next hop":
        "the recipient waits for its retry, whatever `onError` says",
      "a promise, when a next hop changed its state": "what the sink says of it is done when it is kept",
    },
    shownBy: "test/unit/transport/routing/router-sinks.test.ts",
    example: `onEvent(subject) {
  if (subject.kind !== "route") return;
  const before = subject.router;
  subject.router = {
    getNextHop: (msg, recipient) =>
      recipient.address.endsWith("@partner.example")
        ? { host: "mx.partner.example", port: 2525 }
        : before.getNextHop(msg, recipient),
  };
}`,
  },
  DnsResolver: {
    source: "src/events/contexts/dns-contexts.ts",
    contexts: ["MxLookupContext", "HostLookupContext"],
    when: "`kind` says which. Addresses written in place of a domain, and hosts with a port that routes name, are not looked up here. DNS servers are a setting, `dns.servers`.",
    follows: { "records that are none": "the mail waits, whatever `onError` says" },
    shownBy: "test/unit/transport/routing/dns-sinks.test.ts",
    example: `onEvent(subject) {
  if (subject.kind === "mx" && subject.domain.endsWith(".branch.example"))
    subject.records = [{ exchange: "hub.example", priority: 0 }];
}`,
  },
  StoreDriver: {
    source: "src/events/contexts/store-contexts.ts",
    contexts: ["StoreNotice", "LocalDeliveryContext", "StoredMessage"],
    when: "`kind` says which. The storage itself cannot be replaced: that a message survives any crash depends on it.",
    follows: {
      "another kind than `localDelivery`, `onError: hold`": "nobody waits: the sink is passed over",
      "too many promises open (`nativeSinks.openPromises`), another kind than `localDelivery`":
        "the sink is not told until some are settled or late; the log names the binding. What a start takes up in one turn is told all the same",
    },
    shownBy: "test/unit/transport/store-sinks.test.ts",
    example: `async onEvent(subject) {
  if (subject.kind !== "localDelivery") return;
  for (const { address } of subject.msg.recipients) {
    await mailboxes.store(address, await subject.msg.content.toBuffer());
    subject.deliver(address);
  }
}`,
  },
  MaxMsgSize: {
    source: "src/events/contexts/size-contexts.ts",
    contexts: ["MessageSizeContext"],
    when: "While a sink is bound, EHLO offers `SIZE` without a number, else clients would send nothing larger. `limits.maxSessionSize` stands whatever a sink says. Pickup has no limit of size.",
    follows: {
      "a `limit` below the one that stands, or none": "the limit stands",
      "a client that leaves while a sink is asked": "nothing is kept",
    },
    shownBy: "test/unit/smtp/server/size-sinks.test.ts",
    example: `onEvent(subject) {
  if (subject.user === "scanner") subject.limit = 200 * 1024 * 1024;
}`,
  },
  MsgTrackLog: {
    source: "src/events/contexts/tracking-contexts.ts",
    contexts: ["TrackingRecord"],
    when: "Mail does not wait for these sinks. What is known of a message by its tracking log after a crash is what was written: a record that a sink leaves out is lost.",
    follows: {
      "fields that are none, or in `more` one that each line has (`id`, `step` …)":
        "the record is written as it was",
      ...OPEN_PROMISES,
    },
    shownBy: "test/unit/composition/observation/message-tracker.test.ts",
    example: `onEvent(record, { properties }) {
  if (record.from.endsWith("@hr.example")) record.from = "(withheld)";
}`,
  },
  EventLog: {
    source: "src/events/event-log.ts",
    contexts: ["LogEntry"],
    when: `The log is that of the service: \`server\` of a binding does not choose among its lines. Lines written before the bindings are loaded, and those about a failing sink of this event, are not shown to sinks. The lines:\n\n${Object.entries(
      LOGGED_EVENTS,
    )
      .map(([text, { id, name }]) => `- ${id} \`${name}\`: ${text}`)
      .join("\n")}`,
    follows: OPEN_PROMISES,
    shownBy: "test/unit/events/event-log.test.ts",
    example: `onEvent(entry) {
  if (entry.name === "diskLow") void alertOperator(entry.fields);
}`,
  },
  GetAuxDomainInfoFlags: {
    source: "src/events/contexts/domain-contexts.ts",
    contexts: ["DomainInfoContext"],
    when: `Flags only add to the settings of the domain: none of them makes TLS looser or takes a right to relay away. The flags: ${Object.entries(
      domainFlag,
    )
      .map(([name, bit]) => `\`${name}\` 0x${bit.toString(16).toUpperCase()}`)
      .join(
        ", ",
      )}. Without meaning here: 0x2 and 0x10000 (TURN), 0x4 (ETRN is offered by \`keywords\`), 0x8, 0x10 and 0x40 (NTLM, plain, Kerberos: see \`delivery.auth\`), 0x80 (chunking cannot be required), 0x100000 (a smart host is a route), 0x200000 and 0x400000 (relaying by address and user are settings).`,
    shownBy: "test/unit/events/domain-flags.test.ts",
    example: `onEvent(subject) {
  if (subject.domain.endsWith(".bank.example")) subject.flags |= domainFlag.requireTls;
}`,
  },
  DSN: {
    source: "src/events/contexts/dsn-contexts.ts",
    contexts: ["DsnDueContext", "DsnMadeContext", "ReportedMessage", "ReportedRecipient"],
    when: "`kind` says which. Messages from the null sender are never reported on, so no sink is asked about them. What an attempt came to is saved with its report: a service that dies while a sink keeps it waiting repeats the attempt, also for recipients that had the message already.",
    shownBy: "test/unit/transport/reports/report-sinks.test.ts",
    example: `onEvent(subject) {
  if (subject.kind === "due") subject.textAbove = "Questions? Call 555-0100.";
}`,
  },
};

/** The pages by their paths. */
export const transportEventPages = ({ page, table }: PageParts): [string, string][] =>
  Object.entries(TRANSPORT_EVENTS).map(([name, described]) => {
    const event = EVENTS[name as EventName];
    const { source, contexts, when, follows, shownBy, example } = described;
    const interfaces = readInterfaces(readFileSync(source, "utf8"));
    const subjects = contexts.flatMap((context) => [
      `### \`${context}\``,
      ...subjectTables(interfaces, context, table),
    ]);
    const rule = event.rule === "envelope" ? "Rules are on the envelope." : "Bindings have no rule.";
    return [
      `docs/events/${eventPageName(name)}`,
      page(
        name,
        "## When",
        `Step ${event.step} of the life of a message: ${event.raised}. Sinks may ${event.sinksMay}. ${rule} ${when}`,
        "## Subject",
        ...(subjects.length > 0 ? subjects : [MAIL_MSG]),
        "## What follows",
        ...expectationTables(name, table),
        ...(follows === undefined
          ? []
          : [
              table(
                ["Answer, fault or status", "What happens"],
                Object.entries(follows).map(([answer, what]) => [answer, what]),
              ),
            ]),
        `Shown by \`${shownBy}\`.`,
        "## Example",
        `\`\`\`ts\n${example}\n\`\`\``,
      ),
    ];
  });

export const hasTransportEventPage = (name: string): boolean => Object.hasOwn(TRANSPORT_EVENTS, name);
