// The operations that the runtime asks for (runtime/host.ts names the same): each takes and gives texts and numbers.
// `false` means refused; the reason waits in the state for the operation "error".
import { randomUUID } from "node:crypto";
import { oneLine } from "../../../core/printable.ts";
import type { CallState } from "../call-state.ts";
import { contentOperations } from "./content-calls.ts";
import { dropOperations } from "./drop-calls.ts";
import { fileOperations } from "./file-calls.ts";
import { headerOperations } from "./header-calls.ts";
import type { HostAnswer, HostFunction, HostValue } from "../isolates/isolate.ts";
import { mhtmlOperations } from "../content/mhtml.ts";
import { partOperations } from "./part-calls.ts";
import { requestOperations, secretNotGranted } from "./request-calls.ts";
import { sendOperations } from "./send-calls.ts";
import { WebBudget, webOperations } from "./web-calls.ts";
import { formatRecipientList, formatSender, parseRecipientList, parseSender } from "../recipient-list.ts";
import { cut } from "../../../../runtime/contract.ts";

export type Operation = (
  call: CallState,
  a: HostValue,
  b: HostValue,
  c: HostValue,
  bytes: Buffer,
) => HostAnswer;

const NO_BYTES = Buffer.alloc(0);

const envelopeOperations: Readonly<Record<string, Operation>> = {
  envelope: (call, field) => {
    switch (String(field)) {
      case "sender":
        return formatSender(call.envelope.sender);
      case "recipients":
        return formatRecipientList(call.envelope.recipients);
      case "status":
        return call.envelope.status;
      case "arrivalTime":
        return call.received.arrivalTime;
      case "clientAddress":
        return call.received.clientAddress;
      case "pickupFileName":
        return call.received.pickupFileName;
      default:
        return undefined;
    }
  },
  stageEnvelope: (call, field, _unused, value) => stageEnvelope(call, String(field), String(value)),
  commitEnvelope: (call) => call.commitEnvelope(),
};

/** A refused field takes the others back that were staged with it: all or none of them are committed. */
function stageEnvelope(call: CallState, field: string, value: string): HostValue {
  const staged = stageField(call, field, value);
  if (staged === false) {
    call.staged = {};
    call.changes.forget("envelope");
  } else call.changes.add("envelope", field);
  return staged;
}

function stageField(call: CallState, field: string, value: string): HostValue {
  if (field === "status") {
    const status = Number(value);
    // 1 (retry later) does not exist in CDO; it is our extension, with the transport's own meaning.
    if (!Number.isInteger(status) || status < 0 || status > 3)
      return call.fail("CDO_E_BAD_DATA", `messagestatus ${value}`);
    call.staged.status = status;
  } else if (field === "sender") {
    const sender = parseSender(value);
    if (sender === undefined) return call.fail("CDO_E_BAD_DATA", `senderemailaddress ${value}`);
    call.staged.sender = sender;
  } else {
    const list = parseRecipientList(value);
    if ("invalid" in list)
      return call.fail(
        "CDO_E_BAD_DATA",
        `recipientlist item "${list.invalid}" (each is SMTP:address; without a name)`,
      );
    call.staged.recipients = list.addresses;
  }
  return true;
}

const messageOperations: Readonly<Record<string, Operation>> = {
  save: (call) => call.saveContent(),
  isDirty: (call, root) => (call.documents.document(Number(root))?.isDirty === true ? 1 : 0),
  protection: (call, root) => call.documents.document(Number(root))?.mime.protection,
  uuid: () => randomUUID(),
  limit: (call) => call.exceeded("growthBytes", call.limits.growthBytes),
};

/** Served even when the call is over its limits: they end it or report it. */
const reportOperations: Readonly<Record<string, Operation>> = {
  error: (call) => call.lastError,
  faultedAt: (call, place) => {
    call.faultedAt(Number(place));
    return true;
  },
  log: (call, level, text) => (call.log(String(level), String(text)) ? 1 : 0),
  logsDropped: (call, count) => {
    call.logsDropped += Number(count);
    return true;
  },
  changedBuiltIns: (call) => {
    call.changedBuiltIns = true;
    return true;
  },
  uncommitted: (call, names) => {
    call.uncommitted = String(names);
    return true;
  },
};

const OPERATIONS = new Map<string, Operation>(
  Object.entries({
    ...envelopeOperations,
    ...messageOperations,
    ...headerOperations,
    ...partOperations,
    ...contentOperations,
    ...sendOperations,
    ...fileOperations,
    ...dropOperations,
    ...mhtmlOperations,
    ...requestOperations,
    ...webOperations,
  }),
);
const REPORTS = new Map<string, Operation>(Object.entries(reportOperations));

function outsideOfCall(side: HostSide, operation: string, a: HostValue): HostValue {
  if (operation === "secretAtLoad") {
    const value = side.secretAtLoad(String(a));
    return value === undefined ? `!${secretNotGranted(String(a))}` : `=${value}`;
  }
  return operation === "error" ? "CDO_E_NOT_AVAILABLE outside of a message" : false;
}

/** What comes out of the isolate was copied on the way: nobody else holds it. */
const bytesOf = (received: unknown): Buffer =>
  received instanceof ArrayBuffer ? Buffer.from(received) : NO_BYTES;

const textLength = (value: HostValue): number => (typeof value === "string" ? value.length : 0);

/** What a context has behind it. */
export interface HostSide {
  /** The call whose turn it is; between turns there is none. */
  readonly state: CallState | undefined;
  /** A secret for a script that is being loaded; undefined: not granted, or it is not being loaded. */
  secretAtLoad(name: string): string | undefined;
}

/** The function that a context gets. */
export function createHostFunction(side: HostSide): HostFunction {
  const outside = new WebBudget();
  return (operation, a, b, c, place, received) => {
    const call = side.state;
    if (call === undefined)
      return outside.serves(operation)
        ? outside.serve(operation, a, b, c, bytesOf(received))
        : outsideOfCall(side, operation, a);
    const report = REPORTS.get(operation);
    const bytes = bytesOf(received);
    if (report !== undefined) call.countReport();
    else if (!call.admit(textLength(b) + textLength(c) + bytes.length)) return false;
    call.changes.place = typeof place === "number" ? place : 0;
    if (call.changes.place !== 0) call.lastPlace = call.changes.place;
    try {
      return (report ?? OPERATIONS.get(operation))?.(call, a, b, c, bytes) ?? undefined;
    } catch (error) {
      // A RangeError is the MIME document refusing a value (line breaks in a header, an impossible place).
      const detail = error instanceof Error ? error.message : "refused";
      if (error instanceof RangeError) return call.fail("CDO_E_BAD_DATA", detail);
      call.fault ??= {
        kind: "throw",
        message: cut(oneLine(`the message could not be processed: ${detail}`), 1000),
      };
      return call.fail("", detail);
    }
  };
}
