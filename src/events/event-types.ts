// The event types as the original's event binding database has them: GUIDs and names of REFERENCE 3.1, 4.1 and 5.5.
import { type EventName, findEvent } from "./catalog.ts";

export interface EventType {
  readonly event: EventName;
  /** CATID, as it is printed. */
  readonly guid: string;
  readonly displayName: string;
  /** Names that the usage of smtpreg lists; it never had some events. */
  readonly names: readonly string[];
}

/** The source type of SMTP services. */
export const SMTP_SOURCE_TYPE = "{FB65C4DC-E468-11D1-AA67-00C04FA345F6}";

const eventType = (event: EventName, guid: string, names: readonly string[], name = names[0]): EventType => ({
  event,
  guid: `{${guid.toUpperCase()}}`,
  displayName: `SMTP ${name ?? event}`,
  names,
});

const protocol = (event: EventName, digits: string, name?: string): EventType =>
  eventType(event, `F6628C${digits}-0D5E-11D2-AA68-00C04FA35B82`, [event], name);

/** In the order of `smtpreg /enum`. */
export const EVENT_TYPES: readonly EventType[] = [
  eventType("StoreDriver", "59175850-e533-11d1-aa67-00c04fa345f6", ["StoreDriver"]),
  eventType(
    "OnTransportSubmission",
    "FF3CAA23-00B9-11d2-9DFB-00C04FA322BA",
    ["OnArrival", "OnTransportSubmission"],
    "OnTransportSubmission/OnArrival",
  ),
  eventType("OnPreCategorize", "A3ACFB0D-83FF-11d2-9E14-00C04FA322BA", ["OnPreCategorize"]),
  eventType("OnCategorize", "960252A3-0A3A-11d2-9E00-00C04FA322BA", ["OnCategorize"]),
  eventType("OnPostCategorize", "76719654-05A6-11d2-9DFD-00C04FA322BA", ["OnPostCategorize"]),
  eventType("OnGetMessageRouter", "283430C9-1850-11d2-9E03-00C04FA322BA", ["OnTransportRouter"]),
  eventType("MsgTrackLog", "c6df52aa-7db0-11d2-94f4-00c04f79f1d6", ["MsgTrackLog"]),
  eventType("DnsResolver", "bd0b4366-8e03-11d2-94f6-00c04f79f1d6", ["DnsResolver"]),
  eventType("MaxMsgSize", "ebf159de-a67e-11d2-94f7-00c04f79f1d6", ["MaxMsgSize"]),
  protocol("OnInboundCommand", "8D", "OnInBoundCommand"),
  protocol("OnServerResponse", "8E"),
  protocol("OnSessionStart", "8F"),
  protocol("OnMessageStart", "90"),
  protocol("OnPerRecipient", "91"),
  protocol("OnBeforeData", "92"),
  protocol("OnSessionEnd", "93"),
  eventType("EventLog", "93d0a538-2c1e-4b68-a7c9-d73a8aa6ee97", []),
  eventType("GetAuxDomainInfoFlags", "84ff368a-fab3-43d7-bcdf-692c5b46e6b1", []),
  eventType("DSN", "22B55731-F5F8-4d23-BD8F-87B52371A73A", []),
];

/** By a name of smtpreg, another one that bindings are made with, or the CATID in braces; without regard to case. */
export function findEventType(name: string): EventType | undefined {
  const event = findEvent(name);
  const guid = name.toUpperCase();
  return EVENT_TYPES.find((type) => type.event === event || type.guid === guid);
}

/**
 * The event source of a virtual server. The original derives it from the instance number in a way that is not written down;
 * only that it is always the same matters (REFERENCE 5.1).
 */
export function sourceGuid(instance: number): string {
  const first = (0x1b3c_0666 + instance) % 0x1_0000_0000;
  return `{${first.toString(16).toUpperCase().padStart(8, "0")}-E470-11D1-AA67-00C04FA345F6}`;
}
