// What one call asks of the relay while it stands still, within limits.requests and limits.requestBytes.
import {
  type BlockingAnswer,
  type BlockingRequestBody,
  MAX_BLOCKING_HEAD_BYTES,
} from "../../../../runtime/contract.ts";
import type { CallState } from "../call-state.ts";

/** Why there is no answer: an error of the object model and what to say, or a limit that is used up. */
export type Failure =
  | { readonly kind: "failed"; readonly error: string; readonly detail: string }
  | { readonly kind: "limit"; readonly limit: "requests" | "requestBytes" };

export type Asked =
  | { readonly kind: "answered"; readonly answer: BlockingAnswer; readonly bytes: Buffer }
  | Failure;

const NO_BYTES = Buffer.alloc(0);
/** What stands around the body of a request. */
const FRAME_BYTES = 200;

export const failure = (error: string, detail: string): Failure => ({ kind: "failed", error, detail });

/** Raises the failure in the script, or ends the call when a limit is the reason. */
export function raise(call: CallState, reason: Failure): false {
  return reason.kind === "limit"
    ? call.exceeded(reason.limit, call.limits[reason.limit])
    : call.fail(reason.error, reason.detail);
}

/** Counts one request; undefined when it is within the limits. */
export function countRequest(call: CallState, bytes: number): Failure | undefined {
  const { used, limits } = call;
  if (used.requests >= limits.requests) return { kind: "limit", limit: "requests" };
  used.requests += 1;
  return countBytes(call, bytes);
}

export function countBytes({ used, limits }: CallState, bytes: number): Failure | undefined {
  if (used.requestBytes + bytes > limits.requestBytes) return { kind: "limit", limit: "requestBytes" };
  used.requestBytes += bytes;
  return undefined;
}

export function ask(call: CallState, request: BlockingRequestBody, bytes: Buffer = NO_BYTES): Asked {
  const { asks } = call;
  if (asks === undefined) return failure("CDO_E_NOT_AVAILABLE", "nobody is there to be asked");
  // The relay would take a longer one for a process that has gone mad, and end it.
  if (Buffer.byteLength(JSON.stringify(request)) > MAX_BLOCKING_HEAD_BYTES - FRAME_BYTES)
    return failure("CDO_E_ARGUMENT1", "the name is too long");
  const over = countRequest(call, bytes.length);
  if (over !== undefined) return over;
  const asked = performance.now();
  const waitMs = Math.min(Math.max(0, call.waitingMs(asked)), call.limits.timeoutMs);
  const reply = asks.perform(request, waitMs, bytes);
  call.stoodStill(performance.now() - asked);
  return countBytes(call, reply.bytes.length) ?? { kind: "answered", ...reply };
}
