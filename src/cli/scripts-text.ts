// Scripts as lines for people.
import type { ShownDetails, ShownScript } from "../composition/scripts/script-overview.ts";
import { printable } from "../core/printable.ts";
import type { ScriptLogEntry } from "../sandbox/versions/script-activity.ts";
import { formatTable } from "./output.ts";

const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

function stateOf(script: ShownScript): string {
  const { disabled, suspended, suspendedInShadow, broken, pinned, version, running } = script;
  const states = [
    ...(disabled ? ["disabled"] : []),
    ...(suspended ? ["suspended"] : []),
    ...(suspendedInShadow ? ["suspended in shadow"] : []),
    ...(pinned ? ["rolled back"] : []),
    ...(broken === undefined ? [] : ["broken"]),
  ];
  if (states.length > 0) return states.join(", ");
  if (version !== undefined) return "live";
  return running ? "not there" : "never live";
}

const bindingOf = ({
  displayName,
  rule,
  priority,
  mode,
  enabled,
}: ShownScript["bindings"][number]): string => {
  const marks = [...(mode === "live" ? [] : [mode]), ...(enabled ? [] : ["off"])];
  return `${displayName} at ${priority}${marks.length === 0 ? "" : ` (${marks.join(", ")})`}: ${rule ?? "every message"}`;
};

/** One line per script; below them the edits that are not live and the scripts that are suspended, each with its reason. */
export function scriptTable(scripts: readonly ShownScript[]): string {
  const rows = scripts.map((script) => [
    script.name,
    script.version ?? "-",
    script.since === undefined ? "-" : timeOf(script.since),
    stateOf(script),
    String(script.calls),
    String(script.faults),
    script.bindings.map(bindingOf).join("; "),
  ]);
  const head = ["NAME", "VERSION", "SINCE", "STATE", "CALLS", "FAULTS", "BINDINGS"];
  const problems = scripts.flatMap(({ name, broken }) =>
    broken === undefined ? [] : [`the newest ${name} is not live: ${printable(broken)}`],
  );
  const suspended = scripts.flatMap((script) =>
    script.suspended || script.suspendedInShadow
      ? [
          `${script.name} is suspended${script.suspended ? "" : " in shadow"}: onarrival scripts show ${script.name}`,
        ]
      : [],
  );
  const unserved = scripts.flatMap((script) => script.unserved.map(unservedLine));
  return [formatTable(head, rows), ...problems, ...suspended, ...unserved].join("\n");
}

const unservedLine = ({ binding, problem, advice }: ShownScript["unserved"][number]): string =>
  printable(`binding ${binding}: ${problem}; what to do: ${advice}`);

/** Why it was suspended: its last fault that is not the suspension itself. */
function causeOf(
  { version }: ShownDetails,
  entries: readonly ScriptLogEntry[],
  shadow: true | undefined,
): string {
  const last = entries.findLast(
    (entry) =>
      entry.level === "error" &&
      entry.version === version &&
      entry.shadow === shadow &&
      !entry.text.startsWith("suspended:"),
  );
  return last === undefined ? "too many timeouts or crashes in a row" : `${timeOf(last.time)} ${last.text}`;
}

const suspension = (name: string, cause: string): [string, string][] => [
  ["suspended", cause],
  ["what to do", `save a corrected ${name}; until then one message is tried each sandbox.probeMs`],
];

/** `entries`: what `scripts log` has of it. */
export function describeScript(script: ShownDetails, entries: readonly ScriptLogEntry[] = []): string[] {
  const { name, version, since, broken, source, imports, versions, bindings, running } = script;
  const lines: [string, string][] = [
    ["script", name],
    ["state", `${stateOf(script)}${running ? "" : " (no service runs)"}`],
    ["version", version === undefined ? "none was ever live" : `${version} since ${timeOf(since ?? 0)}`],
    ...(broken === undefined ? [] : ([["not live", broken]] as [string, string][])),
    ...(script.suspended ? suspension(name, causeOf(script, entries, undefined)) : []),
    ...(script.suspendedInShadow
      ? suspension(name, `in shadow, nothing else: ${causeOf(script, entries, true)}`)
      : []),
    ...script.unserved.flatMap(({ binding, problem, advice }): [string, string][] => [
      ["no script", `binding ${binding}: ${problem}`],
      ["what to do", advice],
    ]),
    ["source", source],
    ...imports.map((path): [string, string] => ["rests on", path]),
    ["calls", `${script.calls}, of which ${script.faults} failed, in this run of the service`],
    ...bindings.map((binding): [string, string] => ["binding", bindingOf(binding)]),
    ...versions.map((kept): [string, string] => [
      "kept",
      `${kept.version} of ${timeOf(kept.since)}${kept.version === version ? " (live)" : ""}`,
    ]),
  ];
  return lines.map(([title, text]) => `${title.padEnd(12)}${printable(text)}`);
}

export function formatLogEntry({ time, level, text, version, message, shadow }: ScriptLogEntry): string {
  const about = [version, message, shadow && "in shadow"].filter((part) => part !== undefined).join(" ");
  return printable(`${timeOf(time)} ${level.padEnd(5)} ${about === "" ? "" : `[${about}] `}${text}`);
}
