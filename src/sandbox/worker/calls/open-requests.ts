// The requests that one call has open, and those that the relay has not been told of yet.
import { MAX_ANSWER_HEAD_BYTES, MAX_FRAME_BYTES } from "../../../core/frames.ts";
import type { CapabilityRequest } from "../../../../runtime/contract.ts";

const MAX_TURN_BYTES = MAX_FRAME_BYTES / 2;
/** What stands around the body of a request, and around all of them. */
const HEAD_BYTES = 100;

export interface NewRequest {
  readonly request: number;
  readonly body: CapabilityRequest;
  readonly bytes: Buffer;
}

/** Numbers are unique within a job, also over calls that are run a second time. */
export class RequestNumbers {
  #next = 1;

  take(): number {
    const number = this.#next;
    this.#next += 1;
    return number;
  }
}

export class OpenRequests {
  readonly #numbers: RequestNumbers;
  readonly #open = new Map<number, { readonly kind: CapabilityRequest["kind"]; readonly place: number }>();
  #untold: NewRequest[] = [];
  #untoldBytes = 0;
  #untoldHeadBytes = HEAD_BYTES;

  constructor(numbers: RequestNumbers) {
    this.#numbers = numbers;
  }

  get count(): number {
    return this.#open.size;
  }

  /** What is waited for, for people: "fetch, kv". */
  get kinds(): string {
    return [...new Set([...this.#open.values()].map(({ kind }) => kind))].join(", ");
  }

  /** Where the script made the one that is open for longest; 0 when that is unknown. */
  get firstPlace(): number {
    const [first] = this.#open.values();
    return first?.place ?? 0;
  }

  /** Whether a request with so many bytes, and so many of JSON, still goes into the frame of this turn. */
  hasRoom(jsonBytes: number, bytes: number): boolean {
    return (
      this.#untoldHeadBytes + HEAD_BYTES + jsonBytes <= MAX_ANSWER_HEAD_BYTES &&
      this.#untoldBytes + bytes <= MAX_TURN_BYTES
    );
  }

  /** `place`: of the script's statement that makes it. */
  add(body: CapabilityRequest, jsonBytes: number, bytes: Buffer, place: number): number {
    const request = this.#numbers.take();
    this.#open.set(request, { kind: body.kind, place });
    this.#untold.push({ request, body, bytes });
    this.#untoldBytes += bytes.length;
    this.#untoldHeadBytes += HEAD_BYTES + jsonBytes;
    return request;
  }

  /** Whether it was open. */
  close(request: number): boolean {
    return this.#open.delete(request);
  }

  takeUntold(): readonly NewRequest[] {
    const untold = this.#untold;
    this.#untold = [];
    this.#untoldBytes = 0;
    this.#untoldHeadBytes = HEAD_BYTES;
    return untold;
  }
}
