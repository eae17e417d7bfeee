// What the relay and a sandbox process say to each other (frames of src/core/frames.ts; field bytes follow the JSON).
// Order: the relay sends `load` once per script version and `call` once per binding, then `job`s; the worker answers each `load` with
// `loaded` and each `job` with `done` (or `waiting`), in order. While a job runs the worker may ask for content on the content channel.
// Nothing here is trusted by the relay: every frame of a worker is validated and bounded as input from an enemy.
import type { InitFrame, ReadyFrame } from "./process-frames.ts";

/** Ends a text that was cut: the beginning of a secret that stands before it is still found and taken out (secrets.ts). */
export const CUT_MARK = "…";
export const cut = (text: string, maxChars: number): string =>
  text.length > maxChars ? text.slice(0, maxChars - CUT_MARK.length) + CUT_MARK : text;

/** File descriptors of the sandbox process beside stdio. */
export const FRAME_FD = 3;
/** The content channel: the worker writes a request and blocks until the bytes are there. */
export const CONTENT_FD = 4;
/** One content request: u32 job id, u32 length, f64 offset, little-endian. The answer is u32 length, then the bytes. */
export const CONTENT_REQUEST_BYTES = 16;
// A request whose length is this asks for a file that `allow.read` of the job grants: the offset is the length of its
// name in UTF-8, which follows. The answer is as for content, or one of the three lengths below and nothing.
export const FILE_REQUEST = 0xffff_ffff;
export const MAX_FILE_NAME_BYTES = 1024;
export const FILE_DENIED = 0xffff_ffff;
export const FILE_ABSENT = 0xffff_fffe;
export const FILE_TOO_LARGE = 0xffff_fffd;
// A request whose length is this is a BlockingRequest: the offset is the length of what follows, that is u32 length of the
// request as JSON, the request, and its bytes. The answer is a BlockingAnswer in the same form, with u32 length of its bytes.
export const BLOCKING_REQUEST = 0xffff_fffe;
export const MAX_BLOCKING_HEAD_BYTES = 32 * 1024;

/** Limits of one script on one message. Each is a setting of the binding. */
export interface ScriptLimits {
  /** Wall time from the call to the verdict: running, host calls and waiting for capabilities. */
  readonly timeoutMs: number;
  /** Time in which the script itself runs; waiting for a capability is not counted. */
  readonly cpuMs: number;
  /** Heap of the isolate and buffers outside of it, together; and the buffers that may be left after a turn (absent: as many). */
  readonly memoryMb: number;
  readonly externalMb?: number;
  /** Lines and bytes that console may write per message; more is counted and dropped. */
  readonly logLines: number;
  readonly logBytes: number;
  /** Calls from the script to the host per message. */
  readonly hostCalls: number;
  /** Bytes by which the script may make the message grow. */
  readonly growthBytes: number;
  /** Edits that the script may commit (each header field, body, part, envelope field is one). */
  readonly changes: number;
  /** Recipients that the script may add. */
  readonly recipientsAdded: number;
  /** Messages that the script may make beside the arriving one (new CDO.Message, and what is opened into it). */
  readonly messages: number;
  /** Bytes that streams, embedded messages and charset conversions may copy in and out. */
  readonly copiedBytes: number;
  /** Requests to capabilities (fetch, kv, dns, files, Drop), and bytes of them and their answers. */
  readonly requests: number;
  readonly requestBytes: number;
  /** Messages that the script may send per message (Capabilities.send). Their bytes count within growthBytes. */
  readonly sentMessages: number;
  /** Scripts that may have sent mail because of mail that a script sent: the loop guard. */
  readonly sendHops: number;
}

/** A script's mail carries it, as `<script>; hops=n`. */
export const SENT_BY_HEADER = "X-OnArrival-Sent-By";

