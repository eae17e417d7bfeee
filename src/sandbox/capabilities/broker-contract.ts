// Who performs what scripts ask for while they wait. The pool calls it once per request, after the request was checked and
// counted; the answer goes back to the script. What the binding does not grant is refused here and nowhere else.
import type { Capabilities, CapabilityAnswer, CapabilityRequest } from "../../../runtime/contract.ts";

/** In whose name a request is made. */
export interface CapabilityGrant {
  /** `allow` of the binding whose call asks. */
  readonly allow: Capabilities;
  /** File name of the script. */
  readonly script: string;
  readonly version: string;
  readonly messageId: string;
  /** What the call may still move of limits.requestBytes: a longer answer is refused. */
  readonly maxAnswerBytes: number;
  /** Aborted when nobody waits for the answer any more: wall time over, process ended, service stopping. */
  readonly signal: AbortSignal;
  /** Told when the request has to wait for its turn, and for which setting; undefined: its turn has come. */
  readonly waitsFor?: WaitsFor;
}

export type WaitsFor = (setting: string | undefined) => void;

export interface PerformedRequest {
  readonly answer: CapabilityAnswer;
  /** Body of a fetch, value of a key; else empty. */
  readonly bytes: Buffer;
}

export interface CapabilityBroker {
  /**
   * A request that fails in a way that the script shall see is answered with `refused`. A rejection is a defect: it is logged,
   * and the script sees a refusal. Must settle soon after the signal is aborted.
   */
  perform(request: CapabilityRequest, body: Buffer, grant: CapabilityGrant): Promise<PerformedRequest>;
}

const NO_BYTES = Buffer.alloc(0);

export const refuse = (message: string): PerformedRequest => ({
  answer: { kind: "refused", message },
  bytes: NO_BYTES,
});
