// Step 7, for those who bind a router: the sinks of OnGetMessageRouter choose it, message by message (REFERENCE 4.4).
import type { Recipient } from "../core/envelope.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { parseFailure, reply } from "../core/reply.ts";
import type {
  LinkControl,
  LinkState,
  MessageRouter,
  NextHopAnswer,
  RouteContext,
  RoutedMessage,
  RouterSubject,
} from "../events/router-contexts.ts";
import type { SystemChain, SystemOutcome, SystemSinks } from "../events/system-chain.ts";
import type { QueuedMessage } from "./queued-message.ts";
import { type Route, type Router, hostAndPort, unreachableRoute } from "./router.ts";

/** The route of each recipient of one message, as its router says. */
export type ChosenRoutes = (recipient: Recipient) => Route;

export interface RouterSinksParts {
  readonly chain: () => SystemChain<RouterSubject>;
  readonly sinks: SystemSinks;
  readonly links: LinkControl;
  readonly log: Logger;
}

const DEFAULT_ROUTER: MessageRouter = { getNextHop: () => "default" };
const DEFAULT_PORT = 25;

export class RouterSinks {
  readonly #parts: RouterSinksParts;

  constructor(parts: RouterSinksParts) {
    this.#parts = parts;
  }

  /** Undefined when no sink has a say: the settings decide. A promise never rejects. */
  choose(message: QueuedMessage, settings: () => Router): ChosenRoutes | undefined | Promise<ChosenRoutes> {
    const chain = this.#parts.chain();
    if (chain.isEmpty || message.envelope.nextHop !== undefined) return undefined;
    const { id, origin, envelope, size, properties } = message;
    const { sender, recipients } = envelope;
    const msg = { id, origin, sender, recipients, size, properties };
    const subject: RouteContext = { kind: "route", msg, router: DEFAULT_ROUTER, links: this.#parts.links };
    const outcome = this.#parts.sinks.run<RouterSubject>(chain, {
      subject,
      server: origin.server,
      onFault: "binding",
      remember: () => {
        const { router } = subject;
        return () => {
          subject.router = router;
        };
      },
    });
    const end = (settled: SystemOutcome): ChosenRoutes => this.#routes(subject, settled, settings);
    return outcome instanceof Promise ? outcome.then(end) : end(outcome);
  }

  /** Tells the sinks about a next hop. */
  notify(link: LinkState): void {
    const chain = this.#parts.chain();
    if (chain.isEmpty) return;
    const subject = { kind: "link", link, links: this.#parts.links } as const;
    // Never rejects; nobody waits for what sinks make of it.
    void this.#parts.sinks.run<RouterSubject>(chain, { subject, server: undefined, onFault: "next-sink" });
  }

  #routes({ msg, router }: RouteContext, outcome: SystemOutcome, settings: () => Router): ChosenRoutes {
    // A message must not take a way that the failed sink would have kept it from: it waits (docs/decisions/0025).
    if (outcome.kind === "fault")
      return () => waitingRoute(`${outcome.binding.displayName}: ${outcome.message}`);
    try {
      const type = messageTypeOf(router, msg);
      return (recipient) => this.#routeOf(router, type, msg, recipient, settings());
    } catch (thrown) {
      const route = this.#failed(msg, thrown);
      return () => route;
    }
  }

  #routeOf(
    router: MessageRouter,
    type: number,
    msg: RoutedMessage,
    recipient: Recipient,
    settings: Router,
  ): Route {
    try {
      const answer = router.getNextHop(msg, recipient);
      return ofType(routeOfAnswer(answer, recipient, settings), type);
    } catch (thrown) {
      return this.#failed(msg, thrown);
    }
  }

  #failed({ id }: RoutedMessage, thrown: unknown): Route {
    const fault = describeError(thrown);
    this.#parts.log.error({ message: id, fault }, "router failed; the message waits");
    return waitingRoute(fault);
  }
}

const MAX_TYPE = 0xffff_ffff;

function messageTypeOf(router: MessageRouter, msg: RoutedMessage): number {
  const type = router.getMessageType?.(msg) ?? 0;
  if (!Number.isInteger(type) || type < 0 || type > MAX_TYPE)
    throw new RangeError("getMessageType has to answer an integer from 0 to 4294967295");
  return type;
}

/** One queue per next hop and message type. Local delivery has one queue whatever the type. */
function ofType(route: Route, type: number): Route {
  if (type === 0 || route.kind === "local" || route.kind === "lmtp" || route.kind === "unreachable")
    return route;
  return { ...route, key: `${route.key} (type ${type})` };
}

function routeOfAnswer(answer: NextHopAnswer, recipient: Recipient, settings: Router): Route {
  if (answer === "default") return settings.routeOf(recipient.address);
  if (answer === "local") return settings.local;
  if (typeof answer === "object" && answer !== null) {
    if ("unreachable" in answer) return unreachableRoute(parseFailure(answer.unreachable));
    if ("domain" in answer) {
      const domain = hostName(answer.domain).toLowerCase();
      return { kind: "mx", key: domain, domain, port: DEFAULT_PORT };
    }
    if ("host" in answer) {
      const host = hostName(answer.host);
      const port = portOf(answer.port);
      return { kind: "smart-host", key: hostAndPort(host, port), host, port };
    }
  }
  throw new TypeError(
    'getNextHop has to answer "local", "default", a host, a domain or an unreachable reply',
  );
}

function hostName(name: unknown): string {
  if (typeof name === "string" && name.length <= 255 && /^(\[[\w.:-]+\]|[\w.:-]+)$/.test(name)) return name;
  throw new RangeError("getNextHop has to name a host or a domain");
}

function portOf(port: unknown = DEFAULT_PORT): number {
  if (typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new RangeError("getNextHop has to answer a port from 1 to 65535");
}

/** RFC 3463 §3.5: X.4.4, unable to route. */
const waitingRoute = (fault: string): Route =>
  unreachableRoute(reply(451, "4.4", `Router failed: ${fault.replaceAll(/\p{Cc}+/gu, " ").slice(0, 200)}`));
