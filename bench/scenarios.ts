// What is measured: each scenario starts its own subject, and says what it is compared with.
import { harakaMissing, startHaraka } from "./haraka.ts";
import type { MessageSize } from "./messages.ts";
import { postfixMissing, startPostfix } from "./postfix.ts";
import { BOTH_BODIES_SCRIPT, HEADER_SCRIPT, idleScript } from "./scripts.ts";
import { startListenerOnly, startService, startSink, type Subject } from "./subject.ts";

/** Another program that we compare ourselves with. */
export interface Peer {
  readonly name: string;
  /** Why it cannot take part here. */
  readonly missing: () => string | undefined;
}

const postfix: Peer = { name: "Postfix", missing: postfixMissing };
const haraka: Peer = { name: "Haraka", missing: harakaMissing };

/** With the scenario of that name. */
export interface Comparison {
  readonly name: string;
  /** What is wanted of the ratio of the rates. */
  readonly atLeast?: Partial<Record<MessageSize, number>>;
  /** What is wanted of the ratio of the CPU times. */
  readonly cpuAtMost?: Partial<Record<MessageSize, number>>;
}

export interface Scenario {
  readonly name: string;
  readonly what: string;
  readonly start: () => Promise<Subject>;
  /** One connection per message whatever the command line says. */
  readonly oneMessagePerConnection?: boolean;
  readonly pipelining?: boolean;
  /** Takes part only where this program can be started. */
  readonly needs?: Peer;
  readonly comparedWith?: readonly Comparison[];
}

const IDLE_SCRIPTS = 1000;
/** 0.20 s per 1,000 messages are wanted where Postfix takes 1.63. */
const POSTFIX_CPU_SHARE = 0.123;

async function sinkAlone(): Promise<Subject> {
  const sink = await startSink();
  return { port: sink.port, pids: [sink.pid], stop: () => sink.stop() };
}

function idleScripts(): Record<string, string> {
  const scripts: Record<string, string> = { "header.js": HEADER_SCRIPT };
  for (let i = 0; i < IDLE_SCRIPTS; i += 1) scripts[`idle${i}.js`] = idleScript(i);
  return scripts;
}

const header = { "header.js": HEADER_SCRIPT };

export const SCENARIOS: readonly Scenario[] = [
  { name: "ceiling", what: "load generator straight into the sink", start: sinkAlone },
  {
    name: "ceiling-pipelining",
    what: "the same, MAIL RCPT DATA in one write",
    start: sinkAlone,
    pipelining: true,
  },
  {
    name: "ceiling-conn",
    what: "the same, one connection per message",
    start: sinkAlone,
    oneMessagePerConnection: true,
  },
  {
    name: "listener",
    what: "the SMTP listener alone, messages forgotten",
    start: () => startListenerOnly(),
  },
  {
    name: "listener-sink",
    what: "the same with a native sink that does nothing, bound to every command",
    start: () => startListenerOnly(1),
    comparedWith: [{ name: "listener", atLeast: { "4k": 0.97 } }],
  },
  {
    name: "listener-conn",
    what: "the same, one connection per message",
    start: () => startListenerOnly(),
    oneMessagePerConnection: true,
  },
  {
    name: "drop",
    what: "accept, store durably, deliver to Drop",
    start: () => startService({ to: "drop" }),
  },
  {
    name: "store",
    what: "accept and store durably, then discarded by a native sink",
    start: () => startService({ to: "nowhere" }),
    comparedWith: [{ name: "postfix-store", atLeast: { "4k": 6 } }],
  },
  {
    name: "postfix-store",
    what: "Postfix: durable queue, then discarded",
    start: () => startPostfix({ relay: false }),
    needs: postfix,
  },
  {
    name: "relay-conn",
    what: "the same, one connection per message",
    start: () => startService(),
    oneMessagePerConnection: true,
    comparedWith: [{ name: "postfix-relay-conn", atLeast: { "4k": 4 } }],
  },
  {
    name: "postfix-relay-conn",
    what: "Postfix: the same, one connection per message",
    start: () => startPostfix(),
    needs: postfix,
    oneMessagePerConnection: true,
  },
  {
    name: "postfix-relay",
    what: "Postfix: queue and relay",
    start: () => startPostfix(),
    needs: postfix,
  },
  {
    name: "relay",
    what: "accept, store durably, relay on",
    start: () => startService(),
    comparedWith: [
      { name: "postfix-relay", atLeast: { "4k": 6, "50k": 3.5 }, cpuAtMost: { "4k": POSTFIX_CPU_SHARE } },
      { name: "haraka-relay" },
    ],
  },
  {
    name: "relay-header",
    what: "relay with a script that reads and sets headers",
    start: () => startService({ scripts: header }),
    comparedWith: [
      { name: "relay", atLeast: { "4k": 0.9 } },
      { name: "postfix-header", atLeast: { "4k": 6 } },
    ],
  },
  {
    name: "postfix-header",
    what: "Postfix: relay with header_checks",
    start: () => startPostfix({ headerChecks: true }),
    needs: postfix,
  },
  {
    name: "relay-header-1000-idle",
    what: "relay-header with 1,000 more bindings that never match",
    start: () => startService({ scripts: idleScripts() }),
    comparedWith: [{ name: "relay-header", atLeast: { "4k": 0.95 } }],
  },
  {
    name: "relay-bodies",
    what: "relay with a script that rewrites both bodies",
    start: () => startService({ scripts: { "bodies.js": BOTH_BODIES_SCRIPT } }),
    comparedWith: [
      { name: "relay", atLeast: { "4k": 0.7 } },
      { name: "haraka-bodies", atLeast: { "4k": 7 } },
    ],
  },
  {
    name: "haraka-bodies",
    what: "Haraka: queue and relay with set_banner",
    start: () => startHaraka({ banner: true }),
    needs: haraka,
  },
  {
    name: "haraka-relay",
    what: "Haraka: queue and relay",
    start: () => startHaraka(),
    needs: haraka,
  },
];
