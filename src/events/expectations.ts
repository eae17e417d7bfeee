// What follows when a sink of an event answers, fails or sets a status: the pages of docs/events are made of this table, and
// test/unit/events/table.test.ts executes every row of it.
import type { EventName } from "./catalog.ts";
import { CATEGORIZE } from "./categorize-expectations.ts";
import {
  CALLED_NEXT,
  type Ending,
  type Expectation,
  NONE_FURTHER,
  PASSED_OVER,
  REST_PASSED_OVER,
  TO_POST_CATEGORIZE,
  type Row,
  type Status,
  SYSTEM_FAULTS,
  mailEvent,
  passed,
  passedOverEvent,
  promise,
  promisesLeftEvent,
  promisesRefusedEvent,
  skips,
  waitingEvent,
} from "./expectation-rows.ts";

// ---- protocol events ----

interface CommandEvent {
  readonly reads: readonly string[];
  readonly changes: readonly string[];
  readonly consumed: string;
  readonly waits: string;
  /** Of a sink with `onError: hold` that fails. */
  readonly fault: Pick<Row, "ending" | "text">;
}

/** Its sinks come before the built-in handler of a command. */
const commandEvent = ({ reads, changes, consumed, waits, fault }: CommandEvent): Expectation => ({
  reads,
  changes,
  rows: [
    ...passed("the next sink and the built-in handler are called"),
    {
      does: "skipRemaining",
      next: false,
      ending: "answered",
      change: "counts",
      text: "no further sink is called, and not the built-in handler when it has not run",
    },
    { does: "consumed", next: false, ending: "answered", change: "counts", text: consumed },
    promise(waits),
    ...SYSTEM_FAULTS.flatMap((does): Row[] => [
      { does, onError: "hold", next: false, ...fault },
      {
        does,
        onError: "continue",
        ...PASSED_OVER,
        text: "the sink is logged and passed over, what it changed is dropped",
      },
    ]),
  ],
});

const inbound = commandEvent({
  reads: ["server", "session", "message", "line", "verb", "argument", "status", "response", "nativeResponse"],
  changes: ["response"],
  consumed: "the same, and the command is done",
  waits: "only this session waits, at most `limits.sinkTimeoutMs`",
  fault: { ending: "refused", text: "the command is answered with `451 4.3.0`; the session goes on" },
});

const outbound = commandEvent({
  reads: ["server", "session", "message", "verb", "nativeCommand", "command"],
  changes: ["command"],
  consumed:
    "the command of this sink is sent instead of the built-in one, and its reply counts as that one's",
  waits: "only this connection waits, at most `outbound.sinkTimeoutMs`",
  fault: { ending: "given up", text: "the transaction is given up and the message waits" },
});

const response: Expectation = {
  reads: ["server", "session", "message", "command", "verb", "response", "statusCode", "judgement"],
  changes: ["judgement"],
  rows: [
    ...passed(CALLED_NEXT),
    skips(NONE_FURTHER),
    { does: "consumed", next: false, ending: "goes on", change: "counts", text: NONE_FURTHER },
    promise("only this connection waits, at most `outbound.sinkTimeoutMs`"),
    ...SYSTEM_FAULTS.map((does): Row => ({
      does,
      onError: "hold",
      next: false,
      ending: "goes on",
      change: "dropped",
      text: "the sink is logged; the reply counts as it came",
    })),
  ],
};

const reportStatus = (value: Status, ending: Ending, text: string): Row => ({
  does: `status ${value}`,
  next: true,
  ending,
  ...(ending === "deleted" ? {} : { change: "counts" as const }),
  text,
});

const reportMade = passedOverEvent(
  "made",
  ["original", "action", "msg"],
  ["headers", "content", "recipients"],
  "the report and the end of its message wait, at most `outbound.sinkTimeoutMs`",
);

const storeNotice = (kind: string): Expectation => ({
  kind,
  reads: ["msg"],
  changes: [],
  rows: [
    ...passed(CALLED_NEXT).map((row) => ({ ...row, change: undefined })),
    { ...skips(NONE_FURTHER), change: undefined },
    {
      does: "promise",
      next: true,
      waits: true,
      ending: "goes on",
      text: "the next sink waits for it, at most `nativeSinks.openPromiseMs`; the message does not",
    },
    ...SYSTEM_FAULTS.map((does): Row => ({
      does,
      next: true,
      ending: "goes on",
      text: "the sink is passed over",
    })),
  ],
});

