// The form of the effect log: one JSON object per line, of four kinds. Decision 0018 says why it is as it is.
// A chain line comes before the first message line that names it, in every file.

/** The bindings that messages met, in their order; disabled ones last. Written once per file. */
export interface ChainLine {
  /** Hash of the event and the bindings. */
  readonly chain: string;
  /** The event that they are bound to. Absent in records of earlier versions. */
  readonly event?: string | undefined;
  readonly bindings: readonly BindingLine[];
}

export interface BindingLine {
  readonly name: string;
  /** ScriptName; absent for a native sink. */
  readonly script?: string | undefined;
  readonly sinkClass?: string | undefined;
  readonly rule?: string | undefined;
  /** The virtual server that it is bound to. */
  readonly server?: string | undefined;
  readonly priority: number;
  readonly onError: string;
  readonly disabled?: true | undefined;
  /** Display name of the live binding that a shadow binding is compared with; "" is none. */
  readonly shadowOf?: string | undefined;
}

/** Whose line it is. */
export interface RecordedMessage {
  readonly id: string;
  /** ms since the epoch, at the end of what is recorded. */
  readonly time: number;
  /** The virtual server that had it. Absent in records of earlier versions. */
  readonly server?: string | undefined;
  /** The Message-ID field. */
  readonly messageId?: string | undefined;
  readonly from: string;
  /** The first recipients; `recipients` says how many there are when these are not all. */
  readonly to: readonly string[];
  readonly recipients?: number | undefined;
}

/** One run of the chain on one message. */
export interface MessageLine extends RecordedMessage {
  readonly chain: string;
  /** Position in the chain from which the run started, when that is not the first. */
  readonly start?: number | undefined;
  /** Sinks from this position on were not reached. A binding before it that is in no list below had a rule that did not match. */
  readonly reached: number;
  readonly passedOver?: readonly (readonly [position: number, reason: string])[] | undefined;
  readonly shadows?: readonly number[] | undefined;
  readonly calls: readonly CallLine[];
  readonly end: string;
  readonly why?: string | undefined;
  /** Messages that left this one: forks, and what scripts sent. */
  readonly forks?: readonly string[] | undefined;
}

export interface FaultLine {
  readonly kind: string;
  readonly message: string;
}

/** An edit: what, and where in the source. `times`: made so often in a row. */
export interface ChangeLine {
  readonly what: string;
  readonly at?: string | undefined;
  readonly times?: number | undefined;
}

/** What a call did, live or in shadow. */
export interface EffectLine {
  /** Of the script; absent for a native sink. */
  readonly version?: string | undefined;
  readonly micros: number;
  /** The sandbox process that ran it, which begins its jobs in the order of their numbers. Absent: nothing ran. */
  readonly pid?: number | undefined;
  readonly job?: number | undefined;
  /** Measured now and then only. */
  readonly heap?: number | undefined;
  readonly verdict: number;
  readonly status: number;
  readonly fault?: FaultLine | undefined;
  /** The new sender. */
  readonly sender?: string | undefined;
  /** The first of the new recipients, and how many there are. */
  readonly recipients?: readonly string[] | undefined;
  readonly recipientCount?: number | undefined;
  readonly changes?: readonly ChangeLine[] | undefined;
  /** Edits beyond those listed. */
  readonly moreChanges?: number | undefined;
  /** What the script asked of its capabilities, without the queries of URLs, and whether it was answered. */
  readonly asked?: readonly string[] | undefined;
}

export interface CallLine extends EffectLine {
  readonly position: number;
  /** Ids of the messages that the script sent. */
  readonly sent?: readonly string[] | undefined;
}

/** A binding of OnCategorize, or the built-in sink in its place among them. */
export interface ConsideredLine {
  readonly name: string;
  readonly priority: number;
  /** Why it was not called. */
  readonly passedOver?: string | undefined;
}

/** One address, or key of the directory, and what became of it. */
export interface AddressLine {
  readonly asked: string;
  /** What it was found behind: a list, or an entry that forwards. */
  readonly behind?: string | undefined;
  readonly answer?: string | undefined;
  readonly entry?: { readonly kind: string; readonly key: string } | undefined;
  readonly limits?: readonly string[] | undefined;
  readonly end: string;
  /** Where its mail goes, when that is another address. */
  readonly address?: string | undefined;
  /** The first that it leads to, and how many there are. */
  readonly targets?: readonly string[] | undefined;
  readonly targetCount?: number | undefined;
  readonly reply?: string | undefined;
}

/** One categorization of one message. */
export interface CategorizationLine extends RecordedMessage {
  readonly categorization: {
    readonly bindings: readonly ConsideredLine[];
    /** The first ones, sender and recipients of the message before what they expand to. */
    readonly addresses: readonly AddressLine[];
    readonly addressCount: number;
    /** That came out, in the message and its copies. */
    readonly recipients: number;
  };
  readonly end: string;
  readonly why?: string | undefined;
  /** Copies that have some of the recipients. */
  readonly forks?: readonly string[] | undefined;
}

/** What a shadow binding would have done to one message, beside what the live one did. */
export interface ShadowLine {
  readonly id: string;
  readonly time: number;
  readonly shadow: EffectLine & {
    readonly name: string;
    readonly script: string;
    /** Recipients of the messages that it would have sent. */
    readonly wouldSend?: readonly (readonly string[])[] | undefined;
  };
  /** Absent: the live binding was not called on this message behind the shadow. */
  readonly live?: (EffectLine & { readonly name: string; readonly sent?: number | undefined }) | undefined;
  /** What differs; empty: the same effect. Absent: not comparable, for the reason in `why`. */
  readonly differs?: readonly string[] | undefined;
  readonly why?: string | undefined;
}

export type EffectLogLine =
  | { readonly kind: "chain"; readonly line: ChainLine }
  | { readonly kind: "message"; readonly line: MessageLine }
  | { readonly kind: "categorization"; readonly line: CategorizationLine }
  | { readonly kind: "shadow"; readonly line: ShadowLine };

/** Undefined for a line that a crash tore, and for anything else that is no line of the effect log. */
export function parseEffectLine(text: string): EffectLogLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  /* oxlint-disable typescript/no-unsafe-type-assertion -- our own file; what tears is no JSON any more */
  if ("chain" in value && "bindings" in value) return { kind: "chain", line: value as ChainLine };
  if (!("id" in value)) return undefined;
  if ("shadow" in value) return { kind: "shadow", line: value as ShadowLine };
  if ("categorization" in value) return { kind: "categorization", line: value as CategorizationLine };
  return "calls" in value ? { kind: "message", line: value as MessageLine } : undefined;
  /* oxlint-enable typescript/no-unsafe-type-assertion */
}
