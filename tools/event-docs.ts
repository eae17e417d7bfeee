// A page for each protocol event, made of the catalog, the comments of its context and a sample that is under test.
import { readFileSync } from "node:fs";
import { EVENTS, type EventName } from "../src/events/catalog.ts";
import { expectationTables } from "./expectation-docs.ts";

export interface PageParts {
  readonly page: (title: string, ...parts: readonly string[]) => string;
  readonly table: (head: readonly string[], rows: readonly (readonly string[])[]) => string;
}

interface Described {
  /** Interface of src/events/contexts/protocol-contexts.ts. */
  readonly context: string;
  /** File of docs/sinks. */
  readonly sample: string;
  /** What the catalog does not say of when it is raised. */
  readonly when: string;
  /** What follows beside the rows of the table. */
  readonly also?: string;
}

const OUTBOUND = "OutboundCommandContext";
const HANDLER =
  "The built-in handler takes part as if bound at priority 24575: sinks with a smaller number run before it, all others behind it.";
const TOGETHER =
  "Where the next hop has PIPELINING, MAIL and RCPT leave together as long as sinks before them only look or append: the sinks of later commands are called then before earlier ones are answered. As soon as a sink wants more (a command of its own, `repeat`, another state, to end the session), runs behind one of these commands, or sees a reply to one of them, the dialogue goes command by command. DATA leaves with them only where no sink takes part in DATA or sees its reply: sinks of OnBeforeData are called when the recipients are answered.";

const PROTOCOL_EVENTS: Partial<Record<EventName, Described>> = {
  OnInboundCommand: {
    context: "InboundCommandContext",
    sample: "recipient-call-ahead",
    when: `Also for verbs that nobody knows, and as \`_EOD\` when the content of a message is complete, by DATA or BDAT, and not yet stored. ${HANDLER} A command has no effect before its sinks have answered: a 4xx or 5xx from a sink behind the handler takes it back. What is stored at \`_EOD\` stays accepted.`,
    also: "A reply that is none, or would put the session out of step, counts as a fault. What was stored before a fault stays accepted.",
  },
  OnSessionStart: {
    context: OUTBOUND,
    sample: "partner-account",
    when: `For each EHLO: once for a connection, and again behind STARTTLS, where \`session.isSecure\` is true. ${HANDLER}`,
  },
  OnMessageStart: {
    context: OUTBOUND,
    sample: "partner-account",
    when: `Once for each transaction; the message and its recipients are known. ${HANDLER} ${TOGETHER}`,
  },
  OnPerRecipient: {
    context: OUTBOUND,
    sample: "partner-account",
    when: `\`recipientIndex\` says which. ${HANDLER} ${TOGETHER}`,
  },
  OnBeforeData: { context: OUTBOUND, sample: "partner-account", when: HANDLER },
  OnSessionEnd: { context: OUTBOUND, sample: "partner-account", when: HANDLER },
  OnServerResponse: {
    context: "ServerResponseContext",
    sample: "full-mailbox",
    when: "Replies to STARTTLS, AUTH (challenges too), XFORWARD, RSET and to commands of sinks are told too; the end of data has the verb `_EOD`, the greeting `_GREETING`. A greeting that counts as a failure of either class is a refusal of that class: the next host is tried, and the mail waits or is returned as if the host had said it. Where a sink wants to see replies to MAIL, RCPT, DATA, BDAT, RSET or the end of data of a message, its commands are not pipelined; other mail is.",
  },
};

const SOURCE = "src/events/contexts/protocol-contexts.ts";

/** The pages by their paths. */
export function eventPages({ page, table }: PageParts): [string, string][] {
  const interfaces = readInterfaces(readFileSync(SOURCE, "utf8"));
  return Object.entries(PROTOCOL_EVENTS).map(([name, described]) => {
    const event = EVENTS[name as EventName];
    return [
      eventPagePath(name),
      page(
        name,
        "## When",
        `Step ${event.step} of the life of a message: ${event.raised}. Rules are verbs, or \`VERB=pattern\` on the argument. ${described.when}`,
        "## Subject",
        ...subjectTables(interfaces, described.context, table),
        "## What follows",
        ...expectationTables(name, table),
        ...(described.also === undefined ? [] : [described.also]),
        "## Example",
        `[\`docs/sinks/${described.sample}.ts\`](../sinks/${described.sample}.ts), under test on the running service:`,
        `\`\`\`ts\n${readFileSync(`docs/sinks/${described.sample}.ts`, "utf8").trimEnd()}\n\`\`\``,
      ),
    ];
  });
}

export const hasEventPage = (name: string): boolean => Object.hasOwn(PROTOCOL_EVENTS, name);

/** `onInboundCommand.md`: the original names in camel case. */
const eventPagePath = (name: string): string => `docs/events/${eventPageName(name)}`;
export const eventPageName = (name: string): string =>
  /^[A-Z]+$/.test(name) ? `${name.toLowerCase()}.md` : `${name.charAt(0).toLowerCase()}${name.slice(1)}.md`;

// ---- members of a context, as the source has them ----

interface Member {
  readonly signature: string;
  readonly comment: string;
}

interface Interface {
  readonly bases: readonly string[];
  readonly comment: string;
  readonly members: readonly Member[];
}

const DECLARATION =
  /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?export interface (\w+)(?: extends ([\w, ]+))? \{\n([\s\S]*?)\n\}/g;
// Up to the semicolon behind which the next member begins, or nothing: types in braces have semicolons too.
const MEMBER =
  /(?:\/\*\*([\s\S]*?)\*\/\s*)?^ {2}((?:readonly )?\w[\s\S]*?);(?=\s*\n {2}[^\s}]|\s*(?![\s\S]))/gm;

export function readInterfaces(source: string): Map<string, Interface> {
  const found = new Map<string, Interface>();
  for (const [, comment = "", name = "", bases = "", body = ""] of source.matchAll(DECLARATION)) {
    const members = [...body.matchAll(MEMBER)].map(([, text = "", signature = ""]) => ({
      signature: signature.replaceAll(/\s+/g, " "),
      comment: plain(text),
    }));
    found.set(name, {
      bases: bases
        .split(",")
        .map((base) => base.trim())
        .filter(Boolean),
      comment: plain(comment),
      members,
    });
  }
  return found;
}

const plain = (comment: string): string =>
  comment
    .replaceAll(/\s*\n\s*\*?\s*/g, " ")
    .replaceAll(/ \(REFERENCE [\d., and]*\)/g, "")
    .trim();

export function subjectTables(
  interfaces: Map<string, Interface>,
  name: string,
  table: PageParts["table"],
): string[] {
  const own = interfaces.get(name);
  if (own === undefined) throw new Error(`no interface ${name} in the source of its page`);
  const shared = own.bases.flatMap((base) => interfaces.get(base)?.members ?? []);
  const parts = shared.flatMap(({ signature }) => {
    const [, member = "", type = ""] = /^readonly (\w+): (\w+)$/.exec(signature) ?? [];
    const described = interfaces.get(type);
    return described === undefined
      ? []
      : [`### \`${member}\``, described.comment, memberTable(described.members, table)];
  });
  return [own.comment, memberTable(own.members, table), ...parts].filter((part) => part !== "");
}

const memberTable = (members: readonly Member[], table: PageParts["table"]): string =>
  table(
    ["Member", "Meaning"],
    members.map(({ signature, comment }) => [`\`${signature}\``, comment]),
  );
