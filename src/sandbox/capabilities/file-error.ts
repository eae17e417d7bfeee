// What a script may learn of an error of node:fs: its code. The message names paths of the machine.

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
