// Message status and sink results (REFERENCE 4.6.1, 3.5).

/** MP_STATUS_*: what the transport does with a message after a sink. */
export const messageStatus = {
  /** MP_STATUS_SUCCESS: go on. */
  success: 0,
  /** MP_STATUS_RETRY: try the message again later. */
  retry: 1,
  /** MP_STATUS_ABORT_DELIVERY: delete, no report. */
  abortDelivery: 2,
  /** MP_STATUS_BAD_MAIL: move to Badmail. */
  badMail: 3,
  /** MP_STATUS_SUBMITTED: the sinks of submission are through; set by one of them, the remaining ones are passed over. */
  submitted: 4,
  /** MP_STATUS_CATEGORIZED: nothing before OnPostCategorize is left to do. */
  categorized: 5,
  /** MP_STATUS_ABANDON_DELIVERY: leave it alone until the service restarts. */
  abandonDelivery: 6,
} as const;

export type MessageStatus = (typeof messageStatus)[keyof typeof messageStatus];

/** A status with which the transport does something else than to go on. */
export type StoppingStatus = 1 | 2 | 3 | 6;

/** What a script may set: the further ones steer the transport, and what a sandbox process says is not trusted that far. */
export type ScriptStatus = 0 | 1 | 2 | 3;

const MESSAGE_STATUSES: ReadonlySet<unknown> = new Set(Object.values(messageStatus));

export const isMessageStatus = (value: unknown): value is MessageStatus => MESSAGE_STATUSES.has(value);

export const isScriptStatus = (value: unknown): value is ScriptStatus =>
  value === 0 || value === 1 || value === 2 || value === 3;

/** What a sink answers: S_OK (0) calls the next sink, S_FALSE (1) skips the remaining ones. */
export const sinkResult = { runNext: 0, skipRemaining: 1 } as const;

export type SinkResult = (typeof sinkResult)[keyof typeof sinkResult];
