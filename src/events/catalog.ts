// Every event, declared once (REFERENCE 3.1 and 4.1). Types, validation of bindings and docs/events derive from here.
import type { CategorizeSubject } from "./contexts/categorize-contexts.ts";
import type { DnsSubject } from "./contexts/dns-contexts.ts";
import type { DomainInfoContext } from "./contexts/domain-contexts.ts";
import type { DsnSubject } from "./contexts/dsn-contexts.ts";
import type { LogEntry } from "./event-log.ts";
import type { MailMsg } from "../message/mail-msg.ts";
import type {
  InboundCommandContext,
  OutboundCommandContext,
  ServerResponseContext,
} from "./contexts/protocol-contexts.ts";
import type { RouterSubject } from "./contexts/router-contexts.ts";
import type { MessageSizeContext } from "./contexts/size-contexts.ts";
import type { StoreSubject } from "./contexts/store-contexts.ts";
import type { TrackingRecord } from "./contexts/tracking-contexts.ts";

/** What kind of rule a binding of the event may carry: on the envelope, on the command verb, or none. */
export type RuleKind = "envelope" | "verb" | "none";

/** What a fault of a sink means: the binding's `onError`, or always the next sink. */
export type FaultPolicy = "binding" | "next-sink";

/**
 * What follows when a sink answers with a promise where nothing can wait. `left`: the event goes on with what the sink has changed so
 * far, and what becomes of the promise is logged. `refused`: that is a fault of the sink.
 */
export type PromisePolicy = "left" | "refused";

interface EventDeclaration {
  /** Step of the life of a message. */
  readonly step: number;
  readonly raised: string;
  readonly sinksMay: string;
  readonly rule: RuleKind;
  readonly scriptable: boolean;
  /** Of what waits for its sinks. Where they are only told of something (a notice of the store, a next hop), a fault is always passed over. */
  readonly onFault: FaultPolicy;
  /** Absent: the event waits for them. */
  readonly promises?: PromisePolicy;
}

/** A declaration together with the type that its sinks receive. */
type Declared<Subject> = EventDeclaration & { readonly subject?: Subject };

const transport = <Subject>(declaration: Omit<EventDeclaration, "rule" | "onFault">): Declared<Subject> => ({
  ...declaration,
  rule: "envelope",
  onFault: "binding",
});

const MAIL_CHANGES =
  "change content, envelope and properties, defer the delivery, send recipients their own way as a fork";

const toNextHop = {
  step: 9,
  sinksMay: "add, change or replace commands",
  rule: "verb",
  scriptable: false,
  onFault: "binding",
} as const;

const outbound = (raised: string): Declared<OutboundCommandContext> => ({ ...toNextHop, raised });

const system = <Subject>(step: number, raised: string, sinksMay: string): Declared<Subject> => ({
  step,
  raised,
  sinksMay,
  rule: "none",
  scriptable: false,
  onFault: "next-sink",
});

