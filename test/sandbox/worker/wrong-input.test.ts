// Each wrong argument raises its documented error (number, name, what to do) and leaves the message as it was.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CDO_ERRORS, type CdoErrorName } from "../../../runtime/cdo/errors.ts";
import { ALTERNATIVE, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

/** Runs the code, logs the error it raises, and saves what is left. */
const attempt = (code: string): string => `
  const before = msg.GetStream().ReadText();
  const H = (n) => "urn:schemas:mailheader:" + n;
  try { ${code}; console.log("no error") } catch (e) { console.log(e.name, e.number, e.description.length > 10, e.message) }
  console.log(msg.GetStream().ReadText() === before);
  msg.DataSource.Save()`;

async function refused(code: string, error: CdoErrorName, message: string = ALTERNATIVE): Promise<void> {
  const { outcome, bytes } = await worker.run(script(attempt(code)), { message });
  const [told, same] = outcome.logs.map((line) => line.text);
  expect(told).toMatch(new RegExp(`^${error} ${String(CDO_ERRORS[error][0] | 0)} true `));
  expect(same).toBe("true");
  expect(outcome.fault).toBeUndefined();
  expect(bytes.toString("latin1")).toBe(Buffer.from(message).toString("latin1"));
}

describe("T04 a date that no header can hold", () => {
  test.each(["new Date(NaN)", "new Date(-8.64e15)", "new Date(8.64e15)"])("is refused: %s", (date) =>
    refused(`msg.Fields.Item(H("date")).Value = ${date}; msg.Fields.Update()`, "CDO_E_BAD_DATA"),
  );
});

describe("an index", () => {
  test.each<[string, CdoErrorName]>([
    ["msg.Attachments(0)", "CDO_E_NOT_FOUND"],
    ["msg.Attachments(3)", "CDO_E_NOT_FOUND"],
    ["msg.Attachments(1.5)", "CDO_E_NOT_FOUND"],
    ["msg.Attachments()", "CDO_E_NOT_FOUND"],
    ["msg.Attachments(null)", "CDO_E_NOT_FOUND"],
    ["msg.Attachments.Item('first')", "CDO_E_NOT_FOUND"],
    ["msg.Attachments.Item(-1)", "CDO_E_NOT_FOUND"],
    ["msg.BodyPart.BodyParts(4)", "CDO_E_NOT_FOUND"],
    ["msg.Attachments.Delete(3)", "CDO_E_NOT_FOUND"],
    ["msg.Attachments.Delete()", "CDO_E_NOT_FOUND"],
    ["msg.Attachments.Delete(msg.TextBodyPart)", "CDO_E_NOT_FOUND"],
    ["msg.Attachments.Delete({})", "CDO_E_NOT_FOUND"],
    ["msg.Attachments.Add(0)", "CDO_E_ARGUMENT1"],
    ["msg.Attachments.Add(-2)", "CDO_E_ARGUMENT1"],
    ["msg.Attachments.Add(4)", "CDO_E_ARGUMENT1"],
    ["msg.Attachments.Add('x')", "CDO_E_ARGUMENT1"],
    ["msg.BodyPart.AddBodyPart(0)", "CDO_E_ARGUMENT1"],
    ["msg.BodyPart.AddBodyPart(-2)", "CDO_E_ARGUMENT1"],
    ["msg.BodyPart.AddBodyPart(5)", "CDO_E_ARGUMENT1"],
    ["msg.BodyPart.AddBodyPart(1.5)", "CDO_E_ARGUMENT1"],
    ["msg.BodyPart.AddBodyPart({})", "CDO_E_ARGUMENT1"],
    ["msg.Fields(99)", "CDO_E_NOT_FOUND"],
    ["msg.BodyPart.Parent", "CDO_E_NOT_FOUND"],
  ])("%s raises %s", (code, error) => refused(code, error));
});

describe("a name", () => {
  test.each<[string, CdoErrorName]>([
    ["msg.Fields('subject')", "CDO_E_INVALID_PROPERTYNAME"],
    ["msg.Fields('urn:schemas:httpmail:nothing')", "CDO_E_INVALID_PROPERTYNAME"],
    ["msg.Fields({ toString() { return 'x:y' } })", "CDO_E_INVALID_PROPERTYNAME"],
    ["msg.Fields.Append('x-test', 8)", "CDO_E_INVALID_PROPERTYNAME"],
    ["msg.Fields.Delete('x-test')", "CDO_E_INVALID_PROPERTYNAME"],
    ["msg.EnvelopeFields('recipientlist')", "CDO_E_INVALID_PROPERTYNAME"],
    ["msg.Fields(H('bad name')).Value = 1; msg.Fields.Update()", "CDO_E_BAD_DATA"],
    ["msg.Fields(H('bad:name')).Value = 1; msg.Fields.Update()", "CDO_E_BAD_DATA"],
    ["msg.Fields(H('bäd')).Value = 1; msg.Fields.Update()", "CDO_E_BAD_DATA"],
    ["msg.BodyPart.GetFieldParameter('urn:schemas:httpmail:subject', 'x')", "CDO_E_PROP_NONHEADER"],
    ["msg.BodyPart.GetFieldParameter(H('content-type'), 'x')", "CDO_E_PROP_NOT_FOUND"],
    ["msg.BodyPart.GetFieldParameter(H('x-none'), 'x')", "CDO_E_PROP_NOT_FOUND"],
    ["msg.GetInterface('IUnknown')", "E_NOINTERFACE"],
    ["msg.BodyPart.GetInterface(7)", "E_NOINTERFACE"],
    ["msg.Subjekt = 1", "CDO_E_PROP_UNSUPPORTED"],
    ["msg.BodyPart.ContentClassName", "CDO_E_PROP_UNSUPPORTED"],
    ["msg.BodyPart.ContentClassName = 'x'", "CDO_E_PROP_UNSUPPORTED"],
  ])("%s raises %s", (code, error) => refused(code, error));
});

describe("a value", () => {
  test.each<[string, CdoErrorName]>([
    ["msg.Fields(H('x-a')).Value = 'a\\r\\nBcc: x@y.example'; msg.Fields.Update()", "CDO_E_BAD_DATA"],
    [
      "msg.Fields(H('x-a')).Value = 'good'; msg.Fields(H('x-b')).Value = 'a\\0b'; msg.Fields.Update()",
      "CDO_E_BAD_DATA",
    ],
    [
      "msg.Subject = 's'; msg.Subject = 'both'; msg.Fields(cdoImportance).Value = 3; msg.Fields.Update()",
      "CDO_E_BAD_DATA",
    ],
    [
      "msg.Fields(H('x-a')).Value = 1; msg.Fields(cdoPriority).Value = 'soon'; msg.Fields.Update()",
      "CDO_E_BAD_DATA",
    ],
    ["msg.Fields(cdoDate).Value = 'yesterday'; msg.Fields.Update()", "CDO_E_BAD_DATA"],
    ["msg.Fields(cdoSensitivity).Value = 9; msg.Fields.Update()", "CDO_E_BAD_DATA"],
    ["msg.Fields(H('content-type')).Value = ''; msg.Fields.Update()", "CDO_E_PROP_CANNOT_DELETE"],
    ["msg.Fields.Delete(H('content-type')); msg.Fields.Update()", "CDO_E_PROP_CANNOT_DELETE"],
    [
      "msg.Fields(H('x-a')).Value = 1; msg.Fields(cdoContentMediaType).Value = 'no type'; msg.Fields.Update()",
      "CDO_E_BAD_DATA",
    ],
    [
      "msg.Fields(cdoTextDescription).Value = 'new'; msg.Fields(cdoContentDispositionType).Value = 'a b'; msg.Fields.Update()",
      "CDO_E_BAD_DATA",
    ],
    [
      "const f = msg.Attachments(1).Fields; f(H('content-id')).Value = '<x@y>'; f(cdoContentDispositionType).Value = 'in line'; f.Update()",
      "CDO_E_BAD_DATA",
    ],
    [
      "const f = msg.Attachments(1).Fields; f(cdoContentDispositionType).Value = 'inline'; f(cdoContentMediaType).Value = 'text/'; f.Update()",
      "CDO_E_BAD_DATA",
    ],
    [
      "const f = msg.Configuration.Fields; f('urn:schemas:calendar:timezoneid').Value = 82; f.Update()",
      "CDO_E_BAD_DATA",
    ],
    [
      "const f = msg.Configuration.Fields; f('urn:schemas:calendar:timezoneid').Value = 'Berlin'; f.Update()",
      "CDO_E_BAD_DATA",
    ],
    ["msg.Fields(H('x-a')).Value = { a: 1 }", "CDO_E_NO_SUPPORT_FOR_OBJECTS"],
    ["msg.Fields(H('x-a')).Value = () => 1", "CDO_E_NO_SUPPORT_FOR_OBJECTS"],
    ["msg.Fields(H('x-a')).Value = msg", "CDO_E_NO_SUPPORT_FOR_OBJECTS"],
    ["msg.EnvelopeFields(cdoRecipientList).Value = new Map()", "CDO_E_NO_SUPPORT_FOR_OBJECTS"],
    ["msg.Subject = { a: 1 }", "CDO_E_NO_SUPPORT_FOR_OBJECTS"],
    ["msg.TextBody = Promise.resolve('x')", "CDO_E_NO_SUPPORT_FOR_OBJECTS"],
    ["msg.HTMLBody = () => 'x'", "CDO_E_NO_SUPPORT_FOR_OBJECTS"],
    ["msg.TextBodyPart.Charset = {}", "CDO_E_NO_SUPPORT_FOR_OBJECTS"],
    ["msg.TextBodyPart.GetDecodedContentStream().WriteText([{}])", "CDO_E_NO_SUPPORT_FOR_OBJECTS"],
    ["msg.Fields(cdoHasAttachment).Value = true", "CDO_E_PROP_READONLY"],
    ["msg.Fields(cdoReceived).Value = 'x'", "CDO_E_PROP_READONLY"],
    ["msg.Attachments(1).FileName = 'x'", "CDO_E_PROP_READONLY"],
    ["msg.Attachments = 1", "CDO_E_PROP_READONLY"],
    ["msg.BodyPart.Fields = 1", "CDO_E_PROP_READONLY"],
    ["msg.BodyPart.BodyParts = 1", "CDO_E_PROP_READONLY"],
    ["msg.DSNOptions = 16", "CDO_E_BAD_DATA"],
    ["msg.DSNOptions = 'never'", "CDO_E_BAD_DATA"],
    ["msg.TextBodyPart.ContentMediaType = 'text'", "CDO_E_BAD_DATA"],
    ["msg.TextBodyPart.ContentMediaType = 'text/plain; x=y'", "CDO_E_BAD_DATA"],
    ["msg.EnvelopeFields(cdoMessageStatus).Value = 7; msg.EnvelopeFields.Update()", "CDO_E_BAD_DATA"],
    [
      "msg.EnvelopeFields(cdoRecipientList).Value = 'SMTP:not an address;'; msg.EnvelopeFields.Update()",
      "CDO_E_BAD_DATA",
    ],
  ])("%s raises %s", (code, error) => refused(code, error));
});

describe("a charset or an encoding", () => {
  test.each<[string, CdoErrorName]>([
    ["msg.TextBodyPart.Charset = 'klingon'", "CDO_E_INVALID_CHARSET"],
    ["msg.TextBodyPart.Charset = ''", "CDO_E_INVALID_CHARSET"],
    ["msg.TextBodyPart.Charset = 'base64'", "CDO_E_INVALID_CHARSET"],
    ["msg.TextBodyPart.Charset = 'utf-8\\r\\nX: y'", "CDO_E_INVALID_CHARSET"],
    ["msg.TextBodyPart.ContentTransferEncoding = 'rot13'", "CDO_E_INVALID_ENCODING_TYPE"],
    ["msg.TextBodyPart.ContentTransferEncoding = ''", "CDO_E_INVALID_ENCODING_TYPE"],
    ["msg.BodyPart.ContentTransferEncoding = 'mac-binhex40'", "CDO_E_INVALID_ENCODING_FOR_MULTIPART"],
    ["msg.BodyPart.ContentTransferEncoding = 'base64'", "CDO_E_INVALID_ENCODING_FOR_MULTIPART"],
    ["msg.BodyPart.ContentTransferEncoding = 'quoted-printable'", "CDO_E_INVALID_ENCODING_FOR_MULTIPART"],
  ])("%s raises %s", (code, error) => refused(code, error));
});

describe("a stream", () => {
  const S = "const s = msg.GetStream();";
  test.each<[string, CdoErrorName]>([
    ["s.Position = -1", "adErrInvalidArgument"],
    ["s.Position = 'x'", "adErrInvalidArgument"],
    ["s.LineSeparator = 5", "adErrInvalidArgument"],
    ["s.Type = 3", "adErrInvalidArgument"],
    ["s.ReadText(-3)", "adErrInvalidArgument"],
    ["s.ReadText('x')", "adErrInvalidArgument"],
    ["s.WriteText('x', 7)", "adErrInvalidArgument"],
    ["s.CopyTo({})", "adErrInvalidArgument"],
    ["s.CopyTo(s)", "adErrInvalidArgument"],
    ["s.Type = 1; s.Write('text')", "adErrInvalidArgument"],
    ["s.Type = 1; s.Read(-2)", "adErrInvalidArgument"],
    ["s.Read(1)", "adErrIllegalOperation"],
    ["s.Write(new Uint8Array(1))", "adErrIllegalOperation"],
    ["s.Type = 1; s.WriteText('x')", "adErrIllegalOperation"],
    ["s.ReadText(1); s.Charset = 'utf-8'", "adErrIllegalOperation"],
    ["s.ReadText(1); s.Type = 1", "adErrIllegalOperation"],
    ["s.Open()", "adErrObjectOpen"],
    ["s.Mode = 1", "adErrObjectOpen"],
    ["s.Close(); s.ReadText()", "adErrObjectClosed"],
    ["s.Close(); s.Flush()", "adErrObjectClosed"],
    ["s.Charset = 'klingon'", "CDO_E_INVALID_CHARSET"],
    ["s.Size = 1", "CDO_E_PROP_READONLY"],
    ["s.EOS = true", "CDO_E_PROP_READONLY"],
    ["s.State = 0", "CDO_E_PROP_READONLY"],
    ["msg.BodyPart.GetDecodedContentStream()", "CDO_E_MULTIPART_NO_DATA"],
    ["msg.BodyPart.GetEncodedContentStream()", "CDO_E_MULTIPART_NO_DATA"],
  ])("%s raises %s", (code, error) => refused(`${S} ${code}`, error));
});

describe("a data source or a configuration", () => {
  test.each<[string, CdoErrorName]>([
    ["new CDO.Message().DataSource.Save()", "CDO_E_NOT_OPENED"],
    ["msg.DataSource.OpenObject(msg, 'IUnknown')", "CDO_E_UNSUPPORTED_DATASOURCE"],
    ["msg.DataSource.OpenObject({}, '_Stream')", "CDO_E_ARGUMENT1"],
    ["msg.DataSource.OpenObject({}, 'IMessage')", "CDO_E_ARGUMENT1"],
    ["msg.DataSource.SaveToObject(null, 'IBodyPart')", "CDO_E_ARGUMENT1"],
    ["msg.DataSource.OpenObject(msg.Attachments(1), 'IMessage')", "CDO_E_ARGUMENT1"],
    ["msg.DataSource.OpenObject(msg, 'IMessage')", "CDO_E_SELF_BINDING"],
    ["msg.DataSource.SaveToObject(msg.Attachments(1), 'IBodyPart')", "CDO_E_SELF_BINDING"],
    ["msg.DataSource.Source = msg", "CDO_E_PROP_READONLY"],
    ["msg.DataSource.SourceURL", "CDO_E_NOT_AVAILABLE"],
    ["msg.Configuration = {}", "CDO_E_BAD_DATA"],
    ["msg.Configuration.Load(7)", "CDO_E_ARGUMENT1"],
    ["msg.Configuration.Load(cdoOutlookExpress)", "CDO_E_NOT_AVAILABLE"],
    ["msg.Configuration.GetInterface('IMessage')", "E_NOINTERFACE"],
    ["msg.Configuration.Fields('urn:schemas:mailheader:to')", "CDO_E_INVALID_PROPERTYNAME"],
    ["const f = msg.Configuration.Fields; f(cdoSMTPServerPort).Value = 'smtp'; f.Update()", "CDO_E_BAD_DATA"],
    [
      "const f = msg.Configuration.Fields; f(cdoSMTPServer).Value = 'h'; f(cdoSMTPServerPort).Value = 'x'; try { f.Update() } catch (e) { f.CancelUpdate(); if (f(cdoSMTPServer).Value === '') throw e }",
      "CDO_E_BAD_DATA",
    ],
  ])("%s raises %s", (code, error) => refused(code, error));
});

describe("what was deleted", () => {
  test("raises CDO_E_INACTIVE", async () => {
    const { outcome } = await worker.run(
      script(`const a = msg.Attachments(1), s = a.GetStream(); a.Fields.Count; msg.Attachments.Delete(a);
      for (const f of [() => a.FileName, () => a.Charset = "utf-8", () => a.Fields(cdoContentType).Value, () => a.GetStream(), () => s.Flush(), () => a.AddBodyPart(), () => a.BodyParts.Count, () => a.Parent])
        try { f(); console.log("no error") } catch (e) { console.log(e.name) }`),
      { message: ALTERNATIVE },
    );
    expect(outcome.logs.slice(0, 8).map((line) => line.text)).toEqual(
      Array.from({ length: 8 }, () => "CDO_E_INACTIVE"),
    );
  });
});

describe("good values beside them are taken", () => {
  test.each([
    [
      "a content transfer encoding",
      `const p = msg.TextBodyPart; p.ContentTransferEncoding = "base64"; console.log(p.ContentTransferEncoding, msg.TextBody)`,
      "base64 plain text",
    ],
    [
      "uuencode",
      `const p = msg.Attachments(2); p.ContentTransferEncoding = "uuencode"; console.log(p.GetEncodedContentStream().ReadText(-2), p.GetDecodedContentStream().ReadText())`,
      "begin 644 table.csv a,b",
    ],
    [
      "the identity encodings of a multipart",
      `msg.BodyPart.ContentTransferEncoding = "8bit"; console.log(msg.BodyPart.ContentTransferEncoding, msg.Attachments.Count)`,
      "8bit 2",
    ],
    [
      "another charset",
      `const p = msg.TextBodyPart; p.Charset = "ISO-8859-1"; msg.TextBody = "Süd"; console.log(p.Charset, p.GetFieldParameter("urn:schemas:mailheader:content-type", "charset"), msg.TextBody)`,
      "iso-8859-1 iso-8859-1 Süd",
    ],
    [
      "another type",
      `const p = msg.Attachments(2); p.ContentMediaType = "Text/Tab-Separated-Values"; console.log(p.ContentMediaType, p.FileName)`,
      "text/tab-separated-values table.csv",
    ],
    [
      "a disposition type",
      `const f = msg.Attachments(2).Fields; f(cdoContentDispositionType).Value = "inline"; f.Update(); console.log(f(cdoContentDisposition).Value)`,
      'inline; filename="table.csv"',
    ],
    [
      "a new boundary of a multipart is not taken",
      `const f = msg.Fields; f(cdoContentType).Value = "multipart/mixed; boundary=other"; f.Update(); console.log(msg.BodyPart.GetFieldParameter(cdoContentType, "boundary"), msg.Attachments.Count)`,
      "m 2",
    ],
  ])("%s", async (_what, code, line) => {
    const { outcome } = await worker.run(script(`${code}; msg.DataSource.Save()`), { message: ALTERNATIVE });
    expect(outcome.fault).toBeUndefined();
    expect(outcome.logs[0]?.text).toBe(line);
  });
});
