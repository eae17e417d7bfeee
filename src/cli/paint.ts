// Colours of the terminal, or none.
import { styleText } from "node:util";

type Style = "added" | "removed" | "fault" | "title" | "quiet" | "warning";
export type Paint = (style: Style, text: string) => string;

const FORMATS = {
  added: "green",
  removed: "red",
  fault: "red",
  title: "bold",
  quiet: "dim",
  warning: "yellow",
} as const;

export const plain: Paint = (_style, text) => text;

const colored: Paint = (style, text) => styleText(FORMATS[style], text, { validateStream: false });

/** `wanted` is false with --no-color. NO_COLOR: https://no-color.org; FORCE_COLOR as Node knows it. */
export function createPaint(
  wanted: boolean,
  env: Readonly<Record<string, string | undefined>> = process.env,
  isTerminal: boolean = process.stdout.isTTY,
): Paint {
  if (!wanted || (env["NO_COLOR"] ?? "") !== "") return plain;
  const isForced = !["", "0", "false"].includes(env["FORCE_COLOR"] ?? "");
  return isForced || isTerminal ? colored : plain;
}
