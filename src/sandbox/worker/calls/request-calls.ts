// Host operations behind fetch, kv, dns and secret: what the binding grants becomes a request to the relay. The relay checks
// the grant again; here the script hears of it at once.
/* oxlint-disable typescript/no-unsafe-type-assertion -- the assertions name what the checks beside them have shown */
import { capabilityRequestProblem } from "../../../core/capability-request.ts";
import { type Capabilities, type CapabilityRequest, cut } from "../../../../runtime/contract.ts";
import { countRequest, raise } from "./asking.ts";
import type { CallState } from "../call-state.ts";
import type { Operation } from "./host-calls.ts";
import type { HostValue } from "../isolates/isolate.ts";

const IS_GRANTED: Readonly<Record<CapabilityRequest["kind"], (allow: Capabilities) => boolean>> = {
  fetch: ({ fetch }) => fetch !== undefined && fetch.length > 0,
  kv: ({ kv }) => kv === true,
  dns: ({ dns }) => dns === true,
};
const HOW_TO_GRANT: Readonly<Record<CapabilityRequest["kind"], string>> = {
  fetch: 'allow: { fetch: ["https://host/path/"] }',
  kv: "allow: { kv: true }",
  dns: "allow: { dns: true }",
};

function openRequest(call: CallState, json: string, bytes: Buffer): HostValue {
  const parsed = JSON.parse(json) as unknown;
  const problem = capabilityRequestProblem(parsed);
  if (problem !== undefined) return call.fail("", problem);
  const request = parsed as CapabilityRequest;
  if (!IS_GRANTED[request.kind](call.allow)) {
    const how = HOW_TO_GRANT[request.kind];
    return call.fail("", `${request.kind} is not granted: it needs ${how} in the script's binding`);
  }
  const jsonBytes = Buffer.byteLength(json);
  if (!call.requests.hasRoom(jsonBytes, bytes.length))
    return call.fail("", `${request.kind}: too many bytes in requests at once; await some of them first`);
  const over = countRequest(call, json.length + bytes.length);
  return over === undefined
    ? call.requests.add(request, jsonBytes, bytes, call.changes.place)
    : raise(call, over);
}

export const secretNotGranted = (name: string): string =>
  `the secret ${cut(name, 100)} is not granted: it needs allow: { secrets: ["${cut(name, 100)}"] } in the script's binding, and a value`;

export function findSecret(
  secrets: Readonly<Record<string, string>> | undefined,
  name: string,
): string | undefined {
  return secrets !== undefined && Object.hasOwn(secrets, name) ? secrets[name] : undefined;
}

export const requestOperations: Readonly<Record<string, Operation>> = {
  request: (call, _unused, json, _none, bytes) => openRequest(call, String(json), bytes),
  secret: (call, name) =>
    findSecret(call.secrets, String(name)) ?? call.fail("", secretNotGranted(String(name))),
};
