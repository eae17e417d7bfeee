// Built-in native sink: verifies SPF, DKIM, DMARC and ARC and writes what it found as Authentication-Results (RFC 8601).
// sinkProperties: `onDmarcReject`, `onDmarcQuarantine`, `onDmarcPermerror`, `onSpfFail` "mark" (default), "badmail" or "discard";
// `onDmarcTemperror` the same or "retry"; `trustedSealers` domains whose ARC seals outweigh a DMARC failure (default none);
// `receivedSpf` true for a Received-SPF field; `authenticated` true to look at mail of authenticated users too; `timeoutMs` for
// all DNS look-ups of a message (default 15000).
import type { Verification, Verify } from "../authentication/verification.ts";
import { keepFinding } from "../authentication/finding.ts";
import { isOfServer } from "../authentication/results-field.ts";
import { messageStatus, sinkResult } from "../core/status.ts";
import { type NativeSink, type PropertyBag, type SinkContext, defineSink } from "../events/sink.ts";
import type { MailMsg } from "../message/mail-msg.ts";
import { isOn, oneOf, requireKnown } from "./property-checks.ts";

const FIELD = "Authentication-Results";
const DEFAULT_TIMEOUT_MS = 15_000;
/** Properties that say what becomes of a message, and what they take. */
const ACTIONS = ["mark", "badmail", "discard"] as const;
const TEMPERROR_ACTIONS = [...ACTIONS, "retry"] as const;
const POLICIES = ["onDmarcReject", "onDmarcQuarantine", "onDmarcPermerror", "onSpfFail"] as const;
const SWITCHES = ["receivedSpf", "authenticated"] as const;

export interface AuthenticateParts {
  readonly verify: Verify;
  /** Our name at the virtual server that took the message. */
  readonly hostNameOf: (server: string) => string;
}

const STATUS_OF = {
  badmail: messageStatus.badMail,
  discard: messageStatus.abortDelivery,
  retry: messageStatus.retry,
} as const;

type Action = (typeof TEMPERROR_ACTIONS)[number];

export function createAuthenticateSink({
  verify,
  hostNameOf,
}: AuthenticateParts): NativeSink<"OnTransportSubmission"> {
  return defineSink({
    event: "OnTransportSubmission",
    // Before scripts, so that they find the field.
    binding: { priority: 1000 },
    checkProperties,
    async onEvent(msg, { properties, log }) {
      const authservId = hostNameOf(msg.origin.server);
      const { via, clientAddress, heloDomain, user } = msg.origin;
      const isLookedAt = user === undefined || isOn(properties, "authenticated");
      if (via !== "smtp" || clientAddress === undefined || !isLookedAt) {
        removeForged(msg, authservId, log);
        return sinkResult.runNext;
      }
      const conversation = { authservId, clientAddress, heloDomain, sender: msg.sender };
      const found = await verify(msg.content, conversation, timeoutOf(properties));
      // Only now: a signature may cover what is forged.
      removeForged(msg, authservId, log);
      if (isOn(properties, "receivedSpf")) msg.headers.prepend("Received-SPF", found.receivedSpf);
      msg.headers.prepend(FIELD, found.results);
      keepFinding(msg.properties, found);
      return act(msg, verdictOn(found, properties), found, log);
    },
  });
}

/** RFC 8601 §5: who reads our name must be able to rely on it. */
function removeForged(msg: MailMsg, authservId: string, log: SinkContext["log"]): void {
  if (!msg.headers.has(FIELD)) return;
  const removed = msg.headers.removeValues(FIELD, (value) => isOfServer(value, authservId));
  if (removed > 0) log.warn({ message: msg.id, removed }, "forged Authentication-Results fields removed");
}

function verdictOn(found: Verification, properties: PropertyBag): Action {
  const isVouchedFor = sealersOf(properties).includes(found.vouchedBy ?? "");
  const actions: Action[] = [];
  if (found.dmarc === "temperror") actions.push(oneOf(properties, "onDmarcTemperror", TEMPERROR_ACTIONS));
  if (found.dmarc === "permerror") actions.push(actionOf(properties, "onDmarcPermerror"));
  if (found.dmarc === "fail" && !isVouchedFor) {
    if (found.dmarcPolicy === "reject") actions.push(actionOf(properties, "onDmarcReject"));
    if (found.dmarcPolicy === "quarantine") actions.push(actionOf(properties, "onDmarcQuarantine"));
  }
  if (found.spf === "fail") actions.push(actionOf(properties, "onSpfFail"));
  return actions.find((action) => action !== "mark") ?? "mark";
}

const sealersOf = (properties: PropertyBag): string[] =>
  properties
    .text("trustedSealers", "")
    .toLowerCase()
    // A list of the configuration arrives as JSON.
    .split(/[\s,"[\]]+/)
    .filter((domain) => domain !== "");

const timeoutOf = (properties: PropertyBag): number => properties.number("timeoutMs", DEFAULT_TIMEOUT_MS);

const actionOf = (properties: PropertyBag, name: (typeof POLICIES)[number]): Action =>
  oneOf(properties, name, ACTIONS);

function checkProperties(properties: PropertyBag): void {
  requireKnown(properties, [...POLICIES, "onDmarcTemperror", "trustedSealers", ...SWITCHES, "timeoutMs"]);
  for (const name of POLICIES) actionOf(properties, name);
  oneOf(properties, "onDmarcTemperror", TEMPERROR_ACTIONS);
  for (const name of SWITCHES) isOn(properties, name);
  timeoutOf(properties);
}

function act(msg: MailMsg, action: Action, found: Verification, log: SinkContext["log"]): 0 | 1 {
  if (action === "mark") return sinkResult.runNext;
  const { spf, dkim, dmarc } = found;
  log.info({ message: msg.id, sender: msg.sender, action, spf, dkim, dmarc }, "message fails authentication");
  msg.status = STATUS_OF[action];
  return sinkResult.skipRemaining;
}
