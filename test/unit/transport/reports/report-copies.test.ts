// Who hears of mail that failed beside its sender: SendNdrTo, SendBadTo and the masquerade domain (REFERENCE 6.1, 6.2, 6.5).
import { describe, expect, test } from "vitest";
import { createMasquerade } from "../../../../src/transport/masquerade.ts";
import type { ReportSettings } from "../../../../src/transport/reports/reports.ts";
import { accepted, HOUR, type House, nativeSink, openHouse, unreachable, until } from "../transport-house.ts";

/** The next hop of far.example refuses for good, all others take everything. */
async function houseWith(reports: Partial<ReportSettings>): Promise<House> {
  const house = await openHouse();
  const live = house.live();
  house.transport.reconfigure({ ...live, reports: { ...live.reports, ...reports } });
  house.world.answers.set("far.example", (message) => accepted(message, 550, "no"));
  return house;
}

test("reports name the host of the settings as they are now", async () => {
  await using house = await houseWith({ reportingMta: "renamed.example" });
  await house.accept(["a@far.example"]);
  await house.empty();
  expect(house.world.to("client.example")[0]?.text).toContain("Reporting-MTA: dns; renamed.example");
});

test("Q06 a report returns a message whole that lies in a file and that a sink has edited in its middle", async () => {
  const lines = (name: string): string => `a line of the ${name}\r\n`.repeat(50);
  const original = `Subject: large\r\n\r\n${lines("start")}middle\r\n${lines("end")}`;
  let fails = true;
  const editing = nativeSink((msg) => {
    if (msg.sender === "") return;
    // Held once, so that it comes from the disk the next time.
    if (fails) throw new Error("not yet");
    const start = original.indexOf("middle");
    msg.edit([{ start, end: start + "middle".length, bytes: Buffer.from("MIDDLE") }]);
  });
  await using house = await openHouse({ sinks: [editing], inlineBytes: 100, residentBytes: 0 });
  house.world.answers.set("far.example", (message) => accepted(message, 550, "no"));
  const id = await house.accept(["a@far.example"], { text: original });
  await until(() => house.queue[0]?.state === "held");
  fails = false;
  house.transport.admin.release([id]);
  await house.empty();
  expect(house.world.to("client.example")[0]?.text).toContain(original.replace("middle", "MIDDLE"));
});

describe("a copy of each report of failure", () => {
  const postmaster = { sendNdrTo: "postmaster@admin.example" };

  test("goes to the address of the settings, as the same message", async () => {
    await using house = await houseWith(postmaster);
    await house.accept(["a@far.example"]);
    await house.empty();
    const [own] = house.world.to("client.example");
    const [copy] = house.world.to("admin.example");
    expect(own?.to).toEqual(["sender@client.example"]);
    expect(copy).toMatchObject({
      sender: "",
      to: ["postmaster@admin.example"],
      text: own?.text,
      id: own?.id,
    });
    expect(copy?.text).toContain("Final-Recipient: rfc822;a@far.example");
  });

  test("is none of a delay, of a success, or of what nobody is told of", async () => {
    await using house = await houseWith(postmaster);
    house.world.answers.set("slow.example", () => unreachable());
    await house.accept([
      { address: "a@far.example", notify: ["NEVER"] },
      { address: "b@near.example", notify: ["SUCCESS"] },
      "c@slow.example",
    ]);
    await until(() => house.world.to("client.example").length === 1);
    await until(() => house.queue.some(({ state }) => state === "retry"));
    await house.clock.advance(13 * HOUR);
    await until(() => house.world.to("client.example").length === 2);
    expect(house.world.to("admin.example")).toEqual([]);
  });

  test("is not sent to the sender twice", async () => {
    await using house = await houseWith(postmaster);
    await house.accept(["a@far.example"], { sender: "Postmaster@ADMIN.example" });
    await house.empty();
    expect(house.world.to("admin.example").map(({ to }) => to)).toEqual([["Postmaster@ADMIN.example"]]);
  });
});

describe("somebody who is told of Badmail", () => {
  const told = { sendBadTo: "bad@admin.example" };

  test("gets each message with the reason, in one that can be opened", async () => {
    await using house = await houseWith(told);
    const id = await house.accept(["a@far.example"], {
      sender: "",
      text: "Subject: lost\r\nX-Evil: --=_badmail\r\n\r\n.the body\r\n",
    });
    await house.empty();
    expect(await house.files("Badmail")).toContain(`${id}.BAD`);
    const [notice] = house.world.to("admin.example");
    expect(notice).toMatchObject({ sender: "", to: ["bad@admin.example"] });
    expect(notice?.text).toContain(`X-OnArrival-Badmail: ${id}\r\n`);
    expect(notice?.text).toContain("Code: UNDELIVERABLE_REPORT\r\nReason: a@far.example: 550");
    expect(notice?.text).toContain(
      "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: lost\r\nX-Evil: --=_badmail\r\n\r\n.the body\r\n",
    );
  });

  test("N08 is not told of the notice that could not reach him", async () => {
    await using house = await houseWith({ sendBadTo: "bad@far.example" });
    await house.accept(["a@far.example"], { sender: "" });
    await house.empty();
    expect((await house.files("Badmail")).filter((name) => name.endsWith(".BAD"))).toHaveLength(2);
    expect(house.world.attempts).toEqual(["far.example", "far.example"]);
  });

  test("hears what the names of a stranger say on one line, and of a hundred recipients", async () => {
    await using house = await houseWith(told);
    const to = Array.from({ length: 150 }, (_, index) => `r${index}@far.example`);
    await house.accept(to, { sender: "" });
    await house.empty();
    const [notice] = house.world.to("admin.example");
    expect(notice?.text.match(/^Recipient: /gm)).toHaveLength(100);
    expect(Buffer.from(notice?.text ?? "", "latin1").toString()).toContain("… and 50 more recipients");
  });
});

test("reports on mail under the masquerade go to the domain that shows", async () => {
  const masquerade = createMasquerade({ domain: "shown.example", localDomains: ["local.example"] });
  await using house = await houseWith({ masquerade });
  await house.accept(["a@far.example"], { sender: "alice@local.example" });
  await house.accept(["b@far.example"], {
    sender: "alice@local.example",
    text: "Received: by other;\r\nReceived: by us;\r\n\r\n",
  });
  await house.empty();
  expect(house.world.to("shown.example").map(({ to }) => to)).toEqual([["alice@shown.example"]]);
  expect(await house.files("Drop")).toHaveLength(1);
});
