// Host operation behind AddAttachment and AddRelatedBodyPart: a granted file becomes a part of the message.
import { addAttachmentPart, addRelatedPart } from "../../mime/bodies.ts";
import { MimePart } from "../../mime/part.ts";
import { formatParameters } from "../../mime/parameters.ts";
import { FILE_ABSENT, FILE_DENIED } from "../../../runtime/contract.ts";
import type { CallState } from "./call-state.ts";
import { warnOfSignature } from "./header-calls.ts";
import type { Operation } from "./host-calls.ts";
import type { HostValue } from "./isolate.ts";

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  bmp: "image/bmp",
  css: "text/css",
  csv: "text/csv",
  doc: "application/msword",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  gif: "image/gif",
  htm: "text/html",
  html: "text/html",
  ico: "image/x-icon",
  ics: "text/calendar",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  json: "application/json",
  mp3: "audio/mpeg",
  mp4: "video/mp4",
  pdf: "application/pdf",
  png: "image/png",
  ppt: "application/vnd.ms-powerpoint",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  rtf: "application/rtf",
  svg: "image/svg+xml",
  txt: "text/plain",
  vcf: "text/vcard",
  webp: "image/webp",
  xls: "application/vnd.ms-excel",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  xml: "application/xml",
  zip: "application/zip",
};

/** CdoReferenceType: 0 names the part by Content-ID, 1 by Content-Location. */
const BY_LOCATION = 1;

/** `how`: "attachment", or the CdoReferenceType, a blank and the reference of a related part. */
function attachFile(call: CallState, root: HostValue, name: HostValue, how: HostValue): HostValue {
  const document = call.documents.document(Number(root));
  if (document === undefined) return call.fail("CDO_E_INACTIVE", "message");
  const path = String(name);
  const bytes = readFile(call, path);
  if (bytes === false) return false;
  const part = partOf(path, bytes);
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

/** A granted file of the script folder; refused in words that name the setting. */
export function readFile(call: CallState, path: string): Buffer | false {
  const shown = `"${path.slice(0, 100)}"`;
  // Asked here, too: what is not granted at all costs no question to the relay.
  const answer = (call.allow.read ?? []).length === 0 ? FILE_DENIED : (call.readFile?.(path) ?? FILE_DENIED);
  if (answer === FILE_DENIED)
    return call.fail(
      "CDO_E_UNSAFE_OPERATION",
      `${shown} is no file below the script folder that allow: { read: [patterns] } of the binding covers`,
    );
  if (answer === FILE_ABSENT) return call.fail("CDO_E_HTTP_NOT_FOUND", shown);
  if (typeof answer === "number")
    return call.fail("CDO_E_HTTP_FAILED", `${shown} is larger than limits.growthBytes`);
  return call.admitCopy(answer.length) ? answer : false;
}

/** As the original: type and `name`, base64, and an attachment with `filename`. */
function partOf(path: string, bytes: Buffer): MimePart {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const extension = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  const part = MimePart.create(MEDIA_TYPES[extension] ?? "application/octet-stream", { name });
  const parameters = new Map([["filename", name]]);
  part.headers.set("Content-Disposition", formatParameters({ value: "attachment", parameters }));
  part.setDecodedBody(bytes, "base64");
  return part;
}

export const fileOperations: Readonly<Record<string, Operation>> = { attachFile };
