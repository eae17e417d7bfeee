// Recipients and messages that sinks before the categorizer have brought further than it would (REFERENCE 4.6.1, 4.6.4).
import { expect, test } from "vitest";
import { messageStatus } from "../../../../src/core/status.ts";
import { IMMPID } from "../../../../src/message/properties.ts";
import { recipientFlags } from "../../../../src/message/recipient-flags.ts";
import { nativeSink } from "../transport-house.ts";
import { delivered, directoryOf, openCategorizer, reports } from "./categorizer-house.ts";

const directory = directoryOf({ lists: { "staff@corp.example": { members: ["bob@far.example"] } } });

test("a list that a sink has failed is not expanded, and its sender hears the sink's words", async () => {
  const failing = nativeSink((msg) => {
    if (msg.origin.via === "dsn") return;
    const list = msg.recipients.propertiesOf("staff@corp.example");
    list.put(IMMPID.RP_RECIPIENT_FLAGS, recipientFlags.failed);
    list.put(IMMPID.RP_SMTP_STATUS_STRING, "550 5.7.1 Closed today");
  });
  await using house = await openCategorizer(directory, {}, { sinks: [failing] });
  await house.accept(["eve@far.example", "staff@corp.example"]);
  await house.empty();
  expect(delivered(house)).toEqual(["eve@far.example"]);
  expect(reports(house).map(({ text }) => text)).toEqual([expect.stringContaining("5.7.1 Closed today")]);
});

test("a message that a sink calls categorized passes the directory by", async () => {
  const categorized = nativeSink((msg) => void (msg.status = messageStatus.categorized));
  await using house = await openCategorizer(directory, {}, { sinks: [categorized] });
  await house.accept(["staff@corp.example"]);
  await house.empty();
  expect(delivered(house)).toEqual(["staff@corp.example"]);
});
