// docs/mailmsg.md: the properties of messages and recipients, their flags and statuses, made of the tables of src/message.
import { readFileSync } from "node:fs";
import { messageStatus } from "../src/core/status.ts";
import {
  type KnownProperty,
  MESSAGE_PROPERTIES,
  RECIPIENT_PROPERTIES,
  messagePropertyTable,
  recipientPropertyTable,
} from "../src/message/properties.ts";
import { recipientFlags } from "../src/message/recipient-flags.ts";
import type { PageParts } from "./event-docs.ts";

const STATUSES: Readonly<Record<keyof typeof messageStatus, string>> = {
  success: "go on; what sinks of `OnTransportSubmission` find",
  retry: "try again later: back to the queue before this event, as it was",
  abortDelivery: "delete, without a report",
  badMail: "move to Badmail, as the sinks left it",
  submitted:
    "the sinks of `OnTransportSubmission` are through: the remaining ones are passed over. What sinks of `OnPreCategorize` find",
  categorized:
    "nothing before `OnPostCategorize` is left to do: remaining sinks, `OnPreCategorize` and the categorizer are passed over. What sinks of `OnPostCategorize` find",
  abandonDelivery:
    "leave it alone until the service restarts: it is to be seen in the queue, is not tried, does not expire, and no change of bindings frees it; `onarrival queue release` does. The restart takes it up as it was before the event",
};

const FLAGS: Readonly<Record<keyof typeof recipientFlags, string>> = {
  handled: "nothing more to do: alone, the recipient is discarded without a report",
  generalFailure: "the recipient fails; its sender gets the report",
  dsnHandled: "its last report is made: with one of the others, no report goes out",
  delivered: "delivered by whoever set it; reported where NOTIFY asks for it",
  dsnSentNdr: "the report on its failure is out: handled, and no report",
  failed: "the recipient fails; the report has the words of `RP_SMTP_STATUS_STRING`",
  unresolved: "not found: fails with 5.1.1",
  expanded: "a list whose members are recipients now; reported where NOTIFY asks for it",
  dsnSentDelayed: "kept, without effect",
  dsnSentExpanded: "no further report",
  dsnSentRelayed: "no further report",
  dsnSentDelivered: "no further report",
  remoteMtaNoDsn: "kept, without effect",
  errorContextStore: "where the error arose; kept, without effect",
  errorContextCat: "where the error arose; kept, without effect",
  errorContextMta: "where the error arose; kept, without effect",
  notifySuccess: "NOTIFY=SUCCESS",
  notifyFailure: "NOTIFY=FAILURE",
  notifyDelay: "NOTIFY=DELAY",
  notifyNever: "NOTIFY=NEVER; the other three go when it is set",
  volatileMask: "scratch bits, gone after a restart",
};

/** Whose members are served by what (REFERENCE 4.6). */
const MEMBERS: readonly (readonly [original: string, ours: string])[] = [
  [
    "`GetProperty`, `GetStringA/W`, `GetDWORD`, `GetBool`, `PutProperty` … of a message",
    "`msg.properties.get`, `find`, `has`, `put`, `delete`",
  ],
  ["the same of a recipient", "`msg.recipients.propertiesOf(…)`, with the same members"],
  ["`Commit`", "not needed: what a sink has written counts when it has answered without a fault"],
  [
    "`GetContentSize`, `ReadContent`, `MapContent`",
    "`msg.content.size`, `read(offset, length)`, `toBuffer()`, `chunks()`",
  ],
  ["`WriteContent`, `SetContentSize`", "`msg.edit(splices)`, `msg.headers`, or another `msg.content`"],
  ["`CopyContentToStream`, `CopyContentToFile`", "`msg.content.stream()`, which `pipeline` takes to a file"],
  ["`ForkForRecipients`, `RebindAfterFork`", "`msg.forkForRecipients(id, wants)`; the fork is bound already"],
  ["`AllocPropIDRange`", "`allocPropertyIds(owner, count)` of the sink's second argument"],
  ["`Count`, `Item`", "`msg.recipients.count`, `items`"],
  [
    "`DomainCount`, `DomainItem`, `SetNextDomain`",
    "`msg.recipients.domainCount`, `domain(index)`, `domains`",
  ],
  [
    "`AllocNewList`, `AddPrimary`, `AddSecondary`, `WriteList`",
    "`msg.recipients.newList()`, `addPrimary`, `addSecondary`, `writeList`",
  ],
  ["`InitializeRecipientFilterContext`", "`msg.recipients.matching(flags, mask)`"],
  ["`IMailMsgQueueMgmt.Delete`", "`msg.status = messageStatus.abortDelivery`"],
];

const ACCESS: Readonly<Record<KnownProperty["access"], string>> = {
  read: "read",
  write: "read, write",
  obsolete: "obsolete",
};

const hex = (value: number, digits: number): string =>
  `0x${value.toString(16).toUpperCase().padStart(digits, "0")}`;

const rowsOf = (
  names: readonly string[],
  find: (name: string) => KnownProperty | undefined,
): (readonly string[])[] =>
  names.flatMap((name) => {
    const property = find(name);
    if (property === undefined) return [];
    const { id, type, access, source, meaning } = property;
    const isObsolete = access === "obsolete";
    return [
      [
        `\`${hex(id, 4)}\``,
        `\`${name}\``,
        isObsolete ? "–" : type,
        ACCESS[access],
        isObsolete ? "–" : source,
        isObsolete ? "not found" : meaning,
      ],
    ];
  });

