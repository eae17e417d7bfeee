// Host operations behind CDO.DropDirectory: the names of the messages in Drop, opening one, deleting some.
import type { BlockingRequestBody } from "../../../../runtime/contract.ts";
import { type Asked, ask, failure, raise } from "./asking.ts";
import type { CallState } from "../call-state.ts";
import type { Operation } from "./host-calls.ts";
import type { HostValue } from "../isolates/isolate.ts";

type DropRequest = Extract<BlockingRequestBody, { readonly kind: "drop" }>;

function askDrop(call: CallState, request: DropRequest, bytes?: Buffer): Asked {
  if (call.allow.drop !== true)
    return failure("CDO_E_NOT_AVAILABLE", "CDO.DropDirectory needs allow: { drop: true } of the binding");
  return ask(call, request, bytes);
}

function listDrop(call: CallState, folder: HostValue): HostValue {
  const asked = askDrop(call, { kind: "drop", operation: "list", folder: String(folder).slice(0, 1000) });
  if (asked.kind !== "answered") return raise(call, asked);
  const { answer, bytes } = asked;
  if (answer.kind !== "refused") return bytes.toString("latin1");
  const error = answer.why === "denied" ? "CDO_E_UNSAFE_OPERATION" : "CDO_E_NO_DEFAULT_DROP_DIR";
  return call.fail(error, `DropDirectory.GetMessages: ${answer.message}`);
}

function openDropped(call: CallState, name: HostValue): HostValue {
  const { messages } = call.limits;
  if (call.documents.count >= messages) return call.exceeded("messages", messages);
  const asked = askDrop(call, { kind: "drop", operation: "read", name: String(name) });
  if (asked.kind !== "answered") return raise(call, asked);
  const { answer, bytes } = asked;
  if (answer.kind === "refused")
    return call.fail(answer.why === "absent" ? "CDO_E_NOT_FOUND" : "CDO_E_NOT_AVAILABLE", answer.message);
  if (!call.admitCopy(bytes.length)) return false;
  const root = call.documents.create();
  const document = call.documents.document(root);
  document?.replace(bytes, "DropDirectory");
  document?.markSaved();
  return root;
}

/** Answers the names that are left. */
function deleteDropped(call: CallState, names: HostValue): HostValue {
  const asked = askDrop(call, { kind: "drop", operation: "delete" }, Buffer.from(String(names), "latin1"));
  if (asked.kind !== "answered") return raise(call, asked);
  const { answer, bytes } = asked;
  return answer.kind === "refused"
    ? call.fail("CDO_E_NOT_ALL_DELETED", answer.message)
    : bytes.toString("latin1");
}

export const dropOperations: Readonly<Record<string, Operation>> = {
  dropList: listDrop,
  dropOpen: openDropped,
  dropDelete: (call, _unused, names) => deleteDropped(call, names),
};
