// The rows of the table of expectations, and those that events have in common (see expectations.ts).
import type { OnError } from "./binding.ts";

export type Status = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** What a sink does, after it has changed something. `late`: a promise that is never kept. */
export type Doing =
  | "nothing"
  | "runNext"
  | "skipRemaining"
  | "consumed"
  | "promise"
  | "throw"
  | "rejection"
  | "nonsense"
  | "late"
  | `status ${Status}`
  | `status ${Status} of a fork`;

/** What then becomes of the message, the command, the connection or whatever the event is about. */
export type Ending =
  | "goes on"
  | "answered"
  | "held"
  | "retried"
  | "waits"
  | "deleted"
  | "badmail"
  | "left alone"
  | "refused"
  | "closed"
  | "given up";

export interface Row {
  readonly does: Doing;
  readonly onError?: OnError | undefined;
  /** Whether the sink behind it is called. */
  readonly next: boolean;
  readonly ending: Ending;
  /** Whether what the sink has changed counts; absent: nothing goes on that it could show in. */
  readonly change?: "counts" | "dropped" | undefined;
  /** Of a promise: whether the event waits for it. */
  readonly waits?: boolean | undefined;
  /** The log names the binding and what it did. */
  readonly logged?: true | undefined;
  readonly text: string;
}

export interface Expectation {
  /** `kind` of the subject, for events that have several. */
  readonly kind?: string | undefined;
  /** Members of the subject that sinks read. */
  readonly reads: readonly string[];
  /** What they change, each shown to count, and to be dropped with the sink that fails. */
  readonly changes: readonly string[];
  readonly rows: readonly Row[];
}

export const passed = (next: string): Row[] => [
  { does: "nothing", next: true, ending: "goes on", change: "counts", text: next },
  { does: "runNext", next: true, ending: "goes on", change: "counts", text: next },
];

export const skips = (text: string): Row => ({
  does: "skipRemaining",
  next: false,
  ending: "goes on",
  change: "counts",
  text,
});

export const promise = (text: string): Row => ({
  does: "promise",
  next: true,
  waits: true,
  ending: "goes on",
  change: "counts",
  text,
});

export const SYSTEM_FAULTS = ["throw", "rejection", "nonsense", "late"] as const;

export const PASSED_OVER = {
  next: true,
  ending: "goes on",
  change: "dropped",
  text: "the sink is passed over, what it changed is dropped",
} as const;

export const CALLED_NEXT = "the next sink is called";
export const NONE_FURTHER = "no further sink is called";

// ---- events that get the message itself ----

const status = (value: Status): Doing => `status ${value}`;

const WHOLE = "the whole message has that status";

const ofFork = (values: readonly Status[], row: Omit<Row, "does">): Row[] =>
  values.map((value) => ({ ...row, does: `status ${value} of a fork` }));

const FORKS: readonly Row[] = [
  ...ofFork([0, 4, 5], {
    next: true,
    ending: "goes on",
    change: "counts",
    text: "the fork goes on, as a message of that status does",
  }),
  ...ofFork([1], { next: false, ending: "retried", text: WHOLE }),
  ...ofFork([6], { next: false, ending: "left alone", text: WHOLE }),
  ...ofFork([2], {
    next: true,
    ending: "deleted",
    text: "the fork is deleted without a report; the rest goes on",
  }),
  ...ofFork([3], {
    next: true,
    ending: "badmail",
    change: "counts",
    text: "the fork moves to Badmail as the sinks left it; the rest goes on",
  }),
];

const MAIL_CONTENT = ["headers", "content", "properties", "deferredDeliveryTime"];

/** Of a message whose recipients are another matter. */
export const MAIL_CHANGES = [...MAIL_CONTENT, "sender"];

