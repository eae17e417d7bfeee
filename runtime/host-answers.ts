// What the worker answers as one text or number, taken apart.
import type { Answer } from "./host.ts";

export const handleIn = (answer: Answer): number => (typeof answer === "number" ? answer : 0);

export const linesOf = (text: string | undefined, separator = "\n"): string[] =>
  text === undefined || text === "" ? [] : text.split(separator);

export const partNumbers = (list: string | undefined): number[] => linesOf(list, ",").map(Number);
