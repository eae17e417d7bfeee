// What persists and when: EnvelopeFields.Update, DataSource.Save, nothing else; all or nothing per script.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALTERNATIVE, MESSAGE, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const HEADER = `msg.Fields("urn:schemas:mailheader:x-a").Value = "1";`;

describe("content", () => {
  test("a header without Fields.Update is dropped and named in a warning", async () => {
    const { outcome } = await worker.run(script(`${HEADER} msg.DataSource.Save();`));
    expect(outcome.splices).toBeUndefined();
    expect(outcome.logs).toEqual([
      { level: "warn", text: expect.stringMatching(/Fields x-a \(no Fields\.Update\)/) },
    ]);
  });

  test("a request that is not awaited is named in a warning", async () => {
    const kv = { call: { allow: { kv: true } } };
    const dropped = await worker.run(`function onArrival() { kv.set("a", "b"); }`, kv);
    expect(dropped.outcome.logs).toEqual([
      { level: "warn", text: "not awaited: kv; what was not performed by then is dropped" },
    ]);
  });

  test("Fields.Update without Save is dropped and named in a warning", async () => {
    const { outcome } = await worker.run(script(`${HEADER} msg.Fields.Update(); msg.TextBody = "x"`));
    expect(outcome.splices).toBeUndefined();
    expect(outcome.logs[0]?.text).toMatch(/x-a, TextBody \(no DataSource\.Save\)/);
  });

  test("Update and Save commit, and only the header changes", async () => {
    const { message, outcome } = await worker.run(
      script(`${HEADER} msg.Fields.Update(); msg.DataSource.Save();`),
    );
    expect(message).toBe(MESSAGE.replace("\r\n\r\n", "\r\nx-a: 1\r\n\r\n"));
    expect(outcome.logs).toEqual([]);
    expect(outcome.splices).toHaveLength(1);
  });

  test("CancelUpdate drops what waits", async () => {
    const { outcome } = await worker.run(
      script(`${HEADER} msg.Fields.CancelUpdate(); msg.Fields.Update(); msg.DataSource.Save();`),
    );
    expect(outcome.splices).toBeUndefined();
    expect(outcome.logs).toEqual([]);
  });

  test("a Save without a change commits nothing", async () => {
    expect((await worker.run(script(`msg.Subject; msg.DataSource.Save()`))).outcome.splices).toBeUndefined();
  });

  test("a later script sees what an earlier one saved, and not what it left unsaved", async () => {
    const first = script(
      `msg.Subject = "saved"; msg.DataSource.Save(); msg.Subject = "unsaved"; msg.TextBody = "unsaved"`,
    );
    const second = script(
      `console.log(msg.Subject, msg.TextBody.includes("Hello")); msg.Organization = "second"; msg.DataSource.Save()`,
    );
    const { outcomes, message } = await worker.run([first, second]);
    expect(outcomes[1]?.logs[0]?.text).toBe("saved true");
    expect(message).toContain("Subject: saved\r\n");
    expect(message).toContain("Organization: second\r\n");
    expect(message.endsWith("Hello,\r\nworld.\r\n")).toBe(true);
  });

  test("IsDirty follows changes and saves", async () => {
    const { outcome } = await worker.run(
      script(
        `const d = msg.DataSource; const a = [d.IsDirty]; msg.Subject = "x"; a.push(d.IsDirty); d.Save(); a.push(d.IsDirty); console.log(a.join())`,
      ),
    );
    expect(outcome.logs[0]?.text).toBe("false,true,false");
  });
});

