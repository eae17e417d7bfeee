// What sinks of OnCategorize receive (REFERENCE 4.3): the ten methods of IMailTransportCategorize as `kind`, under idiomatic names.
import type { Recipient } from "../../core/envelope.ts";
import type { MailMsg } from "../../message/mail-msg.ts";
import type { PropertyValue } from "../../message/properties.ts";
import type { DirectoryAnswer, DirectoryEntry, DirectoryQuery } from "./directory-entries.ts";

/** ICategorizerItem: the sender or a recipient of the message, or what one of them expands to. */
export interface CategorizerItem {
  readonly type: "sender" | "recipient";
  /** 0: of the message itself; 1: what such an item expands to, and so on. */
  readonly level: number;
  /** The item that expanded to this one; undefined on level 0. */
  readonly parent: CategorizerItem | undefined;
  /** With the DSN options that go with it. Absent: the sender. */
  readonly recipient: Recipient | undefined;
  /** Where its copy goes; "" as long as it is known by its key only. Throws RangeError on what is no mailbox. */
  address: string;
  /** What the directory is asked for it; sinks of buildQuery may set another one. */
  query: DirectoryQuery;
  /** What the directory, or a sink in its place, has answered; undefined before. */
  answer: DirectoryAnswer | undefined;
  /** Of the answer, when it was found. */
  readonly entry: DirectoryEntry | undefined;
  /** Whether it gets the message itself. Lists do not, and forwards only when they keep a copy. */
  deliver: boolean;
  /** Name of the copy of the message that it gets; "" is the message itself. */
  copy: string;
  /** The same for what it expands to; absent: its own. */
  memberCopy: string | undefined;
  /** The reply of `fail`. */
  readonly failure: string | undefined;
  /** For sinks, from one sub-event to the next. */
  readonly properties: Map<string, PropertyValue>;
  /** "550 5.1.1 No such user": its sender hears of it. Of the sender: every recipient fails. Throws RangeError on what is no such reply. */
  fail(reply: string): void;
  /** An address or a query for a further item. It begins at buildQuery. */
  expandTo(target: string | DirectoryQuery): void;
}

/** ICategorizerMailMsgs: the message, and the copies that it is split into. */
export interface CategorizerMessages {
  /** The message itself, whose name is "". */
  readonly original: MailMsg;
  /** The copy of that name, made when it is first asked for. Its sender and content may be changed; "" is the original. */
  copy(name: string): MailMsg;
  /** The message and its copies so far. */
  readonly all: readonly MailMsg[];
}

/** 1, before the first message that a set of bindings sees. */
export interface RegisterContext {
  readonly kind: "register";
  /** Entries of the directory are to have this attribute as well. */
  requestAttribute(name: string): void;
}

/** 2 and 10. At the end the messages have the recipients that came out; `failed`: the message waits, and begins anew another time. */
export interface MessageContext {
  readonly kind: "beginMessage" | "endMessage";
  /** The message, and the copies that it is split into. */
  readonly messages: CategorizerMessages;
  /** Of endMessage. */
  readonly outcome?: "categorized" | "failed" | undefined;
}

/** 3, for each address; 7, once it is answered; 8, once its entry is known; 9, when nothing more happens to it. */
export interface ItemContext {
  readonly kind: "buildQuery" | "processItem" | "expandItem" | "completeItem";
  /** The address that it is about. */
  readonly item: CategorizerItem;
  /** The message, and the copies that it is split into. */
  readonly messages: CategorizerMessages;
}

/** 4 to 6, for up to `categorizer.batchSize` addresses at a time. */
export interface BatchContext {
  readonly kind: "buildQueries" | "sendQuery" | "sortQueryResult";
  /** The addresses that are looked up together. */
  readonly items: readonly CategorizerItem[];
  /** Set by buildQueries, one for each item unless a sink combines them. Throws TypeError on what is no list of queries. */
  queries: readonly DirectoryQuery[];
  /** Set by sendQuery: by a sink in place of the directory, which then is not asked. Throws TypeError on what is no list of answers. */
  answers: readonly DirectoryAnswer[] | undefined;
}

export type CategorizeSubject = RegisterContext | MessageContext | ItemContext | BatchContext;
