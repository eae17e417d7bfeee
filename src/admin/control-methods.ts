// What the control socket answers to beside the queues and the scripts: ping, status, the virtual servers. Whatever arrives here is checked before it is used.
import { OnArrivalError } from "../core/errors.ts";

/** Answers a JSON value. Throws OnArrivalError to tell the caller, anything else is logged and told as INTERNAL. */
export type ControlMethod = (params: Params) => unknown;

/** Names are `noun.verb`. The composition root joins the tables of the folders. */
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

export function serverNamed<Server extends { readonly name: string }>(
  servers: readonly Server[],
  wanted: string,
): Server {
  const found = servers.find(({ name }) => name === wanted);
  if (found !== undefined) return found;
  const names = servers.map(({ name }) => name).join(", ");
  throw new OnArrivalError("WRONG_USE", `no virtual server has the name ${wanted} (there are: ${names})`);
}

/** What an operator may do with the virtual servers. */
export interface ServerControl {
  list(): unknown;
  start(name: string): Promise<void>;
  stop(name: string): Promise<void>;
  pause(name: string): Promise<void>;
  proceed(name: string): Promise<void>;
}

export function serverMethods(control: ServerControl): ControlMethods {
  const act =
    (verb: "start" | "stop" | "pause" | "proceed"): ControlMethod =>
    async (params) => {
      await control[verb](textParam(params, "name"));
      return control.list();
    };
  return {
    "server.list": () => control.list(),
    "server.start": act("start"),
    "server.stop": act("stop"),
    "server.pause": act("pause"),
    "server.continue": act("proceed"),
  };
}

/** `status` answers what the composition root knows: version, addresses, scripts. */
export function serviceMethods(status: () => unknown): ControlMethods {
  return { ping: () => "pong", status };
}