export const DEFAULT_SCRIPT_LIMITS: ScriptLimits = {
  timeoutMs: 1000,
  cpuMs: 1000,
  memoryMb: 64,
  logLines: 100,
  logBytes: 16 * 1024,
  hostCalls: 100_000,
  growthBytes: 32 * 1024 * 1024,
  changes: 10_000,
  recipientsAdded: 1000,
  messages: 50,
  copiedBytes: 256 * 1024 * 1024,
  requests: 100,
  requestBytes: 16 * 1024 * 1024,
  sentMessages: 10,
  sendHops: 3,
};

/** Capabilities granted by the binding's `allow`. All but `log` are off by default. */
export interface Capabilities {
  /** Send, Reply, Forward: into the queue of the service. */
  readonly send?: boolean;
  /** "host:port" of the servers that cdoSendUsingPort may name. */
  readonly smtp?: readonly string[];
  /** Files below the script folder that may be read, as glob patterns. */
  readonly read?: readonly string[];
  /** Files below the script folder that SaveToFile may write, as glob patterns. */
  readonly write?: readonly string[];
  /** DropDirectory: the messages of the service's Drop folder. */
  readonly drop?: boolean;
  /** Beginnings of the URLs that may be fetched, as "https://host/path/". */
  readonly fetch?: readonly string[];
  /** The durable key-value store of the script. */
  readonly kv?: boolean;
  readonly dns?: boolean;
  /** Names of the secrets that the script may read. */
  readonly secrets?: readonly string[];
  /** Which lines of console get into the service's log: all, none, or those of a level and above. Absent: all. */
  readonly log?: boolean | LogLine["level"];
}

// What a script asks of the relay while it waits. The bytes of a request (body of fetch, value of kv) and of its answer follow
// the JSON of their frame, in the order of the requests.
export type CapabilityRequest =
  | {
      readonly kind: "fetch";
      readonly url: string;
      readonly method: string;
      readonly headers: readonly (readonly [name: string, value: string])[];
    }
  | { readonly kind: "kv"; readonly operation: "get" | "delete"; readonly key: string }
  /** ttlMs: absent is for ever. */
  | { readonly kind: "kv"; readonly operation: "set"; readonly key: string; readonly ttlMs?: number }
  | { readonly kind: "dns"; readonly type: string; readonly name: string };

export type CapabilityAnswer =
  | {
      readonly kind: "fetch";
      readonly status: number;
      readonly statusText: string;
      /** After redirects. */
      readonly url: string;
      readonly headers: readonly (readonly [name: string, value: string])[];
    }
  /** get: the value is the bytes. */
  | { readonly kind: "kv"; readonly found: boolean }
  | { readonly kind: "dns"; readonly records: readonly unknown[] }
  /** The script's promise is rejected. */
  | { readonly kind: "refused"; readonly message: string };

type FetchRequest = Extract<CapabilityRequest, { readonly kind: "fetch" }>;
type FetchAnswer = Extract<CapabilityAnswer, { readonly kind: "fetch" }>;

/** What the object model asks for while the script stands still: its members answer at once, as the original's did. */
export type BlockingRequestBody =
  | FetchRequest
  /** The bytes are the file. Without `replace` it must not be there yet. */
  | { readonly kind: "save"; readonly name: string; readonly replace: boolean }
  /** `folder` as the script gave it, or "". The answer's bytes are the file names, oldest first, a line each. */
  | { readonly kind: "drop"; readonly operation: "list"; readonly folder: string }
  | { readonly kind: "drop"; readonly operation: "read"; readonly name: string }
  /** The bytes are names of `list`, a line each; those of the answer are the names that could not be deleted. */
  | { readonly kind: "drop"; readonly operation: "delete" };

export interface BlockingRequest {
  /** Index of the call that asks. */
  readonly call: number;
  /** How long the script can wait before its time is over. */
  readonly waitMs: number;
  readonly request: BlockingRequestBody;
}

export type BlockingAnswer =
  | FetchAnswer
  | { readonly kind: "done" }
  /** `denied`: the binding does not grant it. */
  | {
      readonly kind: "refused";
      readonly why: "denied" | "absent" | "exists" | "failed";
      readonly message: string;
    };