const HEAD = ["Id", "`IMMPID.`", "Type", "Access", "Value from", "Meaning"];

export function mailMsgPage({ page, table }: PageParts): string {
  return page(
    "MailMsg: properties, flags and statuses",
    "What native sinks read and write of a message beside the members that [sinks.md](sinks.md#what-it-sees) names: the properties of the original by number or by name. `kept` properties are what a sink wrote: they stay with the message over restarts, until it is finished, and are there for later sinks, routers and local delivery. The categorizer writes `MP_HR_CAT_STATUS`, `RP_DSN_PRE_CAT_ADDRESS` and `RP_DISPLAY_NAME` where no sink did. All others follow from the message as it is at that moment.",
    `[\`docs/sinks/authenticated-senders.ts\`](sinks/authenticated-senders.ts), under test on the running service:`,
    `\`\`\`ts\n${readFileSync("docs/sinks/authenticated-senders.ts", "utf8").trimEnd()}\n\`\`\``,
    "`get` of a property that is not there throws `MAILMSG_E_PROPNOTFOUND`, and so do obsolete ones; `find` answers undefined, `has` false. `put` throws `MAILMSG_PROPERTY_INVALID` on a value of another type and on what cannot be written. A `filetime` is a Date, a `dword` or HRESULT a whole number, a `guid` a text in braces. The changes of a sink that fails are taken back.",
    "## Members of the original",
    table(
      ["Original", "Here"],
      MEMBERS.map(([original, ours]) => [original, ours]),
    ),
    "## Of a message: `msg.properties`",
    table(
      HEAD,
      rowsOf(Object.keys(MESSAGE_PROPERTIES), (name) => messagePropertyTable.find(name)),
    ),
    "Of the envelope fields that scripts see, `arrivaltime` is `MP_ARRIVAL_TIME`, `clientipaddress` `MP_CONNECTION_IP_ADDRESS`, `messagestatus` `MP_MESSAGE_STATUS`, `pickupfilename` `MP_PICKUP_FILE_NAME`, `senderemailaddress` `MP_SENDER_ADDRESS_SMTP`, and `recipientlist` the recipients' `RP_ADDRESS_SMTP`. Routers and local delivery find what is kept in `msg.properties` as well, private numbers as texts (`\"0x8000\"`). The ids of the original's handles and open counts (0x3000 and up) have nothing behind them here.",
    "## Of a recipient: `msg.recipients.propertiesOf(address or position)`",
    table(
      HEAD,
      rowsOf(Object.keys(RECIPIENT_PROPERTIES), (name) => recipientPropertyTable.find(name)),
    ),
    "## Private properties",
    "`put` and `get` take any name, and numbers from 0x8000 on, for texts, numbers and booleans. A name is shared by all who use it. `allocPropertyIds(owner, count)` of the sink's second argument gives numbers that nobody else gets: `owner` is a GUID or a name, and has the same numbers at every start (`property-ids.json` in the mailroot), because messages are saved with them. [`mailMsg.maxProperties`](settings.md), [`mailMsg.maxPropertyBytes`](settings.md) and [`mailMsg.maxPropertyIds`](settings.md) bound what is kept; beyond them `put` throws `MAILMSG_PROPERTY_LIMIT`.",
    "## Flags of a recipient: `recipientFlags`",
    "In `RP_RECIPIENT_FLAGS`. The values combine bits: test with `hasFlags(flags, recipientFlags.failed)`, or ask `msg.recipients.matching(flags)`. When the sinks of all mail events are through, marked recipients end as follows, and the others go on; the categorizer passes them by.",
    table(
      ["Flag", "Value", "Effect"],
      Object.entries(FLAGS).map(([name, effect]) => {
        const value = new Map(Object.entries(recipientFlags)).get(name) ?? 0;
        return [`\`${name}\``, `\`${hex(value, 8)}\``, effect];
      }),
    ),
    "## New lists of recipients",
    "`msg.recipients.add` and `remove` change the list at once. `newList()` answers an empty one (AllocNewList) that takes effect as a whole with `writeList(list)`: what was not added again is no recipient any more, and is not reported.",
    table(
      ["Member of a new list", "What it does"],
      [
        [
          "`addPrimary(address, from?, options?)`",
          '`"added"`, or `"replaced"` when the address was there (S_FALSE); `from`, one of `msg.recipients.items`, hands on its properties',
        ],
        [
          "`addSecondary(address, from?, options?)`",
          "false when the address was there (MAILMSG_E_DUPLICATE): nothing is added",
        ],
        [
          "`options.noNameCollisions`, `RPV_NO_NAME_COLLISIONS`",
          "the entry is no duplicate of another, nor another of it",
        ],
        ["`propertiesOf(…)` with `RPV_DONT_DELIVER`", "`writeList` leaves the entry out"],
      ],
    ),
    "`domains`, `domainCount` and `domain(index)` walk through the recipients by the domain whose route they take.",
    "## Statuses: `msg.status`, `messageStatus`",
    table(
      ["Name", "Value", "Meaning"],
      Object.entries(STATUSES).map(([name, meaning]) => {
        const value = new Map<string, number>(Object.entries(messageStatus)).get(name);
        return [`\`${name}\``, String(value), meaning];
      }),
    ),
    "Looked at after each sink. Scripts may set 0 to 3. A fork has a status of its own: 2 and 3 end the fork, and the rest of the message goes on; with 1 and 6 the whole message waits, and is forked anew when it meets the sink again; 4 and 5 count for the fork.",
  );
}
