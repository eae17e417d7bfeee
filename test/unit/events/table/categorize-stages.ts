// The sub-events of OnCategorize that are about addresses, in a real categorizer with a directory: what it makes of a message. What
// then becomes of the message is shown with beginMessage and endMessage (house-stages.ts).
import type {
  CategorizeSubject,
  CategorizerItem,
} from "../../../../src/events/contexts/categorize-contexts.ts";
import type { DirectoryAnswer, DirectoryQuery } from "../../../../src/events/contexts/directory-entries.ts";
import { SystemSinks } from "../../../../src/events/system-chain.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { Content } from "../../../../src/message/content.ts";
import { Categorizer, type CategorizedVerdict } from "../../../../src/transport/categorizer/categorizer.ts";
import type { Directory } from "../../../../src/transport/categorizer/directory.ts";
import { DEFAULT_CATEGORIZER_SETTINGS } from "../../../../src/transport/categorizer/settings.ts";
import { createQueuedMessage } from "../../../../src/transport/queued-message.ts";
import type { SubmissionVerdict } from "../../../../src/transport/submission.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { directoryOf } from "../../transport/categorizer/categorizer-house.ts";
import { MINUTE, systemChain } from "../../transport/transport-house.ts";
import type { Ending } from "../../../../src/events/expectation-rows.ts";
import type { Act, Stage } from "./act.ts";

/** Of no entry: the built-in sink gives those that it finds the address of their entry. */
const ADDRESS = "a@far.example";
const CHANGED = "changed@corp.example";
const PEOPLE = directoryOf({ users: { [CHANGED]: {} } });
const ASKED: DirectoryQuery = { by: "address", value: CHANGED };
const FOUND: DirectoryAnswer = { kind: "found", entry: { key: CHANGED, kind: "user", address: CHANGED } };

const ITEM_CHANGES: Readonly<Record<string, (item: CategorizerItem) => void>> = {
  query: (item) => (item.query = ASKED),
  address: (item) => (item.address = CHANGED),
  deliver: (item) => (item.deliver = false),
  copy: (item) => (item.copy = "changed"),
  fail: (item) => item.fail("550 5.1.1 changed"),
  expandTo: (item) => item.expandTo(CHANGED),
  memberCopy: (item) => {
    item.expandTo(CHANGED);
    item.memberCopy = "changed";
  },
  properties: (item) => void item.properties.set("changed", true),
};

function makeChange(subject: CategorizeSubject, change: string): void {
  if (subject.kind === "register") subject.requestAttribute("changed");
  else if ("item" in subject) ITEM_CHANGES[change]?.(subject.item);
  else if ("items" in subject) {
    if (change === "queries") subject.queries = subject.items.map(() => ASKED);
    if (change === "answers") subject.answers = subject.items.map(() => FOUND);
    if (change === "items") for (const item of subject.items) item.answer = FOUND;
  }
}

/** The sender is an address like the others: what is done to it would hide what is done to the recipient. */
const isMeant = (subject: CategorizeSubject, kind: CategorizeSubject["kind"]): boolean =>
  subject.kind === kind && !("item" in subject && subject.item.type === "sender");

export const categorizeStage =
  (kind: CategorizeSubject["kind"]): Stage =>
  async (act, change) => {
    const attributes = new Set<string>();
    let isKept = false;
    const last = (item: CategorizerItem): void => void (isKept ||= item.properties.has("changed"));
    const directory: Directory = {
      resolve(queries, wanted) {
        for (const name of wanted) attributes.add(name);
        return PEOPLE.resolve(queries, wanted);
      },
      close: () => PEOPLE.close(),
    };
    const clock = new ManualClock();
    const run = createCategorizer(act, kind, change, directory, clock, last).run(...MESSAGE);
    if (act.row.does === "late") {
      await act.reached;
      await clock.advance(MINUTE + 1);
    }
    const verdict = await run;
    const changed =
      verdict.kind === "categorized" && (isChanged(verdict, change) || attributes.size > 0 || isKept);
    return { ending: ENDINGS[verdict.kind], changed };
  };

function createCategorizer(
  act: Act,
  kind: CategorizeSubject["kind"],
  change: string,
  directory: Directory,
  clock: ManualClock,
  last: (item: CategorizerItem) => void,
): Categorizer {
  const chain = systemChain(
    "OnCategorize",
    [
      (subject) =>
        isMeant(subject, kind) ? act.perform(subject, () => makeChange(subject, change)) : undefined,
      (subject) => (isMeant(subject, kind) ? act.next() : undefined),
      (subject) => (subject.kind === "completeItem" ? last(subject.item) : undefined),
    ],
    act.onError,
    100,
  );
  return new Categorizer({
    events: {
      sinks: new SystemSinks({ clock, log: silentLogger, sinkDeadlineMs: MINUTE }),
      chain: () => chain,
    },
    live: { settings: DEFAULT_CATEGORIZER_SETTINGS, directory },
    nextId: () => "COPY00000000000001",
    log: silentLogger,
  });
}

const CONTENT = Content.fromBuffer(Buffer.from("Subject: hello\r\n\r\nbody\r\n"));
const MESSAGE = [
  createQueuedMessage(
    "MESSAGE",
    { via: "smtp", arrivalTime: 0, server: "default" },
    { sender: "sender@client.example", recipients: [{ address: ADDRESS }] },
    CONTENT,
  ),
  CONTENT,
] as const;

const ENDINGS: Readonly<Record<(SubmissionVerdict | CategorizedVerdict)["kind"], Ending>> = {
  categorized: "goes on",
  submitted: "goes on",
  hold: "held",
  retry: "retried",
  badmail: "badmail",
  discarded: "deleted",
  abandoned: "left alone",
};

const isChanged = ({ tree }: CategorizedVerdict, change: string): boolean =>
  change === "memberCopy"
    ? tree.recipients.has("changed")
    : JSON.stringify(
        [...tree.recipients].map(([copy, list]) => [copy, list.map(({ address }) => address)]),
      ) !== JSON.stringify([["", [ADDRESS]]]);
