// What follows when a sink of OnCategorize answers, fails or sets a status, in each of the ten sub-events (see expectations.ts).
import type { CategorizeSubject } from "./contexts/categorize-contexts.ts";
import {
  CALLED_NEXT,
  type Ending,
  type Expectation,
  MAIL_CHANGES,
  PASSED_OVER,
  type Row,
  SYSTEM_FAULTS,
  type Status,
  passed,
  promise,
  skips,
} from "./expectation-rows.ts";

interface SubEvent {
  readonly kind: CategorizeSubject["kind"];
  readonly reads: readonly string[];
  readonly changes: readonly string[];
  /** The built-in sink, which asks the directory, takes part. */
  readonly builtIn?: true;
  /** For a promise; absent: only the message. */
  readonly waits?: string;
  /** Absent: statuses are not looked at behind it. */
  readonly statuses?: readonly Row[];
}

function subEvent({ kind, reads, changes, builtIn, waits, statuses = [] }: SubEvent): Expectation {
  const next = builtIn ? "the next sink is called, the built-in one among them" : CALLED_NEXT;
  const notBuiltIn = builtIn ? ", and not the built-in one when it has not run" : "";
  return {
    kind,
    reads,
    changes,
    rows: [
      ...passed(next),
      skips(`no further sink of this sub-event is called${notBuiltIn}`),
      promise(`${waits ?? "only this message waits"}, at most \`outbound.sinkTimeoutMs\``),
      ...FAULTS,
      ...statuses,
    ],
  };
}

const FAULTS: readonly Row[] = SYSTEM_FAULTS.flatMap((does): Row[] => [
  {
    does,
    onError: "hold",
    next: false,
    ending: "held",
    text: "the message is held in the pre-categorization queue: what the message came to so far is forgotten, and the next try begins anew",
  },
  { does, onError: "continue", ...PASSED_OVER },
  {
    does,
    onError: "badmail",
    next: false,
    ending: "badmail",
    change: "dropped",
    text: "the message moves to Badmail as it came to the categorizer",
  },
]);

const copyStatus = (value: Status, ending: Ending, text: string, change?: "counts"): Row => ({
  does: `status ${value}`,
  next: true,
  ending,
  text,
  ...(change && { change }),
});

const GOES_ON = "go on; statuses are looked at behind the last sink of `endMessage`";

const STATUSES: readonly Row[] = [
  copyStatus(0, "goes on", GOES_ON, "counts"),
  copyStatus(1, "retried", "of one of the copies: the whole message waits for its retry"),
  copyStatus(2, "deleted", "this copy is discarded without a report; the others go on"),
  copyStatus(3, "badmail", "this copy moves to Badmail; the others go on", "counts"),
  copyStatus(4, "goes on", GOES_ON, "counts"),
  copyStatus(5, "goes on", GOES_ON, "counts"),
  copyStatus(
    6,
    "left alone",
    "of one of the copies: the whole message is left alone until the service restarts",
  ),
];

const ITEM = ["item", "messages"];
const BATCH = ["items", "queries", "answers"];
/** What becomes of an item. */
const FATE = ["address", "deliver", "copy", "fail"];
/** Until its expansion is over. */
const MEMBERS = ["expandTo", "memberCopy"];

/** In their order. */
export const CATEGORIZE: readonly Expectation[] = [
  subEvent({
    kind: "register",
    reads: ["requestAttribute"],
    changes: ["attributes"],
    waits: "the messages that come until then wait",
  }),
  subEvent({
    kind: "beginMessage",
    reads: ["messages"],
    changes: [...MAIL_CHANGES, "recipients"],
    statuses: STATUSES,
  }),
  subEvent({ kind: "buildQuery", reads: ITEM, changes: ["query", "properties"] }),
  subEvent({ kind: "buildQueries", reads: BATCH, changes: ["queries"], builtIn: true }),
  subEvent({ kind: "sendQuery", reads: BATCH, changes: ["answers"], builtIn: true }),
  subEvent({ kind: "sortQueryResult", reads: BATCH, changes: ["items"], builtIn: true }),
  subEvent({ kind: "processItem", reads: ITEM, changes: [...FATE, ...MEMBERS, "properties"], builtIn: true }),
  subEvent({ kind: "expandItem", reads: ITEM, changes: [...FATE, ...MEMBERS, "properties"], builtIn: true }),
  subEvent({ kind: "completeItem", reads: ITEM, changes: FATE }),
  subEvent({
    kind: "endMessage",
    reads: ["messages", "outcome"],
    changes: MAIL_CHANGES,
    statuses: STATUSES,
  }),
];
