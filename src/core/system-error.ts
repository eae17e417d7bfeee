// Codes of what Node throws, as ENOENT: the one thing about an error of the system that programs may go by.

/** Undefined: it has none. */
export const systemCodeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;

/** A file or folder is not there. */
export const isMissing = (error: unknown): boolean => systemCodeOf(error) === "ENOENT";

/** For `catch`: throws every other error. */
export function ignoreMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
