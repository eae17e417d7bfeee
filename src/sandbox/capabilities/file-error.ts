// What a script may learn of an error of node:fs: its code. The message names paths of the machine.
import { systemCodeOf } from "../../core/system-error.ts";

export const codeOf = (error: unknown): string => systemCodeOf(error) ?? "unknown error";
