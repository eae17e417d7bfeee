// Settings of one binding (REFERENCE 5.2). Absent stays absent: a script's own `binding` export stands where the file is silent.
import { z } from "zod";
import { DEFAULT_PRIORITY, LOWEST_PRIORITY } from "../events/binding.ts";
import { EVENT_ALIASES, EVENTS, type EventName } from "../events/catalog.ts";
import { findEventType } from "../events/event-types.ts";
import { suggest } from "./suggest.ts";
import { count, guid, milliseconds, size, live } from "./values.ts";

const limits = z.strictObject({
  timeoutMs: milliseconds(1)
    .optional()
    .meta(
      live("Wall time of a script for one message: running, calls to the host, waiting for capabilities.", {
        unit: "ms",
        default: 1000,
      }),
    ),
  cpuMs: milliseconds(1)
    .optional()
    .meta(
      live("Time in which the script itself runs for one message; waiting is not counted.", {
        unit: "ms",
        default: 1000,
      }),
    ),
  memoryMb: count(8, 4096)
    .optional()
    .meta(live("JavaScript heap and buffers of the script, together.", { unit: "MiB", default: 64 })),
  externalMb: count(1, 4096)
    .optional()
    .meta(
      live(
        "Of these, buffers outside of the heap (ArrayBuffer) that the script may have left after a turn. More than `memoryMb` is refused at once.",
        { unit: "MiB", defaultText: "as `memoryMb`" },
      ),
    ),
  logLines: count(0, 1_000_000)
    .optional()
    .meta(
      live("Lines that console may write per message; more are counted and dropped.", {
        unit: "lines",
        default: 100,
      }),
    ),
  logBytes: size()
    .optional()
    .meta(live("Bytes that console may write per message.", { unit: "bytes", default: "16KiB" })),
  hostCalls: count(1)
    .optional()
    .meta(live("Calls from the script to the host per message.", { unit: "calls", default: 100_000 })),
  growthBytes: size()
    .optional()
    .meta(live("Bytes by which the script may make a message grow.", { unit: "bytes", default: "32MiB" })),
  changes: count(0)
    .optional()
    .meta(live("Edits that the script may commit to one message.", { unit: "edits", default: 10_000 })),
  recipientsAdded: count(0)
    .optional()
    .meta(live("Recipients that the script may add to one message.", { unit: "recipients", default: 1000 })),
  messages: count(0)
    .optional()
    .meta(
      live("Messages that the script may make beside the arriving one.", { unit: "messages", default: 50 }),
    ),
  copiedBytes: size()
    .optional()
    .meta(
      live("Bytes that streams, embedded messages and charset conversions may copy per message.", {
        unit: "bytes",
        default: "256MiB",
      }),
    ),
  requests: count(0)
    .optional()
    .meta(live("Requests to capabilities per message.", { unit: "requests", default: 100 })),
  requestBytes: size()
    .optional()
    .meta(
      live("Bytes of these requests and their answers per message.", { unit: "bytes", default: "16MiB" }),
    ),
  sentMessages: count(0, 10_000)
    .optional()
    .meta(live("Messages that the script may send per message.", { unit: "messages", default: 10 })),
  sendHops: count(1, 100)
    .optional()
    .meta(
      live("How often mail that a script sent may make a script send again: the loop guard.", {
        unit: "messages",
        default: 3,
      }),
    ),
});

const WHAT_MAY_BE_FETCHED =
  'must be the beginning of an http or https URL, as "https://host/path/", without user, query and fragment';

const allow = z.strictObject({
  send: z
    .boolean()
    .optional()
    .meta(live("The script may send new messages (Send, Reply, Forward).", { default: false })),
  read: z
    .array(z.string().min(1))
    .optional()
    .meta(
      live("Files below the script folder that the script may attach, as glob patterns.", { default: [] }),
    ),
  smtp: z
    .array(z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:]+):\d{1,5}$/, 'must be "host:port"'))
    .optional()
    .meta(live("Servers that the script may send through with cdoSendUsingPort.", { default: [] })),
  write: z
    .array(z.string().min(1))
    .optional()
    .meta(live("Files below the script folder that the script may save, as glob patterns.", { default: [] })),
  drop: z
    .boolean()
    .optional()
    .meta(live("The script may open and delete the messages of the Drop folder.", { default: false })),
  fetch: z
    .array(
      z.url({ protocol: /^https?$/, error: WHAT_MAY_BE_FETCHED }).regex(/^[^?#@\\]+$/, WHAT_MAY_BE_FETCHED),
    )
    .optional()
    .meta(live("URLs that the script may fetch: those that begin with one of these.", { default: [] })),
  kv: z
    .boolean()
    .optional()
    .meta(live("The script has a small durable key-value store.", { default: false })),
  dns: z
    .boolean()
    .optional()
    .meta(live("The script may look up names.", { default: false })),
  secrets: z
    .array(z.string().regex(/^\w{1,100}$/, "must be a name of letters, digits and _"))
    .optional()
    .meta(live("Names of the secrets that the script may read.", { default: [] })),
  log: z
    .literal([true, false, "debug", "info", "warn", "error"])
    .optional()
    .meta(
      live(
        "Which lines of console get into the service's log: all, none, or those of a level and above; `onarrival scripts log` has all.",
        { default: true },
      ),
    ),
});

