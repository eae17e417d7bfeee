// Volumes of a test's own, to be filled, made read-only or cut off: undefined where nobody may mount.
import { type ChildProcess, spawnSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";

export interface Volume extends AsyncDisposable {
  readonly path: string;
  /** With other options, as "remount,ro". */
  remount(options: string): void;
}

const succeeds = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;

/** A tmpfs below `folder`; `options` as "size=4m". */
export async function mountTmpfs(folder: string, options: string): Promise<Volume | undefined> {
  const target = path.join(folder, "volume");
  await mkdir(target, { recursive: true });
  if (!succeeds("mount", ["-t", "tmpfs", "-o", options, "tmpfs", target])) return undefined;
  return {
    path: target,
    remount: (changed) => void succeeds("mount", ["-o", changed, target]),
    [Symbol.asyncDispose]: () => Promise.resolve(void succeeds("umount", ["-l", target])),
  };
}

/** Makes a folder read-only for all who open something in it from now on, root included; files that are open may still be written. */
export function coverReadOnly(folder: string): AsyncDisposable | undefined {
  if (!succeeds("mount", ["--bind", folder, folder])) return undefined;
  const cover = { [Symbol.asyncDispose]: () => Promise.resolve(void succeeds("umount", ["-l", folder])) };
  if (succeeds("mount", ["-o", "remount,bind,ro", folder])) return cover;
  succeeds("umount", [folder]);
  return undefined;
}

/** A disk in a file, with a journal, whose power can be cut. */
export interface Disk extends Volume {
  /**
   * Nothing that the disk has not yet gets there, and the process that writes there is ended; then it is mounted anew,
   * as at the next start.
   */
  cutPower(writer: ChildProcess, gone: Promise<void>): Promise<void>;
}

/**
 * _IOR('X', 125, __u32) of the kernel, without flushing the journal. A barrier that is under way then is answered with
 * success though its blocks are zeros at the next start, and a power cut answers nobody. So the first thread of the
 * process, which would tell others of it, stands still before; barriers in the other threads are under way.
 */
const CUT = `
  open(my $disk, "<", $ARGV[0]) or die $!;
  my $flags = pack("I", 2);
  kill("STOP", $ARGV[1]) or die $!;
  while (1) {
    open(my $stat, "<", "/proc/$ARGV[1]/stat") or die $!;
    last if <$stat> =~ /\\) [TZ] [^)]*$/;
  }
  ioctl($disk, 0x8004587d, $flags) or die $!;
`;

export async function mountDisk(folder: string, megabytes: number): Promise<Disk | undefined> {
  const image = path.join(folder, "disk.img");
  const target = path.join(folder, "disk");
  await mkdir(target, { recursive: true });
  const mount = (): boolean => succeeds("mount", ["-o", "loop", image, target]);
  const isReady =
    succeeds("truncate", ["-s", `${megabytes}M`, image]) &&
    succeeds("mkfs.ext4", ["-q", "-F", image]) &&
    mount();
  if (!isReady) return undefined;
  return {
    path: target,
    remount: (changed) => void succeeds("mount", ["-o", changed, target]),
    async cutPower(writer, gone) {
      const isCut = succeeds("perl", ["-e", CUT, target, String(writer.pid)]);
      writer.kill("SIGKILL");
      await gone;
      if (!isCut) throw new Error("the volume cannot be cut off");
      if (!succeeds("umount", [target]) || !mount()) throw new Error("the volume cannot be mounted again");
    },
    [Symbol.asyncDispose]: () => Promise.resolve(void succeeds("umount", ["-l", target])),
  };
}

/** A command line that makes system calls of the program behind it fail, as `fdatasync:error=EIO:when=3+`; undefined without strace. */
export function failing(injections: readonly string[], file?: string): readonly string[] | undefined {
  if (!succeeds("strace", ["-qq", "-o", "/dev/null", "true"])) return undefined;
  const calls = injections.map((injection) => injection.split(":", 1)[0]).join(",");
  return [
    "strace",
    // The tracer runs beside: the process that was started is the program itself, and signals reach it.
    "-D",
    "-f",
    "-qq",
    "-o",
    "/dev/null",
    ...(file === undefined ? [] : ["-P", file]),
    "-e",
    `trace=${calls}`,
    ...injections.flatMap((injection) => ["-e", `inject=${injection}`]),
  ];
}
