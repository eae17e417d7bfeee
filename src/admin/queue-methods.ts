// What the control socket answers about the queues. Whatever arrives here is checked before it is used.
import { OnArrivalError } from "../core/errors.ts";
import type { Freezer, QueueAdmin, QueueEntry, QueueSummary } from "../transport/queues/queue-view.ts";
import { wholeIds } from "./id-prefixes.ts";
import {
  type ControlMethod,
  type ControlMethods,
  type Params,
  idsParam,
  serverNamed,
  textParam,
} from "./control-methods.ts";

/** The queues of one virtual server. */
export interface ServerQueues {
  readonly name: string;
  readonly admin: QueueAdmin;
}

/** What `onarrival queue list` and `show` get of a message. */
export interface ShownEntry extends QueueEntry {
  readonly server: string;
}

/** What `onarrival queue summary` gets of a queue. */
export interface ShownQueue extends QueueSummary {
  readonly server: string;
}

/** A virtual server on which the queue is frozen. */
export interface FrozenOn {
  readonly server: string;
  readonly frozenBy: Freezer;
  /** The next hop that the operator froze with all its queues. Absent: the queue itself is frozen. */
  readonly frozenWith?: string;
}

export interface FrozenQueue extends FrozenOn {
  readonly queue: string;
}

/** What `onarrival queue retry` and `release` get. */
export interface LetGoAnswer {
  readonly changed: number;
  /** Of those: how many stay all the same, as what they wait for is frozen. Absent: none. */
  readonly keptBack?: number;
  readonly frozen?: readonly FrozenQueue[];
}

/** What `onarrival queue force` and `thaw` get. */
export interface SteerAnswer {
  readonly changed: number;
  /** Where it stays frozen. */
  readonly frozen: readonly FrozenOn[];
}

/** What `onarrival queue freeze` and `thaw` get besides. */
export interface LeftOut {
  /** Virtual servers that do not run, whose queues are frozen or not as they were. Absent: there is none. */
  readonly stopped?: readonly string[];
}

/** Of those that are not in memory, which take a read each. */
const DEFAULT_LIMIT = 1000;
const MAX_LIMIT = 100_000;

/**
 * Ids are unique over the virtual servers: only with `server`, or all messages, does it matter whose they are.
 * `stopped`: names of those that do not run.
 */
export function queueMethods(
  servers: () => readonly ServerQueues[],
  stopped: () => readonly string[] = () => [],
): ControlMethods {
  const chosen = (params: Params): readonly ServerQueues[] => {
    if (params["server"] === undefined) return servers();
    const name = textParam(params, "server");
    if (stopped().includes(name))
      throw new OnArrivalError(
        "WRONG_USE",
        `the virtual server ${name} does not run: onarrival server start ${name}`,
      );
    return [serverNamed(servers(), name)];
  };
  const leftOut = (params: Params): LeftOut => {
    const names = params["server"] === undefined ? stopped() : [];
    return names.length === 0 ? {} : { stopped: names };
  };
  const change =
    (act: (admin: QueueAdmin, ids: readonly string[]) => number): ControlMethod =>
    (params) => {
      const queues = chosen(params);
      const ids = wholeIds(queues, idsParam(params));
      return { changed: queues.reduce((sum, { admin }) => sum + act(admin, ids), 0) };
    };
  const letGo =
    (verb: "retry" | "release"): ControlMethod =>
    (params) => {
      const queues = chosen(params);
      return letMessagesGo(queues, verb, wholeIds(queues, idsParam(params)));
    };
  return {
    "queue.list": (params) => list(chosen(params), limitParam(params)),
    "queue.show": (params) => show(chosen(params), textParam(params, "id")),
    "queue.retry": letGo("retry"),
    "queue.hold": change((admin, ids) => admin.hold(ids)),
    "queue.release": letGo("release"),
    "queue.remove": change((admin, ids) => admin.remove(ids)),
    "queue.summary": (params) =>
      chosen(params).flatMap(({ name, admin }) =>
        admin.queues().map((queue): ShownQueue => ({ ...queue, server: name })),
      ),
    "queue.freeze": async (params) => ({
      ...(await freeze(chosen(params), textParam(params, "queue"))),
      ...leftOut(params),
    }),
    "queue.thaw": async (params) => ({
      ...(await thaw(chosen(params), textParam(params, "queue"))),
      ...leftOut(params),
    }),
    "queue.force": (params) => force(chosen(params), textParam(params, "queue")),
  };
}