export const EVENTS = {
  OnInboundCommand: {
    step: 1,
    raised: "for every command of a client, and at the end of data",
    sinksMay: "see and change the outcome: reply, status, drop the session, add verbs and EHLO keywords",
    rule: "verb",
    scriptable: false,
    onFault: "binding",
  } as Declared<InboundCommandContext>,
  MaxMsgSize: system<MessageSizeContext>(
    1,
    "when a client announces or sends a message above `limits.maxMessageSize`",
    "waive or raise the limit for this message",
  ),
  StoreDriver: {
    ...system<StoreSubject>(
      2,
      "when a message is written, enumerated at start, read back from disk, about to be written to Drop, deleted",
      "watch the store; take over local delivery, or refuse it, recipient by recipient",
    ),
    onFault: "binding",
  },
  OnTransportSubmission: transport<MailMsg>({
    step: 3,
    raised: "for every message that entered by SMTP, Pickup or as a report, once it is durable",
    sinksMay: `${MAIL_CHANGES}, add recipients, set the status`,
    scriptable: true,
  }),
  OnPreCategorize: transport<MailMsg>({
    step: 4,
    raised: "when the sinks of submission are through and the unresolved recipient list is final",
    sinksMay: `check the list, ${MAIL_CHANGES}, set the status`,
    scriptable: false,
  }),
  OnCategorize: {
    ...system<CategorizeSubject>(
      5,
      "while sender and recipients are resolved, in ten sub-events",
      "answer look-ups in place of the directory, change or fail addresses, expand them, send some of them a copy of its own, change the message and its copies, set their status",
    ),
    onFault: "binding",
  },
  OnPostCategorize: transport<MailMsg>({
    step: 6,
    raised: "for every message that categorization produced",
    sinksMay: `count and limit the actual recipients, ${MAIL_CHANGES}, set the status`,
    scriptable: false,
  }),
  GetAuxDomainInfoFlags: {
    ...system<DomainInfoContext>(
      7,
      "when a domain is met in RCPT of a client that may not relay, at routing unless all mail stays here, and when a connection is made to its mail exchangers or to the `smartHost` that `domains.remote` gives it by name; of a smart host of several domains its own name is asked",
      "add domain flags",
    ),
    promises: "refused",
  },
  OnGetMessageRouter: {
    ...system<RouterSubject>(
      7,
      "before a message is routed, at first and at each retry; when the state of a next hop changes",
      "choose the next hop of each recipient and the type of the message, reset routes, set next hops down or up",
    ),
    onFault: "binding",
  },
  DnsResolver: {
    ...system<DnsSubject>(
      9,
      "before MX records or addresses are looked up for mail on its way out; answers are kept for `dns.cacheMs`",
      "supply the records in place of DNS",
    ),
    onFault: "binding",
  },
  OnSessionStart: outbound("before EHLO to a next hop"),
  OnMessageStart: outbound("before MAIL FROM to a next hop"),
  OnPerRecipient: outbound("before each RCPT TO to a next hop"),
  OnBeforeData: outbound("before DATA or BDAT to a next hop"),
  OnSessionEnd: outbound("before QUIT to a next hop"),
  OnServerResponse: {
    ...toNextHop,
    raised: "for the greeting of a next hop, and for each of its replies to a command of ours",
    sinksMay: "judge the reply, choose the next state",
  } as Declared<ServerResponseContext>,
  DSN: system<DsnSubject>(
    11,
    "when a delivery status notification is due, and when it is made",
    "choose recipients, suppress, add text, edit or replace the report, see it before it leaves",
  ),
  MsgTrackLog: {
    ...system<TrackingRecord>(
      11,
      "before a record of the message tracking log is written, also when the log itself is off",
      "see the record, change what is written or leave it out",
    ),
    promises: "left",
  },
  EventLog: {
    ...system<LogEntry>(
      11,
      "when the service writes a line of the log that has an event id",
      "see the line and leave it out",
    ),
    promises: "left",
  },
} satisfies Record<string, Declared<unknown>>;

export type EventName = keyof typeof EVENTS;

/** The events whose sinks get the message itself, in the order in which it meets them. */
export const MAIL_EVENTS = ["OnTransportSubmission", "OnPreCategorize", "OnPostCategorize"] as const;

export type MailEvent = (typeof MAIL_EVENTS)[number];

/** What the sinks of an event receive. */
export type EventSubject<Name extends EventName> =
  (typeof EVENTS)[Name] extends Declared<infer Subject> ? Subject : never;

/** Further registered names of event types (the original's smtpreg names). */
export const EVENT_ALIASES = {
  OnArrival: "OnTransportSubmission",
  OnTransportRouter: "OnGetMessageRouter",
  OnDnsResolveRecord: "DnsResolver",
  Log: "EventLog",
} as const satisfies Readonly<Record<string, EventName>>;

/** Any name under which an event is registered. */
export type RegisteredName = EventName | keyof typeof EVENT_ALIASES;

/** The event of a registered name. */
export type EventOf<Name extends RegisteredName> = Name extends keyof typeof EVENT_ALIASES
  ? (typeof EVENT_ALIASES)[Name]
  : Name & EventName;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of EVENTS are its names
const NAMES = new Map((Object.keys(EVENTS) as EventName[]).map((name) => [name.toLowerCase(), name]));
for (const [alias, name] of Object.entries(EVENT_ALIASES)) NAMES.set(alias.toLowerCase(), name);

/** The event of a registered name or alias, without regard to case (REFERENCE 5.5). */
export function findEvent(name: string): EventName | undefined {
  return NAMES.get(name.toLowerCase());
}
