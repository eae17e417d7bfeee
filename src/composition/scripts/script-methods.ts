// What the control socket answers about scripts.
import { type ControlMethods, type Params, textParam } from "../../admin/control-methods.ts";
import { OnArrivalError } from "../../core/errors.ts";
import type { ScriptControl } from "../../sandbox/versions/script-control.ts";
import type { ScriptHost } from "../../sandbox/script-host.ts";
import type { ConfiguredBinding } from "../bindings/bindings.ts";
import { absentScripts, withBindings } from "./script-overview.ts";

export function scriptMethods(
  host: ScriptHost,
  configured: () => readonly ConfiguredBinding[],
): ControlMethods {
  const control = (): ScriptControl => {
    if (host.control === undefined)
      throw new OnArrivalError("INTERNAL", "scripts are asked for before start");
    return host.control;
  };
  return {
    "scripts.list": () => {
      const states = control().list();
      return withBindings([...states, ...absentScripts(states, configured(), host)], configured(), host);
    },
    "scripts.show": async (params) =>
      withBindings([await control().show(nameParam(params))], configured(), host)[0],
    "scripts.log": (params) => control().log(nameParam(params), afterParam(params)),
    "scripts.rollback": async (params) => ({
      version: await control().rollback(
        nameParam(params),
        params["version"] === undefined ? undefined : textParam(params, "version"),
      ),
    }),
    "scripts.disable": async (params) => {
      await control().disable(nameParam(params));
      return { disabled: true };
    },
    "scripts.enable": async (params) => {
      await control().enable(nameParam(params));
      return { disabled: false };
    },
  };
}

const nameParam = (params: Params): string => textParam(params, "name");

function afterParam({ after }: Params): number {
  if (after === undefined) return 0;
  if (typeof after === "number" && Number.isSafeInteger(after) && after >= 0) return after;
  throw new OnArrivalError("WRONG_USE", "after must be the sequence number of a line");
}
