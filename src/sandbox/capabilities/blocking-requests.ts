// What the object model has the relay do while a script stands still: saving files, the Drop folder, fetching. Requests are
// input from an enemy: their form is checked, and they are counted against the limits of the call that they name.
import type { Clock } from "../../core/clock.ts";
import {
  type BlockingAnswer,
  type BlockingRequest,
  type BlockingRequestBody,
  MAX_BLOCKING_HEAD_BYTES,
  MAX_FILE_NAME_BYTES,
  type ScriptCall,
} from "../../../runtime/contract.ts";
import type { CapabilityBroker } from "./broker-contract.ts";
import { checkUrl } from "./urls.ts";
import type { BlockingReply } from "../pool/content-channel.ts";
import { type DropFolder, deleteDropped, listDropped, readDropped } from "./drop-folder.ts";
import { codeOf } from "./file-error.ts";
import { saveGrantedFile } from "./saved-files.ts";
import type { JobTask } from "../pool/tasks.ts";

export interface BlockingParts {
  readonly scriptFolder: string;
  /** Of a virtual server. Absent: there is no service around. */
  readonly drop: ((server: string | undefined) => DropFolder | undefined) | undefined;
  /** Performs fetches; absent: nothing is fetched. */
  readonly broker: CapabilityBroker | undefined;
  readonly clock: Clock;
}

interface Usage {
  requests: number;
  bytes: number;
}

const NO_BYTES = Buffer.alloc(0);
const MAX_HEADERS = 20;

const refused = (
  why: Extract<BlockingAnswer, { kind: "refused" }>["why"],
  message: string,
): BlockingReply => ({
  answer: { kind: "refused", why, message },
  bytes: NO_BYTES,
});

const done = (bytes: Buffer = NO_BYTES): BlockingReply => ({ answer: { kind: "done" }, bytes });

/** How many bytes one blocking request of the job may have. */
export const blockingBytesOf = ({ calls }: JobTask): number =>
  4 + MAX_BLOCKING_HEAD_BYTES + Math.max(0, ...calls.map(({ limits }) => limits.requestBytes));

/** The requests of one sandbox process. */
export class BlockingRequests {
  readonly #parts: BlockingParts;
  readonly #used = new WeakMap<JobTask, Usage>();
  readonly #closing = new AbortController();

  constructor(parts: BlockingParts) {
    this.#parts = parts;
  }

  /** The process is gone: nobody waits for an answer. */
  close(): void {
    this.#closing.abort();
  }