/** `skipping`: what the statuses that say how far a message has come pass over. */
export function mailEvent(queue: string, skipping: { readonly [Value in 4 | 5]?: string }): Expectation {
  const fault = { next: false, ending: "held" } as const;
  const held = `its changes are dropped, the message is held in the ${queue} queue`;
  return {
    reads: ["id", "origin", "arrivalTime", "sender", "recipients", "status", ...MAIL_CONTENT],
    changes: [...MAIL_CHANGES, "recipients", "forkForRecipients"],
    rows: [
      ...passed("the status is looked at, then the next sink is called"),
      skips("no further sink of this event is called; the message goes on"),
      promise("only this message waits, at most `nativeSinks.sinkTimeoutMs`"),
      ...SYSTEM_FAULTS.map((does): Row => ({ does, onError: "hold", ...fault, text: held })),
      ...SYSTEM_FAULTS.map((does): Row => ({ does, onError: "continue", ...PASSED_OVER })),
      ...SYSTEM_FAULTS.map((does): Row => ({
        does,
        onError: "badmail",
        next: false,
        ending: "badmail",
        change: "dropped",
        text: "its changes are dropped, the message moves to Badmail",
      })),
      { does: status(0), next: true, ending: "goes on", change: "counts", text: "go on" },
      {
        does: status(1),
        next: false,
        ending: "retried",
        text: `back to the ${queue} queue, tried again at the retry intervals, beginning with the first sink of this event`,
      },
      { does: status(2), next: false, ending: "deleted", text: "the message is deleted without a report" },
      {
        does: status(3),
        next: false,
        ending: "badmail",
        change: "counts",
        text: "the message moves to Badmail as the sinks left it",
      },
      ...([4, 5] as const).map((value): Row => {
        const text = skipping[value];
        const does = status(value);
        return text === undefined
          ? { does, next: true, ending: "goes on", change: "counts", text: ALREADY }
          : { does, next: false, ending: "goes on", change: "counts", text };
      }),
      {
        does: status(6),
        next: false,
        ending: "left alone",
        text: "the message is left alone until the service restarts",
      },
      ...FORKS,
    ],
  };
}

export const REST_PASSED_OVER = "the remaining sinks of this event are passed over";
export const TO_POST_CATEGORIZE =
  "the remaining sinks are passed over, and what is left to do before OnPostCategorize";
const ALREADY = "go on: the message has come that far";

// ---- events whose faults follow onError, and keep something waiting ----

interface Waiting {
  readonly kind?: string;
  readonly reads: readonly string[];
  readonly changes: readonly string[];
  readonly waits: string;
  readonly fault: string;
  readonly passedOver?: string;
}

export function waitingEvent({ kind, reads, changes, waits, fault, passedOver }: Waiting): Expectation {
  const text = passedOver ?? PASSED_OVER.text;
  return {
    kind,
    reads,
    changes,
    rows: [
      ...passed(CALLED_NEXT),
      skips(NONE_FURTHER),
      promise(waits),
      ...SYSTEM_FAULTS.flatMap((does): Row[] => [
        { does, onError: "hold", next: false, ending: "waits", text: fault },
        { does, onError: "continue", ...PASSED_OVER, text },
        { does, onError: "badmail", next: false, ending: "waits", text: fault },
      ]),
    ],
  };
}

// ---- events whose sinks are passed over when they fail ----

export const passedOverEvent = (
  kind: string | undefined,
  reads: readonly string[],
  changes: readonly string[],
  waits: string,
): Expectation => ({
  kind,
  reads,
  changes,
  rows: [
    ...passed(CALLED_NEXT),
    skips(NONE_FURTHER),
    promise(waits),
    ...SYSTEM_FAULTS.map((does): Row => ({ does, ...PASSED_OVER })),
  ],
});

// ---- events that nothing can wait for ----

/** `promises: "left"` of the catalog. */
export const promisesLeftEvent = (reads: readonly string[], changes: readonly string[]): Expectation => {
  const left = { next: true, ending: "goes on", change: "counts" } as const;
  const goesOn = "nobody waits: what was changed before counts, and the next sink is called";
  const named = `${goesOn}; the log names the binding`;
  return {
    reads,
    changes,
    rows: [
      ...passed(CALLED_NEXT),
      skips(NONE_FURTHER),
      { does: "promise", waits: false, ...left, text: goesOn },
      { does: "rejection", logged: true, ...left, text: named },
      { does: "late", logged: true, ...left, text: named },
      ...(["throw", "nonsense"] as const).map((does): Row => ({ does, logged: true, ...PASSED_OVER })),
    ],
  };
};

/** `promises: "refused"` of the catalog. */
export const promisesRefusedEvent = (reads: readonly string[], changes: readonly string[]): Expectation => ({
  reads,
  changes,
  rows: [
    ...passed(CALLED_NEXT),
    skips(NONE_FURTHER),
    { does: "promise", waits: false, logged: true, ...PASSED_OVER },
    ...SYSTEM_FAULTS.map((does): Row => ({ does, logged: true, ...PASSED_OVER })),
  ],
});
