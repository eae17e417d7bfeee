// What is done once with the runtime before the snapshot is taken: what scripts use most is compiled then, and not anew in each
// isolate at its first message. It happens in a context of its own, of which the snapshot keeps nothing but compiled code.

const SCRIPT = `
function onArrival(msg, status, event) {
  console.log(msg.Subject, msg.From, msg.To, msg.CC, msg.BodyPart.ContentMediaType, msg.Attachments.Count, event.messageId);
  const fields = msg.Fields;
  const field = fields.Item("urn:schemas:mailheader:x-read");
  fields.Item("urn:schemas:mailheader:x-set").Value = field.Value;
  fields.Update();
  msg.Subject = "x";
  msg.TextBody += "x";
  msg.HTMLBody += "x";
  const envelope = msg.EnvelopeFields;
  envelope.Item("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value += "x";
  envelope.Update();
  msg.DataSource.Save();
  status.Value = 0;
}`;

/** The host of a message that answers everything. A script that fails here would leave the rest of it uncompiled. */
export const RUNTIME_WARM_UP = `{
  const numbers = ["log", "partCount", "bodyPart"];
  const glue = __onarrivalConnect((operation) => (numbers.includes(operation) ? 1 : "x"));
  const loaded = glue.load(${JSON.stringify(SCRIPT)});
  const verdict = glue.run(1000, "", "", "{}");
  if (!loaded.startsWith("ok") || verdict !== 0) throw new Error("warm-up of the runtime: " + loaded + verdict);
}`;
