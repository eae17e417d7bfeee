// SMTP replies with enhanced status codes (RFC 5321 §4.2, RFC 3463). The class digit is derived, never stored twice.

export interface Reply {
  /** Three-digit reply code. */
  readonly code: number;
  /** `subject.detail` of the enhanced status code, as "1.1"; absent where RFC 2034 wants none. */
  readonly detail?: string | undefined;
  readonly text: string;
  /** Ours, though it stands where the reply of another system would: that one could not be asked, or has not answered. */
  readonly own?: true;
}

export function reply(code: number, detail: string | undefined, text: string): Reply {
  return { code, detail, text };
}

export function ownReply(code: number, detail: string | undefined, text: string): Reply {
  return { code, detail, text, own: true };
}

/** `class.subject.detail`, as "5.1.1". */
export function enhancedStatus(of: Reply): string {
  return `${Math.floor(of.code / 100)}.${of.detail ?? "0.0"}`;
}

export function formatReply(of: Reply): string {
  return of.detail === undefined ? `${of.code} ${of.text}` : `${of.code} ${enhancedStatus(of)} ${of.text}`;
}

export const isPermanent = (of: Reply): boolean => of.code >= 500;
export const isPositive = (of: Reply): boolean => of.code < 400;

const MAX_FAILURE_CHARS = 500;

/** A failure as sinks write it, "550 5.1.1 No such user". Throws RangeError on anything else. */
export function parseFailure(text: unknown): Reply {
  const said = typeof text === "string" ? text.slice(0, MAX_FAILURE_CHARS) : "";
  const found = /^([45]\d\d)(?: [45]\.(\d{1,3}\.\d{1,3}))? ([^\p{Cc}]+)$/u.exec(said);
  if (found === null) throw new RangeError('a refusal has to be a reply as "550 5.1.1 No such user"');
  return reply(Number(found[1]), found[2] ?? "0.0", found[3] ?? "");
}