describe("envelope", () => {
  const RECIPIENTS = `const r = msg.EnvelopeFields(cdoRecipientList);`;

  test("recipientlist replaces the recipients and leaves the To header", async () => {
    const { outcome, message } = await worker.run(
      script(`${RECIPIENTS} r.Value = r.Value + "SMTP:new@example.org;"; msg.EnvelopeFields.Update()`),
    );
    expect(outcome.recipients).toEqual(["bob@example.net", "carol@example.net", "new@example.org"]);
    expect(message).toBe(MESSAGE);
  });

  test("it is tolerant on write: prefix, case, last semicolon and empty items do not matter", async () => {
    const list = `;;a@x.example; smtp:b@y.example;SMTP:<c@z.example>;A@x.example;SMTP:\\"q;r\\"@x.example`;
    const { outcome } = await worker.run(
      script(`${RECIPIENTS} r.Value = "${list}"; msg.EnvelopeFields.Update()`),
    );
    expect(outcome.recipients).toEqual(["a@x.example", "b@y.example", "c@z.example", '"q;r"@x.example']);
  });

  test("an item that is no address is refused", async () => {
    const { outcome } = await worker.run(
      script(
        `${RECIPIENTS} r.Value = "SMTP:a@x.example>\\r\\nRCPT TO:<b@y.example;"; msg.EnvelopeFields.Update()`,
      ),
    );
    expect(outcome.fault).toMatchObject({
      kind: "throw",
      message: expect.stringContaining("CDO_E_BAD_DATA"),
    });
    expect(outcome.recipients).toBeUndefined();
  });

  test("messagestatus without Update has no effect and is named in a warning", async () => {
    const { outcome } = await worker.run(
      script(`msg.EnvelopeFields(cdoMessageStatus).Value = 2; msg.DataSource.Save()`),
    );
    expect(outcome.status).toBeUndefined();
    expect(outcome.logs[0]?.text).toMatch(/EnvelopeFields messagestatus \(no EnvelopeFields\.Update\)/);
  });

  test("messagestatus with Update is committed", async () => {
    expect(
      (
        await worker.run(
          script(`msg.EnvelopeFields(cdoMessageStatus).Value = cdoStatBadMail; msg.EnvelopeFields.Update()`),
        )
      ).outcome.status,
    ).toBe(3);
  });

  test("the null sender reads as <> and can be set", async () => {
    const body = `const s = msg.EnvelopeFields(cdoSenderEmailAddress); console.log(s.Value); s.Value = "<>"; msg.EnvelopeFields.Update()`;
    const { outcome } = await worker.run(script(body), { envelope: { sender: "" } });
    expect(outcome.logs[0]?.text).toBe("<>");
    expect(outcome.sender).toBe("");
  });

  test("arrivaltime, clientipaddress and pickupfilename can only be read", async () => {
    const { outcome } = await worker.run(
      script(`for (const n of [cdoArrivalTime, cdoClientIPAddress, cdoPickupFileName]) try { msg.EnvelopeFields(n).Value = "x" } catch (e) { console.log(e.name) }
      console.log(msg.EnvelopeFields.Count, msg.EnvelopeFields(cdoArrivalTime).Value.toISOString())`),
    );
    expect(outcome.logs.map((line) => line.text)).toEqual([
      ...Array.from({ length: 3 }, () => "CDO_E_PROP_READONLY"),
      "6 2026-11-21T10:00:05.000Z",
    ]);
  });
});

const save = (value: string): string => script(`msg.Subject = "${value}"; msg.DataSource.Save();`);

const count = async (first: string): Promise<number> =>
  (await worker.run([script(first), save("next")])).outcomes.length;

