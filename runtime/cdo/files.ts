// The resources that AddAttachment and its like name: files below the script folder, and pages of the network.
import { CdoError } from "./errors.ts";
import { toText } from "./member-names.ts";
import { cut } from "../contract.ts";

/** A scheme has two letters at least: `c:` is a drive. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

/**
 * A resource as the host takes it: the path of a file, or an http(s) URL, then with `\0user:password` behind it when the script
 * gives them.
 */
export function resourceOf(url: string, member: string, userName: unknown, password: unknown): string {
  if (!/^https?:/i.test(url)) return filePath(url, member);
  if (!/^https?:\/\/[^/]/i.test(url) || url.includes("\0"))
    throw new CdoError("CDO_E_ARGUMENT1", `${member}("${cut(url, 100)}")`);
  const user = toText(userName);
  return user === "" ? url : `${url}\0${user}:${toText(password)}`;
}

/** The path behind a URL or a bare path, with forward slashes. */
export function filePath(url: string, member: string): string {
  const scheme = SCHEME.exec(url)?.[1]?.toLowerCase();
  const shown = `${member}("${cut(url, 100)}")`;
  if (scheme === undefined) {
    if (url.trim() === "") throw new CdoError("CDO_E_ARGUMENT1", `${member} needs a file`);
    return url.replaceAll("\\", "/");
  }
  if (scheme === "file") return decoded(url.slice("file:".length).replace(/^\/\//, ""), shown);
  if (scheme === "http" || scheme === "https")
    throw new CdoError("CDO_E_NOT_AVAILABLE", `${shown} (a file below the script folder is what it takes)`);
  if (scheme === "ftp") throw new CdoError("CDO_E_NOT_AVAILABLE", `${shown} (ftp: is not served)`);
  throw new CdoError("CDO_E_ARGUMENT1", shown);
}

function decoded(path: string, shown: string): string {
  try {
    return decodeURIComponent(path).replaceAll("\\", "/");
  } catch {
    throw new CdoError("CDO_E_ARGUMENT1", shown);
  }
}
