// Repeats a step whenever one of its files changes, until Ctrl-C. Files are looked at rather than watched: there are few of
// them, and editors replace them in every possible way.
import { statSync } from "node:fs";
import type { Output } from "./output.ts";

const LOOK_MS = 100;
const CLEAR_SCREEN = "\u001b[2J\u001b[3J\u001b[H";

/** `step` answers the files (and folders) it depends on; `begun` are those that are known before the first one. */
export async function repeatOnChange(
  output: Output,
  quiet: boolean,
  begun: ReadonlySet<string>,
  step: () => Promise<ReadonlySet<string>>,
): Promise<void> {
  const end = new AbortController();
  const stop = (): void => end.abort();
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    let files = begun;
    while (!end.signal.aborted) {
      // Of what is known before the step: a save while it runs must not be missed.
      const before = signatures(files);
      const known = files;
      if (!quiet && process.stdout.isTTY) output.out(CLEAR_SCREEN);
      files = await step();
      if (!quiet) output.out(`\nwatching ${files.size} files; Ctrl-C ends\n`);
      if (signatures(known) === before) await changed(files, end.signal);
    }
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

/** Resolves when the files are no longer what they are now, and have come to rest. */
async function changed(files: ReadonlySet<string>, end: AbortSignal): Promise<void> {
  const first = signatures(files);
  for (let last = first; !end.aborted;) {
    await pause(end);
    const now = signatures(files);
    if (now !== first && now === last) return;
    last = now;
  }
}

function pause(end: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      end.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, LOOK_MS);
    end.addEventListener("abort", done);
  });
}

function signatures(files: ReadonlySet<string>): string {
  return [...files].map((file) => signatureOf(file)).join("\n");
}

function signatureOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? "absent" : `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
}