describe("runs", () => {
  test("a faulting script leaves nothing behind, not even what it saved", async () => {
    const bad = script(
      `msg.Subject = "bad"; msg.TextBody = "bad"; msg.DataSource.Save(); msg.EnvelopeFields(cdoMessageStatus).Value = 2; msg.EnvelopeFields.Update(); throw new Error("late")`,
    );
    const look = script(`console.log(msg.Subject, msg.EnvelopeFields(cdoMessageStatus).Value)`);
    const { outcomes, message } = await worker.run([save("good"), bad, look], {
      call: { continueOnFault: true },
    });
    expect(outcomes[1]).toMatchObject({ fault: { kind: "throw", message: "Error: late" } });
    expect(outcomes[1]?.splices).toBeUndefined();
    expect(outcomes[1]?.status).toBeUndefined();
    expect(outcomes[2]?.logs[0]?.text).toBe("good 0");
    expect(message).toContain("Subject: good\r\n");
  });

  test("edits after a rollback are still against the content of the job", async () => {
    const bad = script(`msg.TextBody = "bad"; msg.DataSource.Save(); throw 1`);
    const last = script(
      `msg.TextBody = msg.TextBody + "more"; msg.Organization = "o"; msg.DataSource.Save()`,
    );
    const { message } = await worker.run([save("good"), bad, last], {
      call: { continueOnFault: true },
      message: ALTERNATIVE,
    });
    const expected = ALTERNATIVE.replace("Subject: both", "Subject: good").replace(
      "plain text",
      "plain textmore",
    );
    expect(message.replace("Organization: o\r\n", "")).toBe(expected);
  });

  test("the run ends at a fault, at verdict 1, at a status, and at a change of recipients", async () => {
    expect(await count("throw 1")).toBe(1);
    expect(await count("return 1")).toBe(1);
    expect(await count("msg.EnvelopeFields(cdoMessageStatus).Value = 2; msg.EnvelopeFields.Update()")).toBe(
      1,
    );
    expect(
      await count(
        `msg.EnvelopeFields(cdoRecipientList).Value = "SMTP:x@y.example;"; msg.EnvelopeFields.Update()`,
      ),
    ).toBe(1);
    expect(await count("return 0")).toBe(2);
  });

  test("objects that a script keeps do not reach a later message", async () => {
    const keeper = script(
      `if (globalThis.kept) { try { kept.Subject = "x" } catch (e) { console.log(e.name) } } globalThis.kept = msg`,
    );
    await worker.run(keeper);
    expect((await worker.run(keeper)).outcome.logs[0]?.text).toBe("CDO_E_INACTIVE");
  });

  test("globals survive in a cacheable script only", async () => {
    const counter = "let n = 0; function onArrival() { n += 1; console.log(n) }";
    const line = async (cacheable: boolean): Promise<string | undefined> =>
      (await worker.run(counter, { call: { cacheable } })).outcome.logs[0]?.text;
    expect([
      await line(true),
      await line(true),
      await line(false),
      await line(false),
      await line(true),
    ]).toEqual(["1", "2", "1", "1", "3"]);
  });
});

describe("content on demand", () => {
  const large = `Subject: large\r\nContent-Type: text/plain\r\n\r\n${"line of text\r\n".repeat(30_000)}`;

  test("a script that reads headers only needs no body", async () => {
    const before = worker.contentRequests;
    const { outcome } = await worker.run(script(`msg.Subject = "x"; msg.DataSource.Save()`), {
      message: large,
      sentBytes: 45,
    });
    expect(worker.contentRequests).toBe(before);
    expect(outcome.readBody).toBe(false);
  });

  test("the rest of a small message is fetched in one go", async () => {
    const before = worker.contentRequests;
    const { outcome } = await worker.run(script(`console.log(msg.TextBody.length)`), {
      message: large,
      sentBytes: 45,
    });
    expect(worker.contentRequests).toBe(before + 1);
    expect(outcome.logs[0]?.text).toBe(String(30_000 * 14));
    expect(outcome.readBody).toBe(true);
  });

  test("a large message is fetched in ranges and edited by splices", async () => {
    const message = large + "more text\r\n".repeat(200_000);
    const done = await worker.run(
      script(`msg.Subject = "y"; console.log(msg.TextBody.length > 2e6); msg.DataSource.Save()`),
      { message, sentBytes: 45 },
    );
    expect(done.outcome.logs[0]?.text).toBe("true");
    expect(done.message).toBe(message.replace("Subject: large", "Subject: y"));
  });
});
