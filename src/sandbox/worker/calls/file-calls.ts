// Host operations on files and pages: what AddAttachment and AddRelatedBodyPart add, LoadFromFile reads, SaveToFile writes.
import { addAttachmentPart, addRelatedPart } from "../../../mime/bodies.ts";
import { MimePart } from "../../../mime/part.ts";
import { formatParameters } from "../../../mime/parameters.ts";
import { MAX_FILE_NAME_BYTES, cut } from "../../../../runtime/contract.ts";
import { ask, raise } from "./asking.ts";
import type { CallState } from "../call-state.ts";
import { decodedBytes } from "../content/compose.ts";
import { admitHeader, warnOfSignature } from "./header-calls.ts";
import type { Operation } from "./host-calls.ts";
import type { HostValue } from "../isolates/isolate.ts";
import { readResource, type Resource } from "./resources.ts";

/** CdoReferenceType: 0 names the part by Content-ID, 1 by Content-Location. */
const BY_LOCATION = 1;
/** SaveOptionsEnum: adSaveCreateOverWrite. */
const OVERWRITE = 2;

/** `how`: "attachment", or the CdoReferenceType, a blank and the reference of a related part. */
function attachFile(call: CallState, root: HostValue, source: HostValue, how: HostValue): HostValue {
  const document = call.documents.document(Number(root));
  if (document === undefined) return call.fail("CDO_E_INACTIVE", "message");
  if (!admitHeader(call, String(how))) return false;
  const resource = readResource(call, String(source));
  if (resource.kind !== "resource") return raise(call, resource);
  if (!call.admitCopy(resource.bytes.length)) return false;
  const part = partOf(resource);
  warnOfSignature(call, document);
  if (how === "attachment") addAttachmentPart(document.mime, part);
  else {
    const [type = "", ...reference] = String(how).split(" ");
    part.headers.remove("Content-Disposition");
    if (Number(type) === BY_LOCATION) part.headers.set("Content-Location", reference.join(" "));
    else part.headers.set("Content-ID", `<${reference.join(" ").replace(/^<(.*)>$/, "$1")}>`);
    addRelatedPart(document.mime, part);
  }
  document.noteChange("Attachments");
  return call.documents.handleOf(Number(root), part);
}

/** As the original: type and `name`, base64, and an attachment with `filename`. */
export function partOf({ name, mediaType, charset, bytes }: Resource): MimePart {
  const part = MimePart.create(mediaType, {
    ...(name === "" ? undefined : { name }),
    ...(charset === "" || !mediaType.startsWith("text/") ? undefined : { charset }),
  });
  const parameters = new Map(name === "" ? [] : [["filename", name] as const]);
  part.headers.set("Content-Disposition", formatParameters({ value: "attachment", parameters }));
  part.setDecodedBody(bytes, "base64");
  return part;
}

/** Stream.SaveToFile. */
function saveFile(call: CallState, name: HostValue, options: HostValue, bytes: Buffer): HostValue {
  return save(call, "Stream.SaveToFile", String(name), Number(options) === OVERWRITE, bytes);
}

/** BodyPart.SaveToFile: the content without its encoding, over what is there. */
function savePart(call: CallState, handle: HostValue, name: HostValue): HostValue {
  const part = call.documents.part(Number(handle));
  if (part === undefined) return call.fail("CDO_E_INACTIVE", "body part");
  if (part.isMultipart) return call.fail("CDO_E_MULTIPART_NO_DATA", "");
  const bytes = decodedBytes(part);
  return call.admitCopy(bytes.length) && save(call, "BodyPart.SaveToFile", String(name), true, bytes);
}

/** Without any grant the capability is what is missing; with one, the file is. */
function save(call: CallState, member: string, name: string, replace: boolean, bytes: Buffer): HostValue {
  if ((call.allow.write ?? []).length === 0)
    return call.fail("CDO_E_NOT_AVAILABLE", `${member} needs allow: { write: [patterns] } of the binding`);
  const shown = `"${cut(name, 100)}"`;
  if (Buffer.byteLength(name) > MAX_FILE_NAME_BYTES)
    return call.fail("adErrWriteFile", `${shown} is too long a name`);
  const asked = ask(call, { kind: "save", name, replace }, bytes);
  if (asked.kind !== "answered") return raise(call, asked);
  const { answer } = asked;
  if (answer.kind !== "refused") return true;
  const error = answer.why === "denied" ? "CDO_E_UNSAFE_OPERATION" : "adErrWriteFile";
  return call.fail(error, `${shown}: ${answer.message}`);
}

export const fileOperations: Readonly<Record<string, Operation>> = {
  attachFile,
  saveFile: (call, name, options, _unused, bytes) => saveFile(call, name, options, bytes),
  savePart,
};
