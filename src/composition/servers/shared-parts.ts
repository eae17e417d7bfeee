// What all virtual servers of a service use: the dispatcher of the mail events, what records their effects, and the sinks.
import path from "node:path";
import type { Config } from "../../config/schema.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { type Dispatcher, createDispatcher } from "../../events/dispatcher.ts";
import type { EffectRecorder } from "../../events/effects.ts";
import type { SystemSinks } from "../../events/system-chain.ts";
import { EFFECTS_FOLDER, EffectLog } from "../../observe/effect-log.ts";
import type { MessageSurroundings } from "../../message/mail-msg.ts";
import type { ScriptHost } from "../../sandbox/script-host.ts";
import { type ScriptTarget, createRunScripts } from "../../sandbox/script-sink.ts";
import { ShadowRuns } from "../../sandbox/shadow-runs.ts";
import { type Audience, watchedRecorder, watchedRunner, watchedShadows } from "../observation/audience.ts";
import { Categorizers } from "./categorizer.ts";
import { EffectWriter } from "../observation/effect-recorder.ts";
import type { FiringFile } from "../bindings/firing-file.ts";
import type { Observation } from "../observation/observation.ts";
import { OutboundBudgets } from "../next-hops/outbound-budgets.ts";
import { productVersion } from "../product.ts";
import type { ProtocolSinks } from "../bindings/protocol-sinks.ts";
import type { PlanParts } from "./server-plan.ts";
import type { ServiceCapabilities } from "../scripts/service-capabilities.ts";
import type { TransportSinks } from "../bindings/transport-sinks.ts";

/** What the virtual servers of a service have in common. */
export interface SharedParts extends PlanParts {
  readonly dispatcher: Dispatcher<ScriptTarget>;
  /** Calls sinks that nobody waits for. */
  readonly unawaited: SystemSinks;
  /** Keeps what the sinks did to the messages of this virtual server. */
  readonly effectsOf: (server: string) => EffectRecorder<ScriptTarget>;
  readonly surroundings: MessageSurroundings;
}

export interface SharedSources {
  readonly scripts: ScriptHost;
  readonly firings: FiringFile;
  readonly observation: Observation;
  readonly asked: ServiceCapabilities["asked"];
  readonly protocolSinks: ProtocolSinks;
  readonly transportSinks: TransportSinks;
  /** Of the events whose sinks nobody waits for. */
  readonly unawaited: SystemSinks;
  readonly nextMessageId: () => string;
  readonly audience: Audience | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Made once, when the service starts. */
export interface Shared {
  readonly shared: SharedParts;
  readonly shadows: ShadowRuns;
  readonly effects: EffectLog;
}

export function shareParts(config: Config, sources: SharedSources): Shared {
  const { scripts, firings, observation, asked, audience, clock, log } = sources;
  const effects = new EffectLog(path.join(config.mailroot, EFFECTS_FOLDER), config.effects, clock, log);
  const shadows = new ShadowRuns({
    host: scripts,
    recorder: watchedShadows(new EffectWriter(effects, clock, asked), audience),
    atOnce: config.sandbox.shadowRuns,
    log: log.child({ shadow: true }),
  });
  const sending = { nextId: sources.nextMessageId, now: () => clock.now() };
  const dispatcher = createDispatcher({
    runScripts: createRunScripts(watchedRunner(scripts, audience), log, sending),
    sinkDeadlineMs: config.nativeSinks.sinkTimeoutMs,
    firings,
    shadows,
    clock,
    log,
  });
  const shared: SharedParts = {
    categorizers: new Categorizers(clock, log),
    protocolSinks: sources.protocolSinks,
    transportSinks: sources.transportSinks,
    firings,
    unawaited: sources.unawaited,
    observation,
    budgets: new OutboundBudgets(),
    dispatcher,
    surroundings: { limits: config.mailMsg, serverVersion: productVersion() },
    effectsOf: (server) =>
      observation.sinkTimes.watch(watchedRecorder(new EffectWriter(effects, clock, asked, server), audience)),
    clock,
    log,
  };
  return { shared, shadows, effects };
}
