// A binding joins an event with a sink (REFERENCE 5.2). Plain data: what the metabase and the scripts folder declare.
import { randomUUID } from "node:crypto";
import type { EventName } from "./catalog.ts";

/** Priorities 0 (first) … 32767 (last); the default is PRIO_LOW (REFERENCE 5.3). */
export const LOWEST_PRIORITY = 32_767;
export const DEFAULT_PRIORITY = 24_575;

/** The sink class of the script host (REFERENCE 1.1). */
export const SCRIPT_SINK_CLASS = "CDO.SS_SMTPOnArrivalSink";

/** Names of COM classes have no case. */
export const isScriptClass = (sinkClass: string): boolean =>
  sinkClass.toLowerCase() === SCRIPT_SINK_CLASS.toLowerCase();

/** What happens to a message on which the sink fails. */
export type OnError = "hold" | "continue" | "badmail";

export type SinkProperties = Readonly<Record<string, string | number | boolean>>;

export interface Binding {
  /** GUID. */
  readonly id: string;
  readonly displayName: string;
  readonly event: EventName;
  readonly sinkClass: string;
  readonly enabled: boolean;
  /** ms since the epoch; from then on the binding is dead. */
  readonly expiration?: number | undefined;
  /** Notifications before the binding disables itself. */
  readonly maxFirings?: number | undefined;
  /** REFERENCE 5.4; absent: every message. */
  readonly rule?: string | undefined;
  readonly priority: number;
  readonly sinkProperties: SinkProperties;
  /** Name of the virtual server that it is bound to; absent: all of them. */
  readonly server?: string | undefined;
  readonly onError: OnError;
}

export function createBinding(
  parts: Pick<Binding, "displayName" | "event" | "sinkClass"> & Partial<Binding>,
): Binding {
  return {
    id: randomUUID(),
    enabled: true,
    priority: DEFAULT_PRIORITY,
    sinkProperties: {},
    onError: "hold",
    ...parts,
  };
}
