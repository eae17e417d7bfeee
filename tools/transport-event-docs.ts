// A page for each event of the transport that native sinks are called for: when, what they may read and change, and what follows.
import { readFileSync } from "node:fs";
import { EVENTS, type EventName } from "../src/events/catalog.ts";
import { type PageParts, eventPageName, readInterfaces, subjectTables } from "./event-docs.ts";

interface Described {
  readonly source: string;
  /** Interfaces of the source that sinks receive. */
  readonly contexts: readonly string[];
  readonly when: string;
  /** What follows each answer, fault and status, as the tests named in `shownBy` have it. */
  readonly follows: Readonly<Record<string, string>>;
  readonly shownBy: string;
  readonly example: string;
}

const MAIL_MSG = "The message itself (`MailMsg`): see [sinks](../sinks.md).";

const onlyNextHop = {
  "`runNext` (`S_OK`), nothing": "the next sink is called",
  "`skipRemaining` (`S_FALSE`)": "no further sink is called",
};

const mailEvent = (queue: string): Described["follows"] => ({
  "`runNext` (`S_OK`), nothing": "the status is looked at, then the next sink is called",
  "`skipRemaining` (`S_FALSE`)": "no further sink of this event is called; the message goes on",
  "a promise (`S_PENDING`)": "only this message waits",
  "throw, rejected promise, other answer": `the changes of this sink are dropped; by \`onError\`: \`hold\` back to the ${queue} queue, \`continue\` the next sink, \`badmail\``,
  "status 0": "go on",
  "status 1": `back to the ${queue} queue, tried again at the retry intervals, beginning with the first sink of this event`,
  "status 2": "the message is deleted without a report",
  "status 3": "the message moves to Badmail as the sinks left it",
});

const CATEGORIZE = "test/unit/transport/categorize-events.test.ts";

const TRANSPORT_EVENTS: Partial<Record<EventName, Described>> = {
  OnTransportSubmission: {
    source: "src/events/catalog.ts",
    contexts: [],
    when: "Scripts and native sinks share one chain. A message that was put back, or whose service died, meets the first sink again, as it was accepted.",
    follows: mailEvent("pre-submission"),
    shownBy: "test/unit/transport/submission.test.ts",
    example: `onEvent(msg) {
  if (msg.recipients.has("sales@example.com")) msg.recipients.add("archive@example.com");
}`,
  },
  OnPreCategorize: {
    source: "src/events/catalog.ts",
    contexts: [],
    when: "Sinks of submission do not run again when a sink here puts the message back.",
    follows: mailEvent("pre-categorization"),
    shownBy: CATEGORIZE,
    example: `onEvent(msg) {
  if (msg.recipients.count > 500) msg.status = messageStatus.badMail;
}`,
  },
  OnPostCategorize: {
    source: "src/events/catalog.ts",
    contexts: [],
    when: "Sinks before it do not run again when a sink here puts the message back.",
    follows: mailEvent("pre-routing"),
    shownBy: CATEGORIZE,
    example: `onEvent(msg) {
  msg.headers.add("X-Recipients", String(msg.recipients.count));
}`,
  },
  OnGetMessageRouter: {
    source: "src/events/router-contexts.ts",
    contexts: ["RouteContext", "RoutedMessage", "MessageRouter", "LinkContext", "LinkState", "LinkControl"],
    when: '`kind` says which. A next hop is `"local"`, `"default"`, `{ host, port }`, `{ domain }`, whose MX are looked up, or `{ unreachable: "550 5.1.1 text" }`: with 5xx the recipient fails and its sender hears of it, with 4xx it waits and is routed again. Mail that names its server itself (a script that sends through one) is not asked about.',
    follows: {
      ...onlyNextHop,
      "a promise (`S_PENDING`)": "only this message waits, at most `outbound.sinkTimeoutMs`",
      "throw, late or other answer":
        "by `onError`: `hold` and `badmail` keep the recipients waiting for their retry, `continue` takes the router of the sinks before",
      "a router that throws or names no next hop":
        "the recipient waits for its retry, whatever `onError` says",
      status: "none: the message is not changed any more",
    },
    shownBy: "test/unit/transport/router-sinks.test.ts",
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
    source: "src/events/dns-contexts.ts",
    contexts: ["MxLookupContext", "HostLookupContext"],
    when: "`kind` says which. Addresses written in place of a domain, and hosts with a port that routes name, are not looked up here. DNS servers are a setting, `dns.servers`.",
    follows: {
      ...onlyNextHop,
      "a promise (`S_PENDING`)": "mail for that next hop waits, at most `outbound.sinkTimeoutMs`",
      "throw, late or other answer":
        "by `onError`: `hold` and `badmail` let the mail wait as after trouble with DNS, `continue` passes the sink over",
      "records that are none": "the mail waits, whatever `onError` says",
      status: "none",
    },
    shownBy: "test/unit/transport/dns-sinks.test.ts",
    example: `onEvent(subject) {
  if (subject.kind === "mx" && subject.domain.endsWith(".branch.example"))
    subject.records = [{ exchange: "hub.example", priority: 0 }];
}`,
  },
  StoreDriver: {
    source: "src/events/store-contexts.ts",
    contexts: ["StoreNotice", "LocalDeliveryContext", "StoredMessage"],
    when: "`kind` says which. The storage itself cannot be replaced: that a message survives any crash depends on it. There is no event for reads.",
    follows: {
      ...onlyNextHop,
      "a promise (`S_PENDING`)":
        "local delivery of this message waits, at most `outbound.sinkTimeoutMs`; nobody waits for the other kinds",
      "throw, late or other answer":
        "of local delivery, by `onError`: `hold` and `badmail` keep the recipients waiting for their retry, `continue` passes the sink over; of the other kinds it is passed over",
      status: "none",
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
  DSN: {
    source: "src/events/dsn-contexts.ts",
    contexts: ["DsnDueContext", "DsnMadeContext", "ReportedMessage", "ReportedRecipient"],
    when: "`kind` says which. Messages from the null sender are never reported on, so no sink is asked about them.",
    follows: {
      ...onlyNextHop,
      "a promise (`S_PENDING`)":
        "the report and the end of its message wait, at most `outbound.sinkTimeoutMs`",
      "throw, late or other answer":
        "the sink is passed over, what it changed is dropped: no report is lost by a fault",
      "status 0, 1": "the report leaves",
      "status 2": "the report is dropped; the message has its end all the same",
      "status 3": "the report moves to Badmail",
    },
    shownBy: "test/unit/transport/report-sinks.test.ts",
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
        table(
          ["Answer, fault or status", "What happens"],
          Object.entries(follows).map(([answer, what]) => [answer, what]),
        ),
        `Shown by \`${shownBy}\`.`,
        "## Example",
        `\`\`\`ts\n${example}\n\`\`\``,
      ),
    ];
  });

export const hasTransportEventPage = (name: string): boolean => Object.hasOwn(TRANSPORT_EVENTS, name);
