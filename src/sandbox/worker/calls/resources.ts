// The resources that a script names: files below the script folder (allow.read), and pages of the network (allow.fetch).
import { parseParameters } from "../../../mime/parameters.ts";
import { FILE_ABSENT, FILE_DENIED, FILE_TOO_LARGE, cut } from "../../../../runtime/contract.ts";
import { ask, countBytes, countRequest, type Failure, failure } from "./asking.ts";
import type { CallState } from "../call-state.ts";

export interface Resource {
  readonly kind: "resource";
  readonly bytes: Buffer;
  /** File name, without its folder. */
  readonly name: string;
  readonly mediaType: string;
  /** Of Content-Type; "" when it says none. */
  readonly charset: string;
  /** Where it came from in the end. */
  readonly url: string;
}

/** The media type of a file whose extension says nothing. */
const UNKNOWN_TYPE = "application/octet-stream";

const MEDIA_TYPES: ReadonlyMap<string, string> = new Map(
  Object.entries({
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
  }),
);

export const isHttp = (url: string): boolean => /^https?:\/\//i.test(url);

/** `source` is a path as runtime/cdo/files.ts gives it, or an http(s) URL, with `\0user:password` behind it when there are some. */
export function readResource(call: CallState, source: string): Resource | Failure {
  if (!isHttp(source)) return readFile(call, source);
  const [url = "", credentials] = source.split("\0", 2);
  return fetchResource(call, url, credentials);
}

/** A granted file of the script folder; refused in words that name the setting. */
export function readFile(call: CallState, path: string): Resource | Failure {
  const shown = `"${cut(path, 100)}"`;
  // Asked here, too: what is not granted at all costs no question to the relay.
  const isPossible = (call.allow.read ?? []).length > 0 && call.asks !== undefined;
  const over = isPossible ? countRequest(call, 0) : undefined;
  if (over !== undefined) return over;
  const answer = (isPossible ? call.asks?.readFile(path) : undefined) ?? FILE_DENIED;
  if (answer === FILE_DENIED)
    return failure(
      "CDO_E_UNSAFE_OPERATION",
      `${shown} is no file below the script folder that allow: { read: [patterns] } of the binding covers`,
    );
  if (answer === FILE_ABSENT) return failure("CDO_E_HTTP_NOT_FOUND", shown);
  if (answer === FILE_TOO_LARGE || typeof answer === "number")
    return failure("CDO_E_HTTP_FAILED", `${shown} is larger than limits.growthBytes`);
  const name = path.slice(path.lastIndexOf("/") + 1);
  const resource = { bytes: answer, name, mediaType: typeByName(name), charset: "", url: path };
  return countBytes(call, answer.length) ?? { kind: "resource", ...resource };
}

function typeByName(name: string): string {
  return MEDIA_TYPES.get(name.slice(name.lastIndexOf(".") + 1).toLowerCase()) ?? UNKNOWN_TYPE;
}

function fetchResource(call: CallState, url: string, credentials: string | undefined): Resource | Failure {
  const shown = `"${cut(url, 100)}"`;
  if ((call.allow.fetch ?? []).length === 0)
    return failure(
      "CDO_E_NOT_AVAILABLE",
      `${shown} needs allow.fetch of the binding: the URLs that it may begin with`,
    );
  const headers: [string, string][] =
    credentials === undefined
      ? []
      : [["Authorization", `Basic ${Buffer.from(credentials).toString("base64")}`]];
  const asked = ask(call, { kind: "fetch", url, method: "GET", headers });
  if (asked.kind !== "answered") return asked;
  const { answer, bytes } = asked;
  if (answer.kind === "refused") {
    const error = answer.why === "denied" ? "CDO_E_UNSAFE_OPERATION" : "CDO_E_HTTP_FAILED";
    return failure(error, answer.message);
  }
  if (answer.kind !== "fetch") return failure("CDO_E_HTTP_FAILED", shown);
  if (answer.status < 200 || answer.status > 299)
    return failure(errorOfStatus(answer.status), `${shown} was answered with ${answer.status}`);
  const type = answer.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
  const { value, parameters } = parseParameters(type);
  const name = nameInUrl(answer.url);
  // RFC 2046 §5: a composite type has parts of its own, and is never base64.
  const isLeafType = /^(?!multipart\/|message\/)[\w.+-]+\/[\w.+-]+$/.test(value);
  const mediaType = isLeafType ? value : typeByName(name);
  return {
    kind: "resource",
    bytes,
    name,
    mediaType,
    charset: parameters.get("charset") ?? "",
    url: answer.url,
  };
}

function errorOfStatus(status: number): string {
  if (status === 404 || status === 410) return "CDO_E_HTTP_NOT_FOUND";
  return status === 401 || status === 403 || status === 407 ? "CDO_E_HTTP_FORBIDDEN" : "CDO_E_HTTP_FAILED";
}

function nameInUrl(url: string): string {
  const path = URL.parse(url)?.pathname ?? "";
  const last = path.slice(path.lastIndexOf("/") + 1);
  try {
    // A name from the network goes into header fields.
    return decodeURIComponent(last)
      .replaceAll(/[\p{Cc}/\\]+/gu, "_")
      .slice(0, 200);
  } catch {
    return last.slice(0, 200);
  }
}
