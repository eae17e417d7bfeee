// What a script did to a message, in lines for people: for `onarrival run` and `onarrival dev`.
import type { RunReport, RunSent } from "../composition/scripts/run-script.ts";
import { printable } from "../core/printable.ts";
import type { Paint } from "./paint.ts";

const VERDICTS = ["run the next sink", "skip the remaining sinks"] as const;
const STATUSES = ["deliver", "retry later", "abort delivery: deleted, no report", "move to Badmail"] as const;

export const describeVerdict = (verdict: 0 | 1): string => `${verdict} (${VERDICTS[verdict]})`;
export const describeStatus = (status: number): string => `${status} (${STATUSES[status] ?? "?"})`;

const describeSent = ({ sender, recipients, message }: RunSent): string[] => [
  `from ${sender} to ${recipients.join(", ")}`,
  ...message.split("\r\n").map((line) => `| ${line}`),
];

/** "+ …" and "- …", however far indented, as the differences write them. */
export function paintChange(paint: Paint, line: string): string {
  const shown = printable(line);
  if (/^ *\+ /.test(line)) return paint("added", shown);
  if (/^ *- /.test(line)) return paint("removed", shown);
  return shown;
}

/** `frame`: the lines of the source where it failed. `brief` leaves out what did not change. */
export function describeReport(
  report: RunReport,
  frame: readonly string[],
  paint: Paint,
  brief = false,
): string[] {
  const { script, version, fault, verdict, status, milliseconds, heapBytes } = report;
  const memory = heapBytes === undefined ? "" : `, ${(heapBytes / 1024 / 1024).toFixed(1)} MiB heap`;
  const lines = [
    `script    ${script} (version ${version})`,
    `time      ${milliseconds.toFixed(2)} ms${memory}`,
  ];
  if (fault === undefined) {
    lines.push(`verdict   ${describeVerdict(verdict)}`, `status    ${describeStatus(status)}`);
  } else {
    lines.push(
      paint("fault", `fault     ${fault.kind}: ${printable(fault.message)}`),
      ...describeFrame(frame, paint),
      "nothing that the script did counts",
    );
  }
  const sections: [string, readonly string[]][] = [
    ["envelope", report.envelopeChanges],
    ["headers", report.headerChanges],
    ["body", report.bodyChanges],
    ["sent", report.sent.flatMap(describeSent)],
    ["log", report.logs.map((line) => `${line.level}: ${line.text}`)],
  ];
  for (const [title, entries] of sections) {
    if (entries.length === 0 && (brief || title === "log" || title === "sent")) continue;
    lines.push(
      "",
      paint("title", title),
      ...(entries.length === 0 ? ["  unchanged"] : entries.map((entry) => paintChange(paint, `  ${entry}`))),
    );
  }
  const isChanged = [...report.envelopeChanges, ...report.headerChanges, ...report.bodyChanges].length > 0;
  if (brief && fault === undefined && !isChanged) lines.push("unchanged");
  return lines;
}

export const describeFrame = (frame: readonly string[], paint: Paint): string[] =>
  frame.map((line) => {
    const shown = printable(`  ${line}`);
    return line.startsWith(">") ? paint("warning", shown) : shown;
  });
