// The package as authors of native sinks import it: `import { defineSink } from "onarrival"`.
import { sinkResult as result } from "./core/status.ts";

declare global {
  /** What a sink answers: there for every module that imports `onarrival`, under this name too. */
  const sinkResult: typeof result;
}
Object.defineProperty(globalThis, "sinkResult", { value: result, configurable: true });

export { defineSink } from "./events/sink.ts";
export { SinkPropertyError } from "./events/sink-property-error.ts";
export { messageStatus, sinkResult } from "./core/status.ts";
export { domainFlag } from "./events/contexts/domain-contexts.ts";
export { protocolResult } from "./events/contexts/protocol-contexts.ts";
export { linkFlag, nextHopType } from "./events/contexts/router-contexts.ts";
export type { SinkAnswer, SinkContext } from "./events/sink.ts";
export type {
  InboundCommandContext,
  OutboundCommandContext,
  ProtocolAnswer,
  ServerResponseContext,
} from "./events/contexts/protocol-contexts.ts";
export type {
  BatchContext,
  CategorizerItem,
  CategorizerMessages,
  ItemContext,
  MessageContext,
  RegisterContext,
} from "./events/contexts/categorize-contexts.ts";
export type { DirectoryAnswer, DirectoryEntry, DirectoryQuery } from "./events/contexts/directory-entries.ts";
export type { HostLookupContext, MxLookupContext } from "./events/contexts/dns-contexts.ts";
export type { DomainInfoContext } from "./events/contexts/domain-contexts.ts";
export type { LogEntry } from "./events/event-log.ts";
export type { MessageSizeContext } from "./events/contexts/size-contexts.ts";
export type { TrackingRecord } from "./events/contexts/tracking-contexts.ts";
export type { DsnDueContext, DsnMadeContext } from "./events/contexts/dsn-contexts.ts";
export type {
  LinkContext,
  MessageRouter,
  NextHopAnswer,
  RouteContext,
  TypedNextHop,
} from "./events/contexts/router-contexts.ts";
export type { LocalDeliveryContext, StoreNotice } from "./events/contexts/store-contexts.ts";
export { Content } from "./message/content.ts";
export { IMMPID } from "./message/properties.ts";
export { hasFlags, recipientFlags } from "./message/recipient-flags.ts";
export type { MailMsg } from "./message/mail-msg.ts";
export type { MessageProperties, MessagePropertyKey } from "./message/message-properties.ts";
export type { NewRecipientList } from "./message/new-recipient-list.ts";
export type { AnyPropertyValue, PropertyValue } from "./message/properties.ts";
export type { PropertyIdRange } from "./message/property-ids.ts";
export type { DomainRecipients, RecipientList } from "./message/recipient-list.ts";
export type { RecipientProperties, RecipientPropertyKey } from "./message/recipient-properties.ts";
