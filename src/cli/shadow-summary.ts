// Adds up what a shadow version would have done, beside what the live version did on the same messages.
import type { EffectLine, ShadowLine } from "../observe/effect-lines.ts";

const MAX_SAMPLES = 10;
/** Scripts name what they change: no more names than this are kept apart. */
const MAX_KINDS = 50;

/** What one of the two did, over all messages. */
export interface SideSummary {
  verdicts: Record<string, number>;
  statuses: Record<string, number>;
  /** By kind. */
  faults: Record<string, number>;
  /** By what was changed. */
  changes: Record<string, number>;
  micros: number;
  mostMicros: number;
}

export interface ShadowSummary {
  readonly name: string;
  readonly script: string;
  readonly version: string;
  /** Name and versions of the live binding that it was compared with. */
  live: string | undefined;
  liveVersions: string[];
  messages: number;
  /** ms since the epoch */
  since: number;
  until: number;
  compared: number;
  different: number;
  /** By what differs. */
  differs: Record<string, number>;
  /** Ids of messages on which the two differ. */
  samples: string[];
  /** By reason. */
  notCompared: Record<string, number>;
  /** Over all messages. */
  shadow: SideSummary;
  /** Over the messages on which the live binding was called. */
  liveSide: SideSummary;
}

const emptySide = (): SideSummary => ({
  verdicts: {},
  statuses: {},
  faults: {},
  changes: {},
  micros: 0,
  mostMicros: 0,
});

export function emptySummary({ shadow, time }: ShadowLine): ShadowSummary {
  return {
    name: shadow.name,
    script: shadow.script,
    version: shadow.version ?? "",
    live: undefined,
    liveVersions: [],
    messages: 0,
    since: time,
    until: time,
    compared: 0,
    different: 0,
    differs: {},
    samples: [],
    notCompared: {},
    shadow: emptySide(),
    liveSide: emptySide(),
  };
}

export function addShadow(summary: ShadowSummary, line: ShadowLine): void {
  const { shadow, live, differs, why } = line;
  summary.messages += 1;
  summary.until = line.time;
  addEffect(summary.shadow, shadow);
  if (live !== undefined) {
    summary.live = live.name;
    const version = live.version ?? "";
    if (!summary.liveVersions.includes(version)) summary.liveVersions.push(version);
    addEffect(summary.liveSide, live);
  }
  if (differs === undefined) {
    count(summary.notCompared, why ?? "");
    return;
  }
  summary.compared += 1;
  if (differs.length === 0) return;
  summary.different += 1;
  for (const what of differs) count(summary.differs, what);
  if (summary.samples.length < MAX_SAMPLES) summary.samples.push(line.id);
}

function addEffect(side: SideSummary, effect: EffectLine): void {
  side.micros += effect.micros;
  side.mostMicros = Math.max(side.mostMicros, effect.micros);
  if (effect.fault !== undefined) {
    count(side.faults, effect.fault.kind);
    return;
  }
  count(side.verdicts, String(effect.verdict));
  count(side.statuses, String(effect.status));
  for (const { what, times = 1 } of effect.changes ?? []) count(side.changes, what, times);
  if (effect.moreChanges !== undefined) count(side.changes, "(further)", effect.moreChanges);
}

function count(counts: Record<string, number>, key: string, by = 1): void {
  const known = Object.hasOwn(counts, key) || Object.keys(counts).length < MAX_KINDS ? key : "(others)";
  counts[known] = (counts[known] ?? 0) + by;
}
