// Every row of the table of expectations, executed: what sinks of each event read and change, and what follows their answers.
import { describe, expect, test } from "vitest";
import { EXPECTATIONS } from "../../../src/events/expectations.ts";
import type { Expectation, Row } from "../../../src/events/expectation-rows.ts";
import { Act, type Stage } from "./table/act.ts";
import { categorizeStage } from "./table/categorize-stages.ts";
import {
  linkStage,
  localDeliveryStage,
  mailStage,
  messageStage,
  noticeStage,
  reportStage,
  routeStage,
} from "./table/house-stages.ts";
import { inboundStage, outboundStage, responseStage, sizeStage } from "./table/protocol-stages.ts";
import { domainStage, eventLogStage, lookUpStage, trackingStage } from "./table/system-stages.ts";

/** In the order of the kinds in the table. */
const STAGES: Readonly<Record<keyof typeof EXPECTATIONS, readonly Stage[]>> = {
  OnInboundCommand: [inboundStage],
  StoreDriver: [
    noticeStage("written"),
    noticeStage("enumerated"),
    noticeStage("read"),
    localDeliveryStage,
    noticeStage("deleted"),
  ],
  OnTransportSubmission: [mailStage("OnTransportSubmission")],
  OnPreCategorize: [mailStage("OnPreCategorize")],
  OnCategorize: [
    categorizeStage("register"),
    messageStage("beginMessage"),
    categorizeStage("buildQuery"),
    categorizeStage("buildQueries"),
    categorizeStage("sendQuery"),
    categorizeStage("sortQueryResult"),
    categorizeStage("processItem"),
    categorizeStage("expandItem"),
    categorizeStage("completeItem"),
    messageStage("endMessage"),
  ],
  OnPostCategorize: [mailStage("OnPostCategorize")],
  OnGetMessageRouter: [routeStage, linkStage],
  OnSessionStart: [outboundStage("OnSessionStart")],
  OnMessageStart: [outboundStage("OnMessageStart")],
  OnPerRecipient: [outboundStage("OnPerRecipient")],
  OnBeforeData: [outboundStage("OnBeforeData")],
  OnSessionEnd: [outboundStage("OnSessionEnd")],
  OnServerResponse: [responseStage],
  DSN: [reportStage("due"), reportStage("made")],
  MsgTrackLog: [trackingStage],
  MaxMsgSize: [sizeStage],
  DnsResolver: [lookUpStage("mx"), lookUpStage("host")],
  EventLog: [eventLogStage],
  GetAuxDomainInfoFlags: [domainStage],
};

const FIRST_SINK = "sink 1";

async function observe(stage: Stage, row: Row, change: string): Promise<{ act: Act; seen: object }> {
  const act = new Act(row);
  const ended = stage(act, change);
  await Promise.race([act.reached, ended]);
  const waits = row.does === "promise" ? await act.keepPromise() : undefined;
  const { ending, changed, logged } = await ended;
  const counts = changed === true ? "counts" : "dropped";
  return {
    act,
    seen: {
      next: act.isNextCalled,
      ending,
      ...(row.change === undefined ? {} : { change: counts }),
      ...(row.waits === undefined ? {} : { waits }),
      ...(row.logged === undefined ? {} : { logged }),
    },
  };
}

function expected({ next, ending, change, waits, logged }: Row): object {
  return {
    next,
    ending,
    ...(change === undefined ? {} : { change }),
    ...(waits === undefined ? {} : { waits }),
    ...(logged === undefined ? {} : { logged: [FIRST_SINK] }),
  };
}

const titleOf = ({ does, onError }: Row): string => (onError === undefined ? does : `${does}, ${onError}`);

/** The first one is that of all rows. */
const otherChanges = ({ changes }: Expectation): readonly string[] => changes.slice(1);

const CASES = Object.entries(EXPECTATIONS).flatMap(([name, kinds]) =>
  kinds.map((expectation, index) => ({
    title: expectation.kind === undefined ? name : `${name}, ${expectation.kind}`,
    expectation,
    stage: STAGES[name as keyof typeof EXPECTATIONS][index],
  })),
);

describe.each(CASES)("$title", ({ expectation, stage }) => {
  const run = stage ?? (() => Promise.reject(new Error("no stage")));
  const [firstChange = ""] = expectation.changes;

  test.each(expectation.rows.map((row) => [titleOf(row), row] as const))(
    "a sink that answers %s: what follows is what the table says",
    async (_title, row) => {
      const { seen } = await observe(run, row, firstChange);
      expect(seen).toEqual(expected(row));
    },
  );

  const fault = expectation.rows.find(({ does, change }) => does === "throw" && change === "dropped");

  test.each(otherChanges(expectation))(
    "a change of %s counts, and is dropped with a sink that fails",
    async (change) => {
      const calm = expectation.rows.find(({ does }) => does === "runNext");
      for (const row of [calm, fault]) {
        if (row === undefined) continue;
        // oxlint-disable-next-line no-await-in-loop -- one after the other reads best when one fails
        expect((await observe(run, row, change)).seen).toEqual(expected(row));
      }
    },
  );

  test("a sink reads the members that the table names", async () => {
    const row = expectation.rows.find(({ does }) => does === "nothing");
    if (row === undefined) throw new Error("a table without its first row");
    const { act } = await observe(run, row, firstChange);
    const subject = act.subject ?? {};
    expect(expectation.reads.filter((member) => !(member in subject))).toEqual([]);
  });
});
