// Where the control socket of a mailroot is. A Unix socket's path holds at most about 100 bytes; a deeper mailroot gets a pointer.
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ignoreMissing } from "../core/system-error.ts";

/** sun_path is 108 bytes on Linux and 104 on macOS and BSD, the final NUL included. */
const MAX_SOCKET_PATH_BYTES = 103;

const fits = (socket: string): boolean => Buffer.byteLength(socket) <= MAX_SOCKET_PATH_BYTES;
const directPath = (mailroot: string): string => path.join(path.resolve(mailroot), "control.sock");
const pointerPath = (mailroot: string): string => path.join(path.resolve(mailroot), "control.path");

/** For the server: the path to listen on. In the temporary folder it lies in a folder that only we may enter. */
export async function chooseSocketPath(mailroot: string): Promise<string> {
  const direct = directPath(mailroot);
  if (fits(direct)) return direct;
  await removePointer(mailroot);
  const folder = await mkdtemp(path.join(tmpdir(), "onarrival-"));
  await chmod(folder, 0o700);
  const socket = path.join(folder, "control.sock");
  await writeFile(pointerPath(mailroot), socket, { mode: 0o600 });
  return socket;
}

/** For the client. */
export async function findSocketPath(mailroot: string): Promise<string> {
  const direct = directPath(mailroot);
  if (fits(direct)) return direct;
  return readFile(pointerPath(mailroot), "utf8").catch((thrown: unknown) => ignoreMissing(thrown) ?? direct);
}

/** Takes the pointer away and the folder it named, when there is one. */
export async function removePointer(mailroot: string): Promise<void> {
  const pointer = pointerPath(mailroot);
  const socket = await readFile(pointer, "utf8").catch(() => undefined);
  if (socket === undefined) return;
  await rm(pointer, { force: true });
  const folder = path.dirname(socket);
  // The pointer is a file that somebody may have edited: only what chooseSocketPath makes is removed.
  if (path.basename(folder).startsWith("onarrival-") && path.dirname(folder) === tmpdir())
    await rm(folder, { recursive: true, force: true });
}