async function list(servers: readonly ServerQueues[], limit: number): Promise<ShownEntry[]> {
  const entries: ShownEntry[] = [];
  for (const { name, admin } of servers) {
    for (const entry of admin.list().slice(0, limit - entries.length)) entries.push(shown(entry, name));
    for (const entry of await admin.listParked(limit - entries.length)) entries.push(shown(entry, name));
  }
  return entries;
}

function letMessagesGo(
  servers: readonly ServerQueues[],
  verb: "retry" | "release",
  ids: readonly string[],
): LetGoAnswer {
  let changed = 0;
  let keptBack = 0;
  const frozen: FrozenQueue[] = [];
  for (const { name, admin } of servers) {
    const { messages, queues } = admin.keptBack(verb, ids);
    changed += admin[verb](ids);
    keptBack += messages;
    for (const queue of queues) {
      const on = frozenOn(name, admin, queue);
      if (on !== undefined) frozen.push({ ...on, queue });
    }
  }
  return keptBack === 0 ? { changed } : { changed, keptBack, frozen };
}

function frozenOn(server: string, admin: QueueAdmin, queue: string): FrozenOn | undefined {
  const frozenBy = admin.frozenBy(queue);
  if (frozenBy === undefined) return undefined;
  const frozenWith = admin.frozenWith(queue);
  return { server, frozenBy, ...(frozenWith === undefined ? {} : { frozenWith }) };
}

async function freeze(
  servers: readonly ServerQueues[],
  queue: string,
): Promise<Pick<SteerAnswer, "changed">> {
  const frozen = await Promise.all(servers.map(({ admin }) => admin.freeze(queue)));
  return { changed: frozen.filter(Boolean).length };
}

/** What is frozen with its next hop goes on with that. */
async function thaw(servers: readonly ServerQueues[], queue: string): Promise<SteerAnswer> {
  const thawed = await Promise.all(servers.map(({ admin }) => admin.thaw(queue)));
  const frozen = servers.flatMap(({ name, admin }) =>
    admin.frozenWith(queue) === undefined ? [] : (frozenOn(name, admin, queue) ?? []),
  );
  return { changed: thawed.filter(Boolean).length, frozen };
}

/** What is frozen on one virtual server may go on others. */
function force(servers: readonly ServerQueues[], queue: string): SteerAnswer {
  let changed = 0;
  const frozen: FrozenOn[] = [];
  for (const { name, admin } of servers) {
    const on = frozenOn(name, admin, queue);
    if (on === undefined) changed += admin.force(queue);
    else frozen.push(on);
  }
  return { changed, frozen };
}

function limitParam({ limit = DEFAULT_LIMIT }: Params): number {
  if (typeof limit === "number" && Number.isInteger(limit) && limit > 0 && limit <= MAX_LIMIT) return limit;
  throw new OnArrivalError("WRONG_USE", `limit must be a whole number from 1 to ${MAX_LIMIT}`);
}

async function show(servers: readonly ServerQueues[], given: string): Promise<ShownEntry> {
  const [id = given] = wholeIds(servers, [given]);
  for (const { name, admin } of servers) {
    const entry = admin.show(id) ?? (await admin.showParked(id));
    if (entry !== undefined) return shown(entry, name);
  }
  throw new OnArrivalError("MESSAGE_NOT_FOUND", `no message ${id} in the queues`);
}

const shown = (entry: QueueEntry, server: string): ShownEntry => ({ ...entry, server });
