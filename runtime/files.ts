// The resources that AddAttachment and its like name: files below the script folder; nothing comes from the network.
import { CdoError } from "./errors.ts";

/** A scheme has two letters at least: `c:` is a drive. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

/** The path behind a URL or a bare path, with forward slashes. */
export function filePath(url: string, member: string): string {
  const scheme = SCHEME.exec(url)?.[1]?.toLowerCase();
  const shown = `${member}("${url.slice(0, 100)}")`;
  if (scheme === undefined) {
    if (url.trim() === "") throw new CdoError("CDO_E_ARGUMENT1", `${member} needs a file`);
    return url.replaceAll("\\", "/");
  }
  if (scheme === "file") return decoded(url.slice("file:".length).replace(/^\/\//, ""), shown);
  if (scheme === "http" || scheme === "https" || scheme === "ftp")
    throw new CdoError(
      "CDO_E_NOT_AVAILABLE",
      `${shown} (there is no allow.fetch: put the file below the script folder and grant it by allow.read)`,
    );
  throw new CdoError("CDO_E_ARGUMENT1", shown);
}

function decoded(path: string, shown: string): string {
  try {
    return decodeURIComponent(path).replaceAll("\\", "/");
  } catch {
    throw new CdoError("CDO_E_ARGUMENT1", shown);
  }
}
