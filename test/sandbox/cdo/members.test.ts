// Every member, field and constant of the original is touched in a real isolate and does what the types say of it: it
// answers, or raises the error that is documented.
import { afterAll, beforeAll, expect, test } from "vitest";
import * as constants from "../../../runtime/cdo/constants.ts";
import { CDO_ERRORS } from "../../../runtime/cdo/errors.ts";
import { type DocumentedMember, readCdoTypes } from "../../../tools/cdo-types.ts";
import errors from "../../fixtures/cdo-errors.json" with { type: "json" };
import fields from "../../fixtures/cdo-fields.json" with { type: "json" };
import members from "../../fixtures/cdo-members.json" with { type: "json" };
import { ALTERNATIVE, script, WorkerUnderTest } from "../worker/support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

/** A message that can be answered and sent, with both bodies and attachments. */
const MESSAGE = `To: bob@example.net\r\nNewsgroups: a.b\r\n${ALTERNATIVE}`;

/** How the script comes by an object of the class. */
const OBJECTS: Readonly<Record<string, string>> = {
  Message: "msg",
  BodyPart: "msg.Attachments(1)",
  BodyParts: "msg.Attachments",
  DataSource: "msg.DataSource",
  Configuration: "msg.Configuration",
  DropDirectory: 'new ActiveXObject("CDO.DropDirectory")',
  Messages: 'new ActiveXObject("CDO.DropDirectory").GetMessages()',
  Fields: "msg.Fields",
  Field: 'msg.Fields("urn:schemas:mailheader:subject")',
  Stream: "msg.GetStream()",
  EventStatus: "status",
};

/** Calls of methods on the object `o`. */
const CALLS: Readonly<Record<string, string>> = {
  "Message.AddAttachment": 'o.AddAttachment("file:///x.txt")',
  "Message.AddRelatedBodyPart": 'o.AddRelatedBodyPart("file:///x.png", "x", cdoRefTypeId)',
  "Message.CreateMHTMLBody": 'o.CreateMHTMLBody("http://example.com/")',
  "Message.Forward": "o.Forward()",
  "Message.GetInterface": 'o.GetInterface("IBodyPart")',
  "Message.GetStream": "o.GetStream()",
  "Message.Post": "o.Post()",
  "Message.PostReply": "o.PostReply()",
  "Message.Reply": "o.Reply()",
  "Message.ReplyAll": "o.ReplyAll()",
  "Message.Send": "o.Send()",
  "BodyPart.AddBodyPart": "o.AddBodyPart()",
  "BodyPart.GetDecodedContentStream": "o.GetDecodedContentStream()",
  "BodyPart.GetEncodedContentStream": "o.GetEncodedContentStream()",
  "BodyPart.GetStream": "o.GetStream()",
  "BodyPart.GetFieldParameter": 'o.GetFieldParameter("urn:schemas:mailheader:content-type", "name")',
  "BodyPart.GetInterface": 'o.GetInterface("IBodyPart")',
  "BodyPart.SaveToFile": 'o.SaveToFile("x.txt")',
  "BodyParts.Item": "o.Item(1)",
  "BodyParts.Add": "o.Add()",
  "BodyParts.Delete": "o.Delete(1)",
  "BodyParts.DeleteAll": "o.DeleteAll()",
  "DataSource.Open": 'o.Open("x")',
  "DataSource.OpenObject": 'new CDO.Message().DataSource.OpenObject(msg, "IMessage")',
  "DataSource.Save": "o.Save()",
  "DataSource.SaveTo": 'o.SaveTo("x")',
  "DataSource.SaveToContainer": 'o.SaveToContainer("x")',
  "DataSource.SaveToObject": 'new CDO.Message().DataSource.SaveToObject(msg.Attachments(1), "IBodyPart")',
  "Configuration.Load": "o.Load(cdoDefaults)",
  "Configuration.GetInterface": 'o.GetInterface("IConfiguration")',
  "DropDirectory.GetMessages": "o.GetMessages()",
  "Messages.Item": "o.Item(1)",
  "Messages.FileName": "o.FileName(1)",
  "Messages.Delete": "o.Delete(1)",
  "Messages.DeleteAll": "o.DeleteAll()",
  "Fields.Item": "o.Item(cdoSubject)",
  "Fields.Append": 'o.Append("urn:schemas:mailheader:x-a", 8, 0, 0, "b")',
  "Fields.Delete": 'o.Delete("urn:schemas:mailheader:to")',
  "Fields.Update": "o.Update()",
  "Fields.CancelUpdate": "o.CancelUpdate()",
  "Fields.Resync": "o.Resync()",
  "Field.AppendChunk": 'o.AppendChunk("x")',
  "Field.GetChunk": "o.GetChunk(1)",
  "Field.toString": "o.toString()",
  "Stream.Open": "new ActiveXObject('ADODB.Stream').Open()",
  "Stream.Close": "o.Close()",
  "Stream.Read": "msg.Attachments(1).GetDecodedContentStream().Read(2)",
  "Stream.ReadText": "o.ReadText(adReadLine)",
  "Stream.Write": "msg.Attachments(1).GetDecodedContentStream().Write(new Uint8Array(2))",
  "Stream.WriteText": 'o.WriteText("x", adWriteChar)',
  "Stream.SetEOS": "o.SetEOS()",
  "Stream.SkipLine": "o.SkipLine()",
  "Stream.CopyTo": "o.CopyTo(msg.GetStream(), 10)",
  "Stream.Flush": "o.Flush()",
  "Stream.Cancel": "o.Cancel()",
  "Stream.SaveToFile": 'o.SaveToFile("x", adSaveCreateOverWrite)',
  "Stream.LoadFromFile": 'o.LoadFromFile("x")',
};

