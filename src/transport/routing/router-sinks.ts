// Step 7, for those who bind a router: the sinks of OnGetMessageRouter choose it, message by message (REFERENCE 4.4).
import type { Recipient } from "../../core/envelope.ts";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { type Reply, isPermanent, parseFailure, reply } from "../../core/reply.ts";
import { EVENTS } from "../../events/catalog.ts";
import {
  type LinkContext,
  type LinkState,
  type MessageRouter,
  type NextHopAnswer,
  type RouteContext,
  type RoutedMessage,
  type RouterSubject,
  type TypedNextHop,
  nextHopType,
} from "../../events/contexts/router-contexts.ts";
import type { SystemChain, SystemOutcome, SystemSinks } from "../../events/system-chain.ts";
import { routedAddressOf } from "../../message/recipient-list.ts";
import type { Links } from "./links.ts";
import type { MessageTypes } from "./message-types.ts";
import type { QueuedMessage } from "../queued-message.ts";
import { type Route, type Router, hostAndPort, unreachableRoute } from "./router.ts";

/** The route of each recipient of one message, as its router says. */
export type ChosenRoutes = (recipient: Recipient) => Route;

export interface RouterSinksParts {
  readonly chain: () => SystemChain<RouterSubject>;
  readonly sinks: SystemSinks;
  readonly links: Links;
  readonly types: MessageTypes;
  /** Name of the virtual server whose next hops these are. */
  readonly server: string;
  readonly log: Logger;
}

const DEFAULT_ROUTER: MessageRouter = { getNextHop: () => "default" };
const DEFAULT_PORT = 25;

export class RouterSinks {
  readonly #parts: RouterSinksParts;
  #chain: SystemChain<RouterSubject> | undefined;

  constructor(parts: RouterSinksParts) {
    this.#parts = parts;
  }

  /** No sink is bound: the settings decide. */
  get isEmpty(): boolean {
    return this.#parts.chain().isEmpty;
  }

