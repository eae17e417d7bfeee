// Writes what runs did as lines of the effect log. By hand: JSON.stringify on objects made for it costs three times as much.
import type { Envelope } from "../../core/envelope.ts";
import type { CallEffect, ChangeMark, NativeEffect, ScriptEffect, SinkFault } from "../../events/effects.ts";
import type { MessagePlace } from "../../events/shadow.ts";
import type { ChangePlaces } from "../../sandbox/versions/change-places.ts";
import type { LiveScript } from "../../sandbox/script-host.ts";

const MAX_ADDRESSES = 10;
const MAX_CHANGES = 50;
const MAX_TEXT = 1000;
const MAX_WHAT = 200;

const PLAIN = /^[\w@.<>+=/: -]*$/;

/** Texts come from clients and out of the sandbox: bounded and escaped. */
export function quote(text: string, most = MAX_TEXT): string {
  if (text.length > most) return JSON.stringify(text.slice(0, most));
  // Most are addresses and names, which need no escapes: seen faster than escaped.
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

const list = (texts: readonly string[]): string => `[${texts.map((text) => quote(text)).join(",")}]`;

/** As many addresses, or messages, as a record holds. */
export const firstOf = <T>(items: readonly T[]): readonly T[] => items.slice(0, MAX_ADDRESSES);

export const addressesText = (addresses: readonly string[]): string => list(firstOf(addresses));

/** The envelope's fields of a message line. */
export function envelopeText({ sender, recipients }: Envelope): string {
  const only = recipients[0];
  if (recipients.length === 1 && only !== undefined)
    return `"from":${quote(sender)},"to":[${quote(only.address)}]`;
  const first = list(firstOf(recipients).map(({ address }) => address));
  const more = recipients.length > MAX_ADDRESSES ? `,"recipients":${recipients.length}` : "";
  return `"from":${quote(sender)},"to":${first}${more}`;
}

/** Of one call; `script` is the version that ran. */
export function callText(
  call: CallEffect,
  script: LiveScript | undefined,
  places: ChangePlaces,
  asked?: readonly string[],
): string {
  if (!("effect" in call)) return `{"position":${call.position},${nativeText(call)}}`;
  const sent = call.sent.length === 0 ? "" : `,"sent":${list(call.sent)}`;
  return `{"position":${call.position},${effectText(call.effect, script, places)}${askedText(asked)}${sent}}`;
}

/** What a waiting script asked for. */
export const askedText = (asked: readonly string[] | undefined): string =>
  asked === undefined || asked.length === 0 ? "" : `,"asked":${list(asked)}`;

function nativeText(call: NativeEffect): string {
  let changes = "";
  for (const what of ["sender", "recipients", "header", "content"] as const)
    if (call[what]) changes += `${changes === "" ? "" : ","}{"what":"${what}"}`;
  return (
    `"micros":${call.micros},"verdict":${call.verdict},"status":${call.status}` +
    faultText(call.fault) +
    (changes === "" ? "" : `,"changes":[${changes}]`)
  );
}

/** The fields of an EffectLine. */
export function effectText(
  effect: ScriptEffect,
  script: LiveScript | undefined,
  places: ChangePlaces,
): string {
  const { sender, recipients, heapBytes, place, changes, fault } = effect;
  let text = `"micros":${effect.micros},"verdict":${effect.verdict},"status":${effect.status ?? 0}`;
  if (script !== undefined) text = `"version":"${script.version}",${text}`;
  if (place !== undefined) text += `,"pid":${place.pid},"job":${place.job}`;
  if (heapBytes !== undefined) text += `,"heap":${heapBytes}`;
  // With a fault nothing that the script did counts.
  if (fault !== undefined) return text + faultText(fault);
  if (sender !== undefined) text += `,"sender":${quote(sender)}`;
  if (recipients !== undefined)
    text += `,"recipients":${addressesText(recipients)},"recipientCount":${recipients.length}`;
  return changes === undefined || changes.length === 0 ? text : text + changesText(changes, script, places);
}

function faultText(fault: SinkFault | undefined): string {
  return fault === undefined ? "" : `,"fault":{"kind":"${fault.kind}","message":${quote(fault.message)}}`;
}

/** The same edit at the same place many times in a row is one entry. */
function changesText(
  changes: readonly ChangeMark[],
  script: LiveScript | undefined,
  places: ChangePlaces,
): string {
  const entries: string[] = [];
  let index = 0;
  while (index < changes.length && entries.length < MAX_CHANGES) {
    const change = changes[index];
    if (change === undefined) break;
    const { what, line, column } = change;
    let times = 0;
    for (let same = changes[index]; same !== undefined; same = changes[index]) {
      if (same.what !== what || same.line !== line || same.column !== column) break;
      times += 1;
      index += 1;
    }
    const at = places.find(script, line, column);
    entries.push(
      `{"what":${quote(what, MAX_WHAT)}` +
        `${at === undefined ? "" : `,"at":${quote(at)}`}${times === 1 ? "" : `,"times":${times}`}}`,
    );
  }
  const more = changes.length - index;
  return `,"changes":[${entries.join(",")}]${more === 0 ? "" : `,"moreChanges":${more}`}`;
}

/** In how much of the header block, and of the field, the Message-ID is looked for. */
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_MESSAGE_ID = 300;
const SPELLINGS = ["Message-ID:", "Message-Id:", "message-id:"] as const;

/** The Message-ID of a header block with its angle brackets. */
export function messageIdOf({ content }: Pick<MessagePlace, "content">): string | undefined {
  const { header } = content;
  const text = header.toString("latin1", 0, Math.min(header.length, MAX_HEADER_BYTES));
  for (const spelling of SPELLINGS) {
    for (let at = text.indexOf(spelling); at >= 0; at = text.indexOf(spelling, at + spelling.length)) {
      // Resent-Message-ID ends in the same letters.
      if (at === 0 || text.charCodeAt(at - 1) === 0x0a) return bracketed(text, at + spelling.length);
    }
  }
  return undefined;
}

function bracketed(header: string, from: number): string | undefined {
  const open = header.indexOf("<", from);
  const close = open < 0 ? -1 : header.indexOf(">", open);
  if (close < 0 || close - from > MAX_MESSAGE_ID) return undefined;
  return header.slice(from, open).trim() === "" ? header.slice(open, close + 1) : undefined;
}