/** What these answer here is an error: there is nothing to post to, and no file without the right to it. */
const EXPECTED_ERRORS: Readonly<Record<string, string>> = {
  "Message.Post": "CDO_E_INVALID_POST_OPTION",
  // Files are granted by capability only.
  "Message.AddAttachment": "CDO_E_UNSAFE_OPERATION",
  "Message.AddRelatedBodyPart": "CDO_E_UNSAFE_OPERATION",
  "Stream.LoadFromFile": "CDO_E_NOT_AVAILABLE",
  // Nor is there a relay behind this process: with one, save-to-file, fetched and drop-directory of this folder do it.
  "Message.CreateMHTMLBody": "CDO_E_NOT_AVAILABLE",
  "BodyPart.SaveToFile": "CDO_E_NOT_AVAILABLE",
  "Stream.SaveToFile": "CDO_E_NOT_AVAILABLE",
  "DropDirectory.GetMessages": "CDO_E_NOT_AVAILABLE",
  "Messages.Count": "CDO_E_NOT_AVAILABLE",
  "Messages.length": "CDO_E_NOT_AVAILABLE",
  "Messages.Item": "CDO_E_NOT_AVAILABLE",
  "Messages.FileName": "CDO_E_NOT_AVAILABLE",
  "Messages.Delete": "CDO_E_NOT_AVAILABLE",
  "Messages.DeleteAll": "CDO_E_NOT_AVAILABLE",
};

/** What an open stream says when its mode is set. */
const WRITE_ERRORS: Readonly<Record<string, string>> = {
  "Stream.Mode": "adErrObjectOpen",
  "Messages.Count": "CDO_E_NOT_AVAILABLE",
  "Messages.length": "CDO_E_NOT_AVAILABLE",
};

/** Runs each probe for itself, and tells "ok" or the name of the error by probe. */
async function touch(probes: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const lines = Object.entries(probes).map(
    ([name, code]) => `[${JSON.stringify(name)}, (msg, status) => { ${code} }],`,
  );
  const source = `const probes = new Map([${lines.join("\n")}]);
export default function onArrival(msg, status, event) {
  try { probes.get(event.properties.probe)(msg, status); console.log("ok"); } catch (e) { console.log(e.name + " " + e.message); }
}`;
  const said: Record<string, string> = {};
  for (const probe of Object.keys(probes)) {
    // A message for each: what one probe changes must not decide the next.
    // oxlint-disable-next-line no-await-in-loop
    const { outcome } = await worker.run(source, {
      message: MESSAGE,
      call: { sinkProperties: JSON.stringify({ probe }), allow: { send: true } },
    });
    said[probe] = outcome.fault?.message ?? outcome.logs[0]?.text ?? "nothing";
  }
  return said;
}

function codeOf(type: string, member: DocumentedMember): string {
  const object = `const o = ${OBJECTS[type] ?? ""};`;
  if (member.kind === "method") return `${object} ${CALLS[`${type}.${member.name}`] ?? "missing()"};`;
  return `${object} void o.${member.name};`;
}