  /** Undefined when no sink has a say: the settings decide. A promise never rejects. */
  choose(message: QueuedMessage, settings: () => Router): ChosenRoutes | undefined | Promise<ChosenRoutes> {
    const chain = this.#parts.chain();
    if (chain.isEmpty || message.envelope.nextHop !== undefined) return undefined;
    // What routers of other bindings said of types counts no more.
    if (this.#chain !== chain) this.#parts.types.reset();
    this.#chain = chain;
    const { id, origin, envelope, size, properties } = message;
    const { sender, recipients } = envelope;
    const msg = { id, origin, sender, recipients, size, properties };
    const subject: RouteContext = { kind: "route", msg, router: DEFAULT_ROUTER, links: this.#parts.links };
    const outcome = this.#parts.sinks.run<RouterSubject>(chain, {
      subject,
      server: origin.server,
      onFault: EVENTS.OnGetMessageRouter.onFault,
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

  /** Tells the sinks about a next hop, and does with it as they say. Nobody waits for them. */
  notify(link: Omit<LinkState, "flags">): void {
    const { chain, links, server, sinks } = this.#parts;
    if (chain().isEmpty) return;
    const { nextHop, nextAttempt } = link;
    if (!link.isUp) links.failed(nextHop);
    const state = { ...link, flags: links.flagsOf(nextHop) };
    const subject: LinkContext = { kind: "link", link: state, nextAttempt, set: 0, unset: 0, links };
    const outcome = sinks.run<RouterSubject>(chain(), {
      subject,
      server,
      // There is no message that could wait.
      onFault: "next-sink",
      remember: () => {
        const { nextAttempt: time, set, unset } = subject;
        return () => void Object.assign(subject, { nextAttempt: time, set, unset });
      },
    });
    if (outcome instanceof Promise) void outcome.then(() => this.#steer(subject));
    else this.#steer(subject);
  }

  #steer({ link, nextAttempt, set, unset }: LinkContext): void {
    const { links, log } = this.#parts;
    if (set !== 0 || unset !== 0) links.setState(link.nextHop, set, unset);
    if (!link.isUp && unset !== 0) links.failed(link.nextHop);
    if (link.isUp || nextAttempt === undefined || nextAttempt === link.nextAttempt) return;
    try {
      links.retryAt(link.nextHop, nextAttempt);
    } catch (thrown) {
      log.error({ nextHop: link.nextHop, fault: describeError(thrown) }, "router sink named no time");
    }
  }

  /** An attempt found the next hop of the message unreachable. */
  connectionFailed({ id }: QueuedMessage, nextHop: string): void {
    this.#parts.types.connectionFailed(id, nextHop);
  }

  ended({ id }: QueuedMessage): void {
    this.#parts.types.ended(id);
  }

  #routes({ msg, router }: RouteContext, outcome: SystemOutcome, settings: () => Router): ChosenRoutes {
    // A message must not take a way that the failed sink would have kept it from: it waits (docs/decisions/0025).
    if (outcome.kind === "fault")
      return () => waitingRoute(`${outcome.binding.displayName}: ${outcome.message}`);
    try {
      const type = this.#parts.types.typeOf(msg, router);
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

/** One queue per next hop and message type. Local delivery has one queue whatever the type. */
function ofType(route: Route, type: number): Route {
  if (type === 0 || route.kind === "local" || route.kind === "lmtp" || route.kind === "unreachable")
    return route;
  return { ...route, key: `${route.key} (type ${type})` };
}

function routeOfAnswer(answer: NextHopAnswer, recipient: Recipient, settings: Router): Route {
  if (answer === "default") return settings.routeOf(routedAddressOf(recipient));
  if (answer === "local") return settings.local;
  if (typeof answer === "object" && answer !== null) {
    if ("unreachable" in answer) return unreachableRoute(parseFailure(answer.unreachable));
    if ("domain" in answer) {
      const domain = hostName(answer.domain).toLowerCase();
      return { kind: "mx", key: domain, domain, port: DEFAULT_PORT };
    }
    if ("host" in answer) return routeToHost(answer.host, answer.port);
    if ("type" in answer) return routeOfType(answer, settings);
  }
  throw new TypeError(
    'getNextHop has to answer "local", "default", a host, a domain or an unreachable reply',
  );
}

function routeOfType({ type, address, port, reply: said }: TypedNextHop, settings: Router): Route {
  switch (type) {
    case nextHopType.sameVirtualServer:
      return settings.local;
    case nextHopType.peerSmtp:
    case nextHopType.peerSmtpAgain: {
      const route = routeToHost(address, port);
      return { ...route, key: `${route.key} (peer)`, isPeer: true };
    }
    case nextHopType.externalSmtp:
      return port === undefined
        ? routeOfAnswer({ domain: hostName(address) }, { address: "" }, settings)
        : routeToHost(address, port);
    case nextHopType.unreachable:
      return unreachableRoute(refusalOf(said ?? "550 5.4.4 Unable to route", isPermanent));
    case nextHopType.currentlyUnreachable:
      return unreachableRoute(refusalOf(said ?? "451 4.4.4 Unable to route now", isTransient));
    default:
      throw new RangeError("getNextHop has to answer a type from 0 to 5");
  }
}

const isTransient = (of: Reply): boolean => !isPermanent(of);

function refusalOf(text: string, isFitting: (of: Reply) => boolean): Reply {
  const said = parseFailure(text);
  if (isFitting(said)) return said;
  throw new RangeError("unreachable takes a reply of class 5, currentlyUnreachable one of class 4");
}

function routeToHost(address: unknown, ofHost: unknown): Extract<Route, { kind: "smart-host" }> {
  const host = hostName(address);
  const port = portOf(ofHost);
  return { kind: "smart-host", key: hostAndPort(host, port), host, port };
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