export const EXPECTATIONS: Readonly<Record<EventName, readonly Expectation[]>> = {
  OnInboundCommand: [inbound],
  StoreDriver: [
    storeNotice("written"),
    storeNotice("enumerated"),
    storeNotice("read"),
    waitingEvent({
      kind: "localDelivery",
      reads: ["msg"],
      changes: ["deliver", "refuse"],
      waits: "local delivery of this message waits, at most `outbound.sinkTimeoutMs`",
      fault: "the recipients wait for their retry",
    }),
    storeNotice("deleted"),
  ],
  OnTransportSubmission: [mailEvent("pre-submission", { 4: REST_PASSED_OVER, 5: TO_POST_CATEGORIZE })],
  OnPreCategorize: [mailEvent("pre-categorization", { 5: TO_POST_CATEGORIZE })],
  OnCategorize: CATEGORIZE,
  OnPostCategorize: [mailEvent("pre-routing", {})],
  OnGetMessageRouter: [
    waitingEvent({
      kind: "route",
      reads: ["msg", "router", "links"],
      changes: ["router"],
      waits: "only this message waits, at most `outbound.sinkTimeoutMs`",
      fault: "the recipients wait for their retry, and are routed again",
      passedOver: "the router of the sinks before is taken",
    }),
    {
      ...passedOverEvent("link", ["link", "links", "nextAttempt"], ["nextAttempt"], ""),
      rows: [
        ...passed(CALLED_NEXT),
        skips(NONE_FURTHER),
        {
          does: "promise",
          next: true,
          waits: true,
          ending: "goes on",
          change: "counts",
          text: "what is to become of the next hop waits; mail does not",
        },
        ...SYSTEM_FAULTS.map((does): Row => ({ does, ...PASSED_OVER })),
      ],
    },
  ],
  OnSessionStart: [outbound],
  OnMessageStart: [outbound],
  OnPerRecipient: [outbound],
  OnBeforeData: [outbound],
  OnSessionEnd: [
    {
      ...outbound,
      rows: outbound.rows.map((row) =>
        row.ending === "given up"
          ? {
              ...row,
              ending: "closed",
              text: "the connection is closed without QUIT; what was sent stays sent",
            }
          : row,
      ),
    },
  ],
  OnServerResponse: [response],
  DSN: [
    passedOverEvent(
      "due",
      ["original", "action", "recipients", "textAbove", "textBelow"],
      ["recipients", "textAbove", "textBelow"],
      "the report and the end of its message wait, at most `outbound.sinkTimeoutMs`",
    ),
    {
      ...reportMade,
      rows: [
        ...reportMade.rows,
        reportStatus(0, "goes on", "the report leaves"),
        reportStatus(1, "goes on", "the report leaves: it cannot be made another time"),
        reportStatus(2, "deleted", "the report is dropped; the message has its end all the same"),
        reportStatus(3, "badmail", "the report moves to Badmail"),
        ...([4, 5, 6] as const).map((value) => reportStatus(value, "goes on", "the report leaves")),
      ],
    },
  ],
  MsgTrackLog: [
    promisesLeftEvent(["time", "event", "step", "id", "server"], ["from", "to", "more", "isWritten"]),
  ],
  MaxMsgSize: [
    passedOverEvent(
      undefined,
      ["stage", "server", "client", "user", "sender", "recipients", "size"],
      ["limit"],
      "only this session waits, at most `limits.sinkTimeoutMs`",
    ),
  ],
  DnsResolver: [
    waitingEvent({
      kind: "mx",
      reads: ["domain"],
      changes: ["records"],
      waits: "mail for that next hop waits, at most `outbound.sinkTimeoutMs`",
      fault: "the mail waits as after trouble with DNS",
    }),
    waitingEvent({
      kind: "host",
      reads: ["host", "family"],
      changes: ["addresses"],
      waits: "mail for that next hop waits, at most `outbound.sinkTimeoutMs`",
      fault: "the mail waits as after trouble with DNS",
    }),
  ],
  EventLog: [promisesLeftEvent(["id", "name", "severity", "time", "text", "fields"], ["isWritten"])],
  GetAuxDomainInfoFlags: [promisesRefusedEvent(["domain", "server"], ["flags"])],
};
