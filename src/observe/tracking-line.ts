// Lines of the message tracking log: one JSON object per step of a message, made by hand because mail waits for nothing here.
import { printableJson } from "../core/printable.ts";

/** Steps and their event ids (REFERENCE 4.2.13). The last one is ours: the original names none for a message that a sink discards. */
export const TRACKED_STEPS = {
  submitted: { event: 1019, meaning: "accepted: durable, and on its way to the sinks" },
  changed: { event: 1024, meaning: "the sinks changed the recipients; those `removed` ended here" },
  postponed: { event: 1022, meaning: "a sink failed or asked for another time: back before submission" },
  started: { event: 1020, meaning: "a next hop is about to get the message" },
  relayed: { event: 1031, meaning: "the next hop took it: the end of these recipients" },
  delivered: { event: 1023, meaning: "written to Drop: the end of these recipients" },
  deferred: { event: 1026, meaning: "an attempt failed, another follows" },
  bounced: { event: 1030, meaning: "refused for good: the end of these recipients" },
  expired: { event: 1030, meaning: "tried for too long: the end of these recipients" },
  badmail: { event: 1021, meaning: "moved to Badmail: the end of these recipients" },
  expanded: {
    event: 1024,
    meaning: "the categorizer put others in place of these recipients, which end here",
  },
  reported: { event: 1017, meaning: "a report was made; `report` is its own id" },
  absorbed: { event: 1018, meaning: "a report was due, of this `kind`, and a sink suppressed it" },
  discarded: { event: 1039, meaning: "discarded by a sink or the operator: the end of these recipients" },
} as const;

export type TrackedStep = keyof typeof TRACKED_STEPS;

/** Steps after which nothing more happens to their recipients. */
export const END_STEPS: readonly TrackedStep[] = [
  "relayed",
  "delivered",
  "bounced",
  "expired",
  "badmail",
  "discarded",
  "expanded",
];

export interface TrackedFields {
  readonly from: string;
  readonly to: readonly string[];
  /** Further texts and numbers, in this order. */
  readonly more: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
}

// Most are addresses and words, which need no escapes: seen faster than escaped.
const PLAIN = /^[ !#-[\]-~]*$/;
const MAX_TEXT = 1000;

function quote(text: string): string {
  const short = text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text;
  return PLAIN.test(short) ? `"${short}"` : printableJson(JSON.stringify(short));
}

function list(texts: readonly string[]): string {
  const only = texts[0];
  if (texts.length === 1 && only !== undefined) return `[${quote(only)}]`;
  return `[${texts.map((text) => quote(text)).join(",")}]`;
}

export class TrackingLines {
  #at = 0;
  #time = "";

  /** The line with its end. */
  format(now: number, step: TrackedStep, id: string, { from, to, more }: TrackedFields): string {
    // Many lines fall into one millisecond: its text is made once.
    if (now !== this.#at) {
      this.#at = now;
      this.#time = new Date(now).toISOString();
    }
    let line = `{"time":"${this.#time}","event":${TRACKED_STEPS[step].event},"step":"${step}","id":"${id}","from":${quote(from)},"to":${list(to)}`;
    for (const name in more) {
      const value = more[name];
      if (value === undefined) continue;
      line += `,"${name}":`;
      if (typeof value === "string") line += quote(value);
      else line += typeof value === "object" ? list(value) : String(value);
    }
    return `${line}}\n`;
  }
}