// ---- relay → worker ----

/**
 * Name of the global variable that holds the exports of a bundled module. A plain script (no import, no export) is not
 * wrapped: its functions are globals.
 */
export const EXPORTS_GLOBAL = "__onarrivalExports";

/** The bytes of the frame are the bundled script, UTF-8. */
export interface LoadFrame {
  readonly type: "load";
  /** Content hash of the bundle: names this version everywhere. */
  readonly version: string;
  readonly scriptName: string;
  /** Evaluate it now and say what it is; then forget it (`inspectOnly`), or keep it ready for a first message (`evaluate`). */
  readonly inspectOnly: boolean;
  readonly evaluate?: boolean;
  readonly limits: ScriptLimits;
}

export interface UnloadFrame {
  readonly type: "unload";
  readonly version: string;
}

/** What a script sees as EnvelopeFields (REFERENCE 2.3). */
export interface JobEnvelope {
  readonly sender: string;
  readonly recipients: readonly string[];
  /** ms since the epoch */
  readonly arrivalTime: number;
  readonly clientAddress: string;
  readonly pickupFileName: string;
  readonly status: number;
}

/** A script with the terms of one binding. */
export interface ScriptCall {
  readonly version: string;
  readonly bindingName: string;
  /** JSON */
  readonly sinkProperties: string;
  readonly limits: ScriptLimits;
  readonly allow: Capabilities;
  /** Values of the secrets that `allow.secrets` names. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** false: a fresh context for this message (the original's IsCacheable, inverted). */
  readonly cacheable: boolean;
  /** onError: continue. Otherwise the run ends at a fault. */
  readonly continueOnFault: boolean;
}

/** What later jobs mean by the number. Number 0 takes the place of all that were told before. */
export interface CallFrame {
  readonly type: "call";
  readonly number: number;
  readonly call: ScriptCall;
}

/** The bytes of the frame are the first `sentBytes` of the message: its header block, or all of it. */
export interface JobFrame {
  readonly type: "job";
  /** Unique among the jobs of this worker, u32. */
  readonly job: number;
  readonly messageId: string;
  readonly envelope: JobEnvelope;
  readonly contentSize: number;
  readonly headerBytes: number;
  /** Numbers that call frames gave. */
  readonly calls: readonly number[];
  /** Measure the heap also after a short call: for people, it costs time. */
  readonly measureHeap?: boolean;
}

/** The answer to one request of a job that waits; its bytes are those of the answer. */
export interface ResumeFrame {
  readonly type: "resume";
  readonly job: number;
  readonly request: number;
  readonly answer: CapabilityAnswer;
}

/** The wall time of a job that waits is over: the call that waits has failed. */
export interface AbandonFrame {
  readonly type: "abandon";
  readonly job: number;
}

/** What a script made of the message of a test case: `event.properties.found` of the check behind it (case-check.ts). */
export interface CaseFound {
  readonly verdict: 0 | 1;
  readonly status: number;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly changed: boolean;
  /** What differs, as "the content differs". */
  readonly changes: string;
  readonly logs: readonly string[];
  readonly sent: number;
  readonly asked: { readonly fetched: readonly string[]; readonly kv: Readonly<Record<string, string>> };
  readonly fault?: string;
}

export type RelayFrame =
  | InitFrame
  | LoadFrame
  | UnloadFrame
  | CallFrame
  | JobFrame
  | ResumeFrame
  | AbandonFrame;

// ---- worker → relay ----

export interface ScriptFault {
  /** `invalid`: the answer of the script is no verdict. `limit`: a quota of ScriptLimits other than time and memory. */
  readonly kind: "throw" | "timeout" | "memory" | "limit" | "invalid" | "load";
  /** One line, at most 1,000 characters. */
  readonly message: string;
  /** Frames of the bundle, at most 4,000 characters. */
  readonly stack?: string;
  /** Position in the bundle, 1-based. The relay maps it to the source. */
  readonly line?: number;
  readonly column?: number;
}