const expiration = z
  .string()
  .refine(
    (text) => /^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(Date.parse(text)),
    'must be a date, as "2030-12-31" or "2030-12-31T18:00:00Z"',
  )
  .transform((text) => Date.parse(text));

const EVENT_NAMES = [...Object.keys(EVENTS), ...Object.keys(EVENT_ALIASES)];

const event = z.string().transform((text, context): EventName => {
  const name = findEventType(text)?.event;
  if (name !== undefined) return name;
  const near = suggest(text, EVENT_NAMES);
  const hint = near === undefined ? `known: ${EVENT_NAMES.join(", ")}` : `did you mean "${near}"?`;
  context.issues.push({ code: "custom", input: text, message: `unknown event "${text}" (${hint})` });
  return z.NEVER;
});

export const bindingSchema = z.strictObject({
  id: guid().optional().meta(live("GUID of the binding; computed from the rest of the entry when absent.")),
  displayName: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta(
      live("Name used by `onarrival bindings` and in the log; case-sensitive.", {
        defaultText: "ScriptName, else sinkClass",
      }),
    ),
  event: event.meta(
    live("The event, as OnArrival or OnTransportSubmission, or its CATID in braces; see docs/events/."),
  ),
  sinkClass: z
    .string()
    .min(1)
    .meta(
      live(
        "CDO.SS_SMTPOnArrivalSink for a script, or the path of a native sink module, relative to this file.",
      ),
    ),
  server: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta(
      live("Name of the virtual server whose mail and sessions it sees.", { defaultText: "all of them" }),
    ),
  enabled: z
    .boolean()
    .optional()
    .meta(live("A disabled binding is not called.", { default: true })),
  expiration: expiration
    .optional()
    .meta(live("After this date the binding is not called; stored in ISO 8601.")),
  maxFirings: count(-1)
    .optional()
    .meta(
      live(
        "Calls before the binding disables itself, restarts included; -1 is no limit. Those for a message that comes back to the sinks (held, to be tried later, cut off by a crash), and for a command that a sink failed on, do not count.",
        { unit: "calls", default: -1 },
      ),
    ),
  sourceProperties: z
    .strictObject({
      rule: z
        .string()
        .max(65_536)
        .optional()
        .meta(
          live('Which messages: "EHLO=…;MAIL FROM=…;RCPT TO=…", conditions joined by OR; absent is all.'),
        ),
      priority: count(0, LOWEST_PRIORITY)
        .optional()
        .meta(live("0 is called first, 32767 last.", { default: DEFAULT_PRIORITY })),
    })
    .optional()
    .meta(live("What the dispatcher reads.")),
  sinkProperties: z
    .record(z.string(), z.json())
    .optional()
    .meta(live("What the sink reads; ScriptName names the script of a script binding.", { default: {} })),
  onError: z
    .enum(["hold", "continue", "badmail"])
    .optional()
    .meta(
      live("When the sink fails: hold the message, continue without the sink, or badmail.", {
        default: "hold",
      }),
    ),
  mode: z
    .enum(["live", "shadow"])
    .optional()
    .meta(
      live("A shadow script runs on live mail, and what it would have done is recorded and not applied.", {
        default: "live",
      }),
    ),
  compareWith: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta(
      live("Display name or ScriptName of the live binding that a shadow is compared with.", {
        defaultText: "the live binding of the same ScriptName, without .next",
      }),
    ),
  limits: limits.optional().meta(live("Limits of a script.")),
  allow: allow.optional().meta(live("What a script may do beyond the message itself.")),
  cacheable: z
    .boolean()
    .optional()
    .meta(
      live("Keep the script's context warm between messages; false gives each message a fresh one.", {
        default: true,
      }),
    ),
});
