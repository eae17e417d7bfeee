// Settings of connections to next hops: how many there are and who gets them (REFERENCE 6.1), and how long a next hop may take.
import { z } from "zod";
import { OUTBOUND_KEYWORDS } from "../core/esmtp-keywords.ts";
import { count, live, milliseconds } from "./values.ts";

const timeouts = z.strictObject({
  connectMs: milliseconds(1)
    .default(30_000)
    .meta(live("Until the TCP connection stands.", { unit: "ms" })),
  greetingMs: milliseconds(1)
    .default(300_000)
    .meta(live("Until the greeting (RFC 5321 §4.5.3.2.1).", { unit: "ms" })),
  commandMs: milliseconds(1)
    .default(300_000)
    .meta(live("Until the reply to MAIL, RCPT and the rest (RFC 5321 §4.5.3.2.2).", { unit: "ms" })),
  dataInitiationMs: milliseconds(1)
    .default(120_000)
    .meta(live("Until the reply to DATA (RFC 5321 §4.5.3.2.4).", { unit: "ms" })),
  dataBlockMs: milliseconds(1)
    .default(180_000)
    .meta(live("Until the peer takes a block of data (RFC 5321 §4.5.3.2.5).", { unit: "ms" })),
  endOfDataMs: milliseconds(1)
    .default(600_000)
    .meta(live("Until the reply to the end of data (RFC 5321 §4.5.3.2.6).", { unit: "ms" })),
  quitMs: milliseconds(1)
    .default(5000)
    .meta(live("Until the reply to QUIT.", { unit: "ms" })),
});

export const outboundSchema = z.strictObject({
  maxConnections: count(0)
    .default(1000)
    .meta(live("Outgoing connections in all; 0 is no limit.", { unit: "connections" })),
  singleSharePercent: count(1, 100)
    .default(80)
    .meta(live("The most that one next hop has of those that others leave.", { unit: "percent" })),
  scarcePercent: count(0, 100)
    .default(50)
    .meta(
      live(
        "With less of maxConnections free, they are scarce: a next hop gets further ones up to its fair share only, one that never answered only the first, and slow ones keep to slowSharePercent.",
        { unit: "percent" },
      ),
    ),
  slowSharePercent: count(1, 100)
    .default(10)
    .meta(
      live(
        "What next hops that failed last, do not answer or are slow have together of maxConnections while connections are scarce; one at least.",
        { unit: "percent" },
      ),
    ),
  slowMs: milliseconds(1)
    .default(1000)
    .meta(
      live(
        "A next hop is slow that takes longer than this for a message, and slowFactor times as long as others.",
        { unit: "ms" },
      ),
    ),
  slowFactor: count(1, 1000)
    .default(4)
    .meta(live("See slowMs: as long as is usual among the others, so many times.", { unit: "times" })),
  maxConnectionsPerDestination: count(1)
    .default(20)
    .meta(live("Outgoing connections to one next hop.", { unit: "connections" })),
  maxRecipients: count(1)
    .default(100)
    .meta(
      live(
        "Recipients of one outgoing transaction; more go in further ones, as do those that are too many for the next hop.",
        { unit: "recipients" },
      ),
    ),
  pipelining: z.boolean().default(true).meta(live("Use PIPELINING where it is offered (RFC 2920 §3).")),
  groupWithinMs: milliseconds()
    .default(20)
    .meta(
      live(
        "While transactions with a next hop take less than this, a message may wait for a connection in use and leave in one group with the content of the message before it (RFC 2920 §3.1), though connections are free; 0: only when none is free.",
        { unit: "ms" },
      ),
    ),
  keywords: z
    .array(z.enum(OUTBOUND_KEYWORDS))
    .default([...OUTBOUND_KEYWORDS])
    .meta(live("Extensions that are used where next hops offer them (SmtpOutboundCommandSupportOptions).")),
  messagesPerConnection: count(1)
    .default(100)
    .meta(live("Messages before a connection is replaced.", { unit: "messages" })),
  idleMs: milliseconds()
    .default(5000)
    .meta(live("How long an idle connection is kept for the next message.", { unit: "ms" })),
  reopenPauseMs: milliseconds()
    .default(60_000)
    .meta(live("Pause after a next hop that could not be reached.", { unit: "ms" })),
  sinkTimeoutMs: milliseconds(1)
    .default(30_000)
    .meta(
      live("How long a sink of an outbound event may keep a session waiting; then the message waits.", {
        unit: "ms",
      }),
    ),
  sinkCommands: count(1)
    .default(100)
    .meta(
      live(
        "Commands that sinks may send at one command of ours; with more the sink has failed, and the session ends.",
        {
          unit: "commands",
        },
      ),
    ),
  maxAddresses: count(1, 100)
    .default(10)
    .meta(live("Addresses of one next hop that are tried.", { unit: "addresses" })),
  timeouts: timeouts.prefault({}).meta(live("How long the next hop may take.")),
});
