// What `onarrival status` tells: the service as a whole, and each virtual server.
import type { ServerState } from "../../admin/health.ts";
import type { QueueDepths } from "../../transport/queues/queue-view.ts";
import type { ServiceState } from "./observation.ts";
import type { ServerEntry } from "../servers/server-set.ts";

export interface ServerStatus {
  readonly name: string;
  readonly state: ServerState;
  readonly mailroot: string;
  readonly addresses: readonly string[];
  readonly connections: number;
  /** Absent: it is stopped. */
  readonly queues: QueueDepths | undefined;
}

/** What the control method `status` answers. */
export interface ServiceStatus extends ServiceState {
  readonly pid: number;
  /** Of all virtual servers, as are the connections and the queues. */
  readonly addresses: readonly string[];
  readonly connections: number;
  readonly queues: QueueDepths | undefined;
  readonly servers: readonly ServerStatus[];
  /** What waits there is not delivered: no virtual server has them. */
  readonly strayMailroots: readonly string[];
  readonly scripts: readonly { readonly name: string; readonly version: string }[];
}

export function serverStatus({ name, state, folders, server }: ServerEntry): ServerStatus {
  return {
    name,
    state,
    mailroot: folders.mailroot,
    addresses: server?.addresses ?? [],
    connections: server?.listener.connections ?? 0,
    queues: server?.transport.depths(),
  };
}

const MAX_NAMED = 20;

/** The queues of all together. A destination of two virtual servers has two queues: they stay two. */
export function joinDepths([first, ...others]: readonly QueueDepths[]): QueueDepths | undefined {
  if (first === undefined || others.length === 0) return first;
  const all = [first, ...others];
  const destinations = all
    .flatMap((depths) => depths.destinations)
    .toSorted((a, b) => b.messages - a.messages);
  const unnamed = destinations.slice(MAX_NAMED);
  return {
    messages: sum(all, ({ messages }) => messages),
    kinds: sumEach(first.kinds, all, ({ kinds }) => kinds),
    states: sumEach(first.states, all, ({ states }) => states),
    destinations: destinations.slice(0, MAX_NAMED),
    otherDestinations:
      sum(all, ({ otherDestinations }) => otherDestinations) + sum(unnamed, ({ messages }) => messages),
    held: sumEach(first.held, all, ({ held }) => held),
    oldestAgeMs: Math.max(...all.map(({ oldestAgeMs }) => oldestAgeMs)),
  };
}

const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0);

function sumEach<Key extends string>(
  names: Readonly<Record<Key, number>>,
  all: readonly QueueDepths[],
  read: (depths: QueueDepths) => Readonly<Record<Key, number>>,
): Record<Key, number> {
  const total: Record<Key, number> = { ...names };
  for (const key in total) total[key] = sum(all, (depths) => read(depths)[key]);
  return total;
}
