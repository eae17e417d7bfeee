// What the control socket answers to: ping, status and the queues. Whatever arrives here is checked before it is used.
import { OnArrivalError } from "../core/errors.ts";
import type { QueueAdmin, QueueEntry } from "../transport/queue-view.ts";

/** Answers a JSON value. Throws OnArrivalError to tell the caller, anything else is logged and told as INTERNAL. */
export type ControlMethod = (params: Params) => unknown;

/** Names are `noun.verb`. The composition root joins the tables of the rooms. */
export type ControlMethods = Readonly<Record<string, ControlMethod>>;

export type Params = Readonly<Record<string, unknown>>;

const MAX_IDS = 100_000;
const MAX_ID_LENGTH = 256;

export function textParam(params: Params, name: string): string {
  const value = params[name];
  if (typeof value === "string" && value !== "" && value.length <= MAX_ID_LENGTH) return value;
  throw new OnArrivalError("WRONG_USE", `${name} must be a text of at most ${MAX_ID_LENGTH} characters`);
}

/** `ids`, or `all: true`: an empty list must never mean everything by accident. */
export function idsParam(params: Params): readonly string[] {
  const { ids, all } = params;
  if (all === true && ids === undefined) return [];
  if (Array.isArray(ids) && ids.length > 0 && ids.length <= MAX_IDS && ids.every(isId)) return ids;
  throw new OnArrivalError("WRONG_USE", "needs message ids, or all");
}

const isId = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= MAX_ID_LENGTH;

function show(admin: QueueAdmin, params: Params): QueueEntry {
  const id = textParam(params, "id");
  const entry = admin.show(id);
  if (entry === undefined) throw new OnArrivalError("MESSAGE_NOT_FOUND", `no message ${id} in the queues`);
  return entry;
}

export function queueMethods(admin: QueueAdmin): ControlMethods {
  return {
    "queue.list": () => admin.list(),
    "queue.show": (params) => show(admin, params),
    "queue.retry": (params) => ({ changed: admin.retry(idsParam(params)) }),
    "queue.hold": (params) => ({ changed: admin.hold(idsParam(params)) }),
    "queue.release": (params) => ({ changed: admin.release(idsParam(params)) }),
    "queue.remove": (params) => ({ changed: admin.remove(idsParam(params)) }),
  };
}

/** `status` answers what the composition root knows: version, addresses, scripts. */
export function serviceMethods(status: () => unknown): ControlMethods {
  return { ping: () => "pong", status };
}
