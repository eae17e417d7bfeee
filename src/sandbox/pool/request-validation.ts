// Checks the waiting frames of a sandbox process as input from an enemy, beside outcome-validation.ts.
/* oxlint-disable typescript/no-unsafe-type-assertion -- the assertions name what the checks beside them have shown */
import { capabilityRequestProblem } from "../../core/capability-request.ts";
import type { CapabilityRequest } from "../../../runtime/contract.ts";
import { FrameViolation } from "./outcome-validation.ts";
import type { JobTask } from "./tasks.ts";

/** A call that lost its isolate through no fault of its own is run once more, and asks once more. */
const ATTEMPTS = 2;

/** What a job that waits has asked for so far. */
export interface AskedSoFar {
  /** Index of the call that waits; -1 before the first. */
  call: number;
  /** The highest number of a request. */
  request: number;
  /** Requests of that call, and the bytes of them and of their answers. */
  requests: number;
  bytes: number;
}

export interface CheckedRequest {
  readonly request: number;
  readonly body: CapabilityRequest;
  readonly bytes: Buffer;
}

function require(condition: boolean, what: string): asserts condition {
  if (!condition) throw new FrameViolation(`waiting: ${what}`);
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;

/** The new requests of the frame. Moves `asked` on. */
export function checkWaiting(
  head: Readonly<Record<string, unknown>>,
  bytes: Buffer,
  task: JobTask,
  asked: AskedSoFar,
): readonly CheckedRequest[] {
  const { call, requests } = head;
  require(isCount(call) && call >= asked.call && call < task.calls.length, "call");
  const limits = task.calls[call]?.limits;
  require(Array.isArray(requests) && limits !== undefined, "requests");
  if (call > asked.call) Object.assign(asked, { call, requests: 0, bytes: 0 });
  let offset = 0;
  const checked: CheckedRequest[] = [];
  for (const one of requests as unknown[]) {
    require(typeof one === "object" && one !== null, "request");
    const { request, body, length } = one as { request?: unknown; body?: unknown; length?: unknown };
    require(isCount(request) && request > asked.request, "number of a request");
    require(isCount(length) && offset + length <= bytes.length, "bytes of a request");
    const problem = capabilityRequestProblem(body);
    require(problem === undefined, problem ?? "request");
    asked.request = request;
    asked.requests += 1;
    asked.bytes += length;
    require(asked.requests <= ATTEMPTS * limits.requests, "more requests than it may make");
    require(asked.bytes <= ATTEMPTS * limits.requestBytes, "more bytes than it may ask with");
    // Copied out, so that a small request does not keep a whole batch of frames in memory.
    checked.push({
      request,
      body: body as CapabilityRequest,
      bytes: Buffer.from(bytes.subarray(offset, offset + length)),
    });
    offset += length;
  }
  require(offset === bytes.length, "bytes left over");
  return checked;
}

/** What the answer to a request may have: half of it was for an attempt that was lost, at worst. */
export const answerRoom = ({ limits }: JobTask["calls"][number], asked: AskedSoFar): number =>
  Math.max(0, ATTEMPTS * limits.requestBytes - asked.bytes);