const expected = (type: string, { name, mark }: DocumentedMember): string =>
  mark.kind === "not served" ? mark.error : (EXPECTED_ERRORS[`${type}.${name}`] ?? "ok");

const types = readCdoTypes();

const membersOf = (type: string): readonly DocumentedMember[] =>
  (types.classes.find(({ name }) => name === type)?.members ?? []).filter(({ kind }) => kind !== "call");
const servedProperties = (type: string): readonly DocumentedMember[] =>
  membersOf(type).filter(({ kind, mark }) => kind === "property" && mark.kind !== "not served");
const firstWords = (said: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(said).map(([name, text]) => [name, text.split(" ")[0] ?? ""]));

test.each(Object.keys(members))(
  "every member of %s answers, or raises the error that the types name",
  async (type) => {
    const own = membersOf(type);
    const said = await touch(Object.fromEntries(own.map((member) => [member.name, codeOf(type, member)])));
    expect(firstWords(said), JSON.stringify(said)).toEqual(
      Object.fromEntries(own.map((member) => [member.name, expected(type, member)])),
    );
  },
);

test.each(Object.keys(members).filter((type) => servedProperties(type).length > 0))(
  "a read-only property of %s says so, the others take their own value",
  async (type) => {
    const properties = servedProperties(type);
    const object = OBJECTS[type] ?? "";
    const said = await touch(
      Object.fromEntries(properties.map(({ name }) => [name, `const o = ${object}; o.${name} = o.${name};`])),
    );
    const wanted = ({ name, readonly }: DocumentedMember): string =>
      WRITE_ERRORS[`${type}.${name}`] ?? (readonly ? "CDO_E_PROP_READONLY" : "ok");
    expect(firstWords(said), JSON.stringify(said)).toEqual(
      Object.fromEntries(properties.map((member) => [member.name, wanted(member)])),
    );
  },
);

const COLLECTIONS: Readonly<Record<string, string>> = {
  "http://schemas.microsoft.com/cdo/smtpenvelope/": "msg.EnvelopeFields",
  "http://schemas.microsoft.com/cdo/nntpenvelope/": "msg.EnvelopeFields",
  "http://schemas.microsoft.com/cdo/configuration/": "msg.Configuration.Fields",
};

function collectionOf(namespace: string, name: string): string {
  if (name.endsWith("timezoneid")) return "msg.Configuration.Fields";
  if (name === "attachmentfilename") return "msg.Attachments(1).Fields";
  return COLLECTIONS[namespace] ?? "msg.Fields";
}

test.each(Object.entries(fields))(
  "every field of %s can be read, and written unless it is read-only",
  async (namespace, names) => {
    const documented = new Map(
      types.classes.flatMap((each) => each.members.map((member) => [member.name, member])),
    );
    const probes: Record<string, string> = {};
    const wanted: Record<string, string> = {};
    for (const name of names) {
      const full = namespace + name;
      const field = `${collectionOf(namespace, name)}(${JSON.stringify(full)})`;
      const member = documented.get(full);
      const value = member?.signature.endsWith("Date") === true ? "new Date(0)" : '"x"';
      const missing = member?.mark.kind === "not served" ? member.mark.error : undefined;
      probes[`${name} read`] = `void ${field}.Value;`;
      probes[`${name} write`] =
        `const f = ${field}; f.Value = f.Value ?? ${value}; ${collectionOf(namespace, name)}.Update();`;
      wanted[`${name} read`] = missing ?? "ok";
      wanted[`${name} write`] = missing ?? (member?.readonly === true ? "CDO_E_PROP_READONLY" : "ok");
    }
    const said = await touch(probes);
    expect(firstWords(said), JSON.stringify(said)).toEqual(wanted);
  },
);

test("every constant is a global with the value of the original", async () => {
  const said = await worker.run(
    script(
      `const wanted = ${JSON.stringify(constants)};\nconsole.log(Object.keys(wanted).filter((name) => globalThis[name] !== wanted[name]).join() || "all")`,
    ),
  );
  expect(said.outcome.logs.map((line) => line.text)).toEqual(["all"]);
});

test("every error of the original has its number", () => {
  const numbers = Object.fromEntries(
    Object.entries(CDO_ERRORS).map(([name, [hresult]]) => [name, hresult.toString(16).toUpperCase()]),
  );
  expect(numbers).toMatchObject(errors);
});