export interface LoadedFrame {
  readonly type: "loaded";
  readonly version: string;
  readonly fault?: ScriptFault;
  /** What the script exports as `binding`, JSON. */
  readonly binding?: unknown;
  /** Name of the entry point found, as "default" or "ISMTPOnArrival_OnArrival". */
  readonly entryPoint?: string;
  /** Capabilities that the script names at load: "fetch", "kv", "dns", "secret NAME". */
  readonly needs?: readonly string[];
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
}

/** Replace [start, end) of the job's content by the next `length` bytes of the frame. */
export interface SpliceHead {
  readonly start: number;
  readonly end: number;
  readonly length: number;
}

/** A message that the script sent: it goes into the queue when the call ended without a fault. */
export interface SentHead {
  /** Reverse path without angle brackets. */
  readonly sender: string;
  readonly recipients: readonly string[];
  /** CdoDSNOptions: 0 default, 1 never, else 2 failure + 4 success + 8 delay. */
  readonly notify: number;
  /** "host:port" of Capabilities.smtp: the server that takes it, whatever the routes of the service say. */
  readonly nextHop?: string;
  /** Bytes of the frame, behind those of the splices. */
  readonly length: number;
}

/** Change notes of one call; further edits are made and counted without one. */
export const MAX_CHANGE_NOTES = 100;
export const MAX_CHANGE_CHARS = 200;
/** The place of an edit in the bundle, as one number: line × this + column, both from 1; 0 is unknown. */
export const PLACE_COLUMNS = 4_194_304;

/** One committed edit, for the effect log. */
export interface ChangeNote {
  /** What was changed, as "header Subject", "TextBody", "recipients"; at most 200 characters. */
  readonly what: string;
  /** Position of the edit in the bundle, 1-based, where it is known. */
  readonly line?: number;
  readonly column?: number;
}

/** What one call did. Absent fields: unchanged. Without a fault all of it applies, with a fault none of it. */
export interface CallOutcome {
  /** EventStatus: 0 run the next sink, 1 skip the remaining ones. */
  readonly verdict: 0 | 1;
  /** Committed by EnvelopeFields.Update(). */
  readonly status?: number;
  readonly sender?: string;
  readonly recipients?: readonly string[];
  /** Committed by DataSource.Save(): all edits since the start of the job, against the job's content. */
  readonly splices?: readonly SpliceHead[];
  readonly sent?: readonly SentHead[];
  /** What was committed, in order; the first ones when there are many. */
  readonly changes?: readonly ChangeNote[];
  readonly logs: readonly LogLine[];
  /** Console lines beyond the limits. */
  readonly logsDropped: number;
  readonly fault?: ScriptFault;
  /** Microseconds in which it ran; waiting for capabilities is not counted. */
  readonly micros: number;
  /** Heap of the isolate after the call; measured when the call was long or the job asks for it. */
  readonly heapBytes?: number;
  /** The script looked at more than the header block: later jobs of this version are sent whole. */
  readonly readBody: boolean;
}

/** Outcomes in the order of the calls; shorter than the calls when the run ended early. */
export interface DoneFrame {
  readonly type: "done";
  readonly job: number;
  readonly outcomes: readonly CallOutcome[];
}

/**
 * Sent instead of `done` when a call waits: the relay answers each request with `resume`. Every job, resume and abandon frame is
 * answered by exactly one `waiting` or `done`, in the order of those frames; between them the process runs other jobs.
 */
export interface WaitingFrame {
  readonly type: "waiting";
  readonly job: number;
  /** Index of the call that waits. */
  readonly call: number;
  /** The requests since the last turn; `request` is unique within the job. */
  readonly requests: readonly {
    readonly request: number;
    readonly body: CapabilityRequest;
    /** Bytes of the frame that belong to it. */
    readonly length: number;
  }[];
}

export type WorkerFrame = ReadyFrame | LoadedFrame | DoneFrame | WaitingFrame;
