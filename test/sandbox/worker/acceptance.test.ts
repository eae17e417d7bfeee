// The acceptance list of the CDO reference (8.1), items 1, 2 and 7 to 10; the others need the transport (test/e2e).
import { afterAll, beforeAll, expect, test } from "vitest";
import { ALTERNATIVE, logged, MESSAGE, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const TREE = `const tree = (p) => p.ContentMediaType + (p.BodyParts.Count === 0 ? "" : "(" + [...p.BodyParts].map(tree).join(", ") + ")");`;

const TWO_BODIES = [
  "From: ann@example.com",
  "Subject: both",
  "MIME-Version: 1.0",
  'Content-Type: multipart/alternative; boundary="a"',
  "",
  "--a",
  "Content-Type: text/plain; charset=utf-8",
  "",
  "plain text",
  "--a",
  "Content-Type: text/html; charset=utf-8",
  "",
  "<p>html text</p>",
  "--a--",
  "",
].join("\r\n");

test("1. `recipientlist` edit + Update → envelope changes, To header does not", async () => {
  const { outcome, message } = await worker.run(
    script(`const r = msg.EnvelopeFields(cdoRecipientList); r.Value = r.Value.replace("SMTP:bob@example.net;", "SMTP:dave@example.org;");
    msg.EnvelopeFields.Update(); console.log(msg.To)`),
  );
  expect(outcome.recipients).toEqual(["dave@example.org", "carol@example.net"]);
  expect(outcome.logs[0]?.text).toBe("Bob <bob@example.net>, carol@example.net");
  expect(message).toBe(MESSAGE);
});

test("2. `Subject` edit without Save → not visible to the next sink; with Save → visible", async () => {
  const next = script(`console.log(msg.Subject)`);
  const without = await worker.run([script(`msg.Subject = "edited"`), next]);
  expect(without.outcomes[1]?.logs[0]?.text).toBe("Grüße");
  expect(without.message).toBe(MESSAGE);
  const saved = await worker.run([script(`msg.Subject = "edited"; msg.DataSource.Save()`), next]);
  expect(saved.outcomes[1]?.logs[0]?.text).toBe("edited");
  expect(saved.message).toContain("Subject: edited\r\n");
});

test("7. Received alternative message: set HTMLBody only → TextBody unchanged; new message: TextBody regenerated", async () => {
  const { outcome, message } = await worker.run(
    script(`msg.HTMLBody = "<p>new html</p>"; msg.DataSource.Save(); console.log(msg.AutoGenerateTextBody, msg.TextBody);
    const m = new ActiveXObject("CDO.Message"); m.HTMLBody = "<p>one</p>"; const one = m.TextBody.trim(); m.HTMLBody = "<p>two</p>"; console.log(m.AutoGenerateTextBody, one, m.TextBody.trim())`),
    { message: TWO_BODIES },
  );
  expect(outcome.logs.map((line) => line.text)).toEqual(["false plain text", "true one two"]);
  expect(message).toBe(TWO_BODIES.replace("html text", "new html"));
});

test("8. an attachment added to an alternative message by hand → mixed(alternative, attachment)", async () => {
  const { outcome, message } = await worker.run(
    script(`${TREE} const a = msg.Attachments.Add(); const f = a.Fields; f(cdoContentDisposition).Value = 'attachment; filename="x.bin"'; f.Update();
    const s = a.GetDecodedContentStream(); s.Write(new Uint8Array([0, 1, 2])); s.Flush(); console.log(tree(msg.BodyPart), msg.Attachments.Count, msg.Attachments(1).FileName); msg.DataSource.Save()`),
    { message: TWO_BODIES },
  );
  expect(outcome.logs[0]?.text).toBe(
    "multipart/mixed(multipart/alternative(text/plain, text/html), application/octet-stream) 1 x.bin",
  );
  // The alternative went down one level as it was.
  expect(message).toContain(TWO_BODIES.slice(TWO_BODIES.indexOf("--a\r\n"), TWO_BODIES.indexOf("--a--")));
  expect(
    await logged(worker, `${TREE} console.log(tree(msg.BodyPart), msg.TextBody, msg.HTMLBody)`, { message }),
  ).toEqual([
    "multipart/mixed(multipart/alternative(text/plain, text/html), application/octet-stream) plain text <p>html text</p>",
  ]);
});

test("9. `GetStream`, write, no Flush → no effect; Flush, no Save → no effect; Flush + Save → effect", async () => {
  const write = `const s = msg.GetStream(); const text = s.ReadText(); s.Position = 0; s.WriteText(text.replace("world", "moon")); s.SetEOS();`;
  const unflushed = await worker.run(
    script(`${write} console.log(msg.TextBody.includes("moon")); msg.DataSource.Save()`),
  );
  expect([unflushed.outcome.logs[0]?.text, unflushed.message]).toEqual(["false", MESSAGE]);
  const unsaved = await worker.run([
    script(`${write} s.Flush(); console.log(msg.TextBody.includes("moon"))`),
    script(`console.log(msg.TextBody.includes("moon"))`),
  ]);
  expect(unsaved.outcomes.map((outcome) => outcome.logs[0]?.text)).toEqual(["true", "false"]);
  expect(unsaved.message).toBe(MESSAGE);
  const saved = await worker.run(script(`${write} s.Flush(); msg.DataSource.Save()`));
  expect(saved.message).toBe(MESSAGE.replace("world", "moon"));
});

test("10. `Attachments.Delete 1` + Save; then attachment-only message (root is the attachment)", async () => {
  const { message, outcome } = await worker.run(
    script(
      `msg.Attachments.Delete(1); msg.DataSource.Save(); console.log(msg.Attachments.Count, msg.Attachments(1).FileName)`,
    ),
    { message: ALTERNATIVE },
  );
  expect(outcome.logs[0]?.text).toBe("1 table.csv");
  expect(message).not.toContain("run.exe");
  const only =
    'Subject: only\r\nMIME-Version: 1.0\r\nContent-Type: application/zip; name="a.zip"\r\nContent-Disposition: attachment; filename="a.zip"\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n';
  const root = await worker.run(
    script(`console.log(msg.Attachments.Count, msg.Attachments(1).FileName, msg.BodyPart.BodyParts.Count); msg.Attachments.Delete(1);
    console.log(msg.Attachments.Count, msg.BodyPart.ContentMediaType); msg.TextBody = "removed"; msg.DataSource.Save()`),
    { message: only },
  );
  expect(root.outcome.logs.map((line) => line.text)).toEqual(["1 a.zip 0", "0 text/plain"]);
  expect(root.message).toMatch(
    /^Subject: only\r\nMIME-Version: 1\.0\r\nContent-Type: text\/plain; charset=[\w-]+\r\n\r\nremoved\r\n$/,
  );
});
