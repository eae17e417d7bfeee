// What sinks of MsgTrackLog receive (REFERENCE 4.1, 4.2 step 13): one record of the message tracking log, before it is written.

export type TrackedValue = string | number | boolean | readonly string[] | undefined;

/** Sinks see records also while the tracking log itself is off. */
export interface TrackingRecord {
  /** ms since the epoch. */
  readonly time: number;
  /** Event id of the original, as 1019. */
  readonly event: number;
  /** Our word for it, as "submitted"; docs/operating.md lists them. */
  readonly step: string;
  /** Of the message. */
  readonly id: string;
  /** Name of the virtual server. */
  readonly server: string;
  /** Reverse path of the message. */
  from: string;
  /** Addresses of the recipients concerned. */
  to: readonly string[];
  /** Further fields of the line by their names; undefined leaves one out. */
  more: Readonly<Record<string, TrackedValue>>;
  /** Set to false, nothing is written of it. */
  isWritten: boolean;
}