  /** Undefined: what came is no request of this job. Never rejects. */
  perform(task: JobTask, request: Buffer): Promise<BlockingReply> | undefined {
    if (request.length < 4) return undefined;
    const headEnd = 4 + request.readUInt32LE(0);
    if (headEnd > request.length || headEnd > 4 + MAX_BLOCKING_HEAD_BYTES) return undefined;
    const checked = checkRequest(request.subarray(4, headEnd), task);
    if (checked === undefined) return undefined;
    const { request: body, waitMs, call } = checked;
    const bytes = request.subarray(headEnd);
    const roomBytes = this.#admit(task, call, request.length);
    if (roomBytes === undefined)
      return Promise.resolve(refused("failed", "limits.requests or limits.requestBytes is used up"));
    return this.#perform({ task, call, roomBytes, waitMs }, body, bytes).then((reply) => {
      this.#usageOf(task).bytes += reply.bytes.length;
      return reply.bytes.length <= roomBytes
        ? reply
        : refused("failed", "the answer is longer than limits.requestBytes");
    });
  }

  #usageOf(task: JobTask): Usage {
    const known = this.#used.get(task);
    if (known !== undefined) return known;
    const used = { requests: 0, bytes: 0 };
    this.#used.set(task, used);
    return used;
  }

  /** What is left of the bytes that the call may move. The job as a whole has what its calls have together. */
  #admit(task: JobTask, { limits }: ScriptCall, bytes: number): number | undefined {
    const used = this.#usageOf(task);
    used.requests += 1;
    used.bytes += bytes;
    let requests = 0;
    let requestBytes = 0;
    for (const call of task.calls) {
      requests += call.limits.requests;
      requestBytes += call.limits.requestBytes + MAX_BLOCKING_HEAD_BYTES;
    }
    const isAdmitted = used.requests <= requests && used.bytes <= requestBytes;
    return isAdmitted ? Math.min(limits.requestBytes, requestBytes - used.bytes) : undefined;
  }

  async #perform(asked: Asked, request: BlockingRequestBody, bytes: Buffer): Promise<BlockingReply> {
    try {
      switch (request.kind) {
        case "save":
          return saved(await saveGrantedFile(this.#parts.scriptFolder, asked.call.allow, request, bytes));
        case "drop":
          return await this.#drop(asked, request, bytes);
        case "fetch":
          return await this.#fetch(asked, request);
      }
    } catch (error) {
      return refused("failed", `it cannot be done (${codeOf(error)})`);
    }
  }

  async #drop(
    { task, call, roomBytes }: Asked,
    request: Extract<BlockingRequestBody, { kind: "drop" }>,
    bytes: Buffer,
  ): Promise<BlockingReply> {
    const drop = this.#parts.drop?.(task.server);
    if (call.allow.drop !== true) return refused("denied", "allow.drop of the binding does not grant it");
    if (drop === undefined) return refused("absent", "there is no Drop folder without a service");
    switch (request.operation) {
      case "list": {
        const names = await listDropped(drop, request.folder);
        return names === undefined
          ? refused("denied", "only the Drop folder of the service can be opened: leave the folder out")
          : done(Buffer.from(names.join("\n")));
      }
      case "read": {
        const content = await readDropped(drop, request.name, roomBytes);
        if (content === "tooLarge")
          return refused("failed", `${request.name} is longer than limits.requestBytes`);
        return content === undefined
          ? refused("absent", `${request.name} is no longer in the Drop folder`)
          : done(content);
      }
      case "delete":
        return done(
          Buffer.from((await deleteDropped(drop, bytes.toString("latin1").split("\n"))).join("\n")),
        );
    }
  }

  async #fetch(
    { task, call, roomBytes, waitMs }: Asked,
    request: Extract<BlockingRequestBody, { kind: "fetch" }>,
  ): Promise<BlockingReply> {
    const { broker, clock } = this.#parts;
    if (broker === undefined) return refused("failed", "nothing is fetched without a service");
    const url = checkUrl(request.url, call.allow.fetch ?? []);
    if (url.kind === "refused") return refused("denied", url.message);
    const timeOver = new AbortController();
    const cancel = clock.after(Math.min(waitMs, call.limits.timeoutMs), () => timeOver.abort());
    try {
      const { answer, bytes } = await broker.perform(request, NO_BYTES, {
        allow: call.allow,
        script: task.bundles[task.calls.indexOf(call)]?.scriptName ?? "",
        version: call.version,
        messageId: task.messageId,
        maxAnswerBytes: roomBytes,
        signal: AbortSignal.any([this.#closing.signal, timeOver.signal]),
      });
      if (answer.kind === "fetch") return { answer, bytes };
      if (timeOver.signal.aborted)
        return refused("failed", "no answer before the time of the script is over (limits.timeoutMs)");
      return refused("failed", answer.kind === "refused" ? answer.message : "no answer to a fetch");
    } finally {
      cancel();
    }
  }
}

/** A request and in whose name it is made. */
interface Asked {
  readonly task: JobTask;
  readonly call: ScriptCall;
  readonly roomBytes: number;
  readonly waitMs: number;
}

function saved(outcome: Awaited<ReturnType<typeof saveGrantedFile>>): BlockingReply {
  return outcome === undefined ? done() : refused(outcome.why, outcome.message);
}

// ---- form ----

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.length <= max;

interface CheckedRequest extends Omit<BlockingRequest, "call"> {
  readonly call: ScriptCall;
}

function checkRequest(json: Buffer, { calls }: JobTask): CheckedRequest | undefined {
  const head = parse(json);
  if (!isFields(head)) return undefined;
  const { call: index, waitMs, request } = head;
  const call = typeof index === "number" ? calls[index] : undefined;
  if (call === undefined || typeof waitMs !== "number" || !(waitMs >= 0)) return undefined;
  return isRequest(request) ? { call, waitMs, request } : undefined;
}

function parse(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString("utf8"));
  } catch {
    return undefined;
  }
}

function isRequest(value: unknown): value is BlockingRequestBody {
  if (!isFields(value)) return false;
  switch (value["kind"]) {
    case "save":
      return isText(value["name"], MAX_FILE_NAME_BYTES) && typeof value["replace"] === "boolean";
    case "drop":
      return isDropRequest(value);
    case "fetch":
      return (
        isText(value["url"], MAX_BLOCKING_HEAD_BYTES) &&
        value["method"] === "GET" &&
        Array.isArray(value["headers"]) &&
        value["headers"].length <= MAX_HEADERS &&
        value["headers"].every(isHeader)
      );
    default:
      return false;
  }
}

function isDropRequest({ operation, folder, name }: Fields): boolean {
  switch (operation) {
    case "list":
      return isText(folder, MAX_FILE_NAME_BYTES);
    case "read":
      return isText(name, MAX_FILE_NAME_BYTES);
    default:
      return operation === "delete";
  }
}

const isHeader = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length === 2 &&
  value.every((text) => isText(text, MAX_BLOCKING_HEAD_BYTES) && !/[\r\n\0]/.test(text));
