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
} as const;

export type MessageStatus = (typeof messageStatus)[keyof typeof messageStatus];

export function isMessageStatus(value: unknown): value is MessageStatus {
  return value === 0 || value === 1 || value === 2 || value === 3;
}

/** What a sink answers: S_OK (0) calls the next sink, S_FALSE (1) skips the remaining ones. */
export const sinkResult = { runNext: 0, skipRemaining: 1 } as const;

export type SinkResult = (typeof sinkResult)[keyof typeof sinkResult];
