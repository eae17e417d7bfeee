// What smtpreg prints (REFERENCE 5.5): the usage, and the listing of /enum in the original's layout, which programs read.
import type { BindingSettings } from "../config/schema.ts";
import { printable } from "../core/printable.ts";
import { DEFAULT_PRIORITY } from "../events/binding.ts";
import { EVENT_TYPES, SMTP_SOURCE_TYPE, sourceGuid } from "../events/event-types.ts";

export const USAGE = `usage: onarrival smtpreg [-c FILE] [<command> <arguments>]
  Commands:
    /add     <Instance> <Event> <DisplayName|{GUID}> <SinkClass> <Rule> [<Priority>]
    /remove  <Instance> <Event> <DisplayName|{GUID}>
    /setprop <Instance> <Event> <DisplayName|{GUID}> <PropertyBag> <PropertyName> <PropertyValue>
    /delprop <Instance> <Event> <DisplayName|{GUID}> <PropertyBag> <PropertyName>
    /enable  <Instance> <Event> <DisplayName|{GUID}>
    /disable <Instance> <Event> <DisplayName|{GUID}>
    /enum

  Arguments:
    <Instance>      The virtual server: 1 is the first of virtualServers
    <Event>         The event, in any case. One of:
      Transport events:
        ${namesOf(0, 9)}
      Protocol events:
        ${namesOf(9, 16)}
      That smtpreg.vbs does not name:
        ${EVENT_TYPES.filter(({ names }) => names.length === 0)
          .map(({ event }) => event)
          .join("\n        ")}
    <DisplayName>   The display name of the binding; its case matters
    {GUID}          The GUID of the binding, in braces
    <SinkClass>     CDO.SS_SMTPOnArrivalSink for a script, or a native sink
    <Rule>          Which messages, as "mail from=*;rcpt to=*@example.com"
    <Priority>      0 first ... 32767 last (default: ${DEFAULT_PRIORITY})
    <PropertyBag>   Source or Sink
    <PropertyName>  The name of the property; ScriptName of the Sink bag is the script
    <PropertyValue> The value of the property`;

function namesOf(from: number, to: number): string {
  return EVENT_TYPES.slice(from, to)
    .flatMap(({ names }) => names)
    .join("\n        ");
}

const SOURCE_INDENT = " ".repeat(14);
const BINDING_INDENT = " ".repeat(24);

/** The lines of /enum. A binding of all servers stands under each. */
export function enumLines(servers: readonly string[], bindings: readonly BindingSettings[]): string[] {
  return [
    ...boxed(" Source Type ", ""),
    " Name: SMTP",
    `   ID: ${SMTP_SOURCE_TYPE}`,
    ...EVENT_TYPES.flatMap(({ displayName, guid }) => [
      ...boxed(" Event Type ", SOURCE_INDENT),
      `${SOURCE_INDENT} Name: ${displayName}`,
      `${SOURCE_INDENT}   ID: ${guid}`,
    ]),
    ...servers.flatMap((server, index) => [
      ...boxed(" Source ", SOURCE_INDENT),
      `${SOURCE_INDENT} Name: smtpsvc ${index + 1}`,
      `${SOURCE_INDENT}   ID: ${sourceGuid(index + 1)}`,
      ...EVENT_TYPES.flatMap(({ event, displayName }) =>
        bindings
          .filter((binding) => binding.event === event && (binding.server ?? server) === server)
          .flatMap((binding) => bindingLines(displayName, binding)),
      ),
    ]),
  ];
}

function bindingLines(event: string, binding: BindingSettings): string[] {
  const { rule, priority } = binding.sourceProperties ?? {};
  const source = { Rule: rule, Priority: priority };
  return [
    ...boxed(" Binding ", BINDING_INDENT.slice(1)),
    labelled("Event", event),
    labelled("ID", binding.id),
    labelled("Name", printable(binding.displayName)),
    labelled("SinkClass", printable(binding.sinkClass)),
    labelled("Enabled", binding.enabled === false ? "False" : "True"),
    ...bagLines("SourceProperties: {", source),
    ...bagLines("SinkProperties    {", binding.sinkProperties ?? {}),
  ];
}

const labelled = (label: string, value: string): string => `${BINDING_INDENT}${label.padStart(16)}: ${value}`;

/** Nothing for an empty bag. */
function bagLines(title: string, bag: Readonly<Record<string, unknown>>): string[] {
  const entries = Object.entries(bag).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return [];
  return [
    `${BINDING_INDENT}${title}`,
    ...entries.map(
      ([name, value]) => `${BINDING_INDENT}${" ".repeat(19)}${printable(name)} = ${valueText(value)}`,
    ),
    `${BINDING_INDENT}${" ".repeat(18)}}`,
  ];
}

/** A value of several lines is printed as such, as there. */
const valueText = (value: unknown): string =>
  (typeof value === "string" ? value : JSON.stringify(value))
    .split(/\r?\n/)
    .map((line) => printable(line))
    .join("\n");

function boxed(title: string, indent: string): string[] {
  const edge = `${indent} ${"-".repeat(title.length)}`;
  return [edge, `${indent}|${title}|`, edge];
}
