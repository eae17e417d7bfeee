// What each script did in this run of the service: counts, and its last log lines and faults for `onarrival scripts log`.
import type { Clock } from "../../core/clock.ts";
import type { ScriptOutcome } from "../pool/call-runner.ts";

export interface ActivitySettings {
  /** Lines kept per script, and the bytes of their texts. */
  readonly logLines: number;
  readonly logBytes: number;
}

export interface ScriptLogEntry {
  /** Counts on from 1 in one run of the service. */
  readonly sequence: number;
  /** ms since the epoch */
  readonly time: number;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
  readonly version?: string;
  /** Id of the message, for lines of a call. */
  readonly message?: string;
  /** The call had no effect: its binding is a shadow. */
  readonly shadow?: true;
}

export interface ScriptCounts {
  readonly calls: number;
  readonly faults: number;
}

interface Activity {
  calls: number;
  faults: number;
  lines: ScriptLogEntry[];
  bytes: number;
}

/** Longer texts are cut: one line must not push all others out. */
const MAX_LINE_CHARS = 2000;

type Line = Omit<ScriptLogEntry, "sequence" | "time">;

export class ScriptActivity {
  #settings: ActivitySettings;
  #clock: Clock;
  #byName = new Map<string, Activity>();
  #sequence = 0;

  constructor(settings: ActivitySettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  countsOf(name: string): ScriptCounts {
    const { calls = 0, faults = 0 } = this.#byName.get(name) ?? {};
    return { calls, faults };
  }

  /** Oldest first; those behind `after`. */
  linesOf(name: string, after = 0): readonly ScriptLogEntry[] {
    return (this.#byName.get(name)?.lines ?? []).filter(({ sequence }) => sequence > after);
  }

  /** One call. On the path of every message: what has nothing to tell costs a count. */
  called(name: string, version: string, message: string, outcome: ScriptOutcome, shadow?: true): void {
    const activity = this.#of(name);
    activity.calls += 1;
    const call = { version, message, ...(shadow && { shadow }) };
    for (const { level, text } of outcome.logs) this.#add(activity, { level, text, ...call });
    if (outcome.fault === undefined) return;
    activity.faults += 1;
    const { kind, message: text } = outcome.fault;
    this.#add(activity, { level: "error", text: `${kind}: ${text}`, ...call });
  }

  /** What became of the script itself: live, broken, switched off. */
  note(name: string, line: Line): void {
    this.#add(this.#of(name), line);
  }

  forget(name: string): void {
    this.#byName.delete(name);
  }

  #of(name: string): Activity {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const activity: Activity = { calls: 0, faults: 0, lines: [], bytes: 0 };
    this.#byName.set(name, activity);
    return activity;
  }

  #add(activity: Activity, line: Line): void {
    const { logLines, logBytes } = this.#settings;
    const text = line.text.slice(0, MAX_LINE_CHARS);
    this.#sequence += 1;
    activity.lines.push({ sequence: this.#sequence, time: this.#clock.now(), ...line, text });
    activity.bytes += Buffer.byteLength(text);
    while (activity.lines.length > logLines || activity.bytes > logBytes) {
      const oldest = activity.lines.shift();
      if (oldest === undefined) break;
      activity.bytes -= Buffer.byteLength(oldest.text);
    }
  }
}
