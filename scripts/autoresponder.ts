// Sample: answers mail, but no bounces, lists and robots. Runs for mail to away@localhost only; needs allow: { send: true }.
import { type Binding, cdoSenderEmailAddress, cdoUseMessageResponseText, type Message } from "cdo";

export const binding: Binding = { rule: "RCPT TO=away@localhost", onError: "continue" };

export default function onArrival(msg: Message): void {
  const header = (name: string): string => String(msg.Fields(`urn:schemas:mailheader:${name}`).Value ?? "");
  const isNull = msg.EnvelopeFields(cdoSenderEmailAddress).Value === "<>";
  const isRobot = !/^(?:no)?$/i.test(header("auto-submitted")) || header("list-id") !== "";
  if (isNull || isRobot || /^(?:list|bulk|junk)$/i.test(header("precedence"))) return;
  // No quotation: one of HTML would be all that a reader of HTML sees.
  msg.Configuration.Fields(cdoUseMessageResponseText).Value = false;
  msg.Configuration.Fields.Update();
  const answer = msg.Reply();
  answer.From = "away@localhost";
  answer.Subject = `Away: ${msg.Subject}`;
  answer.TextBody = "I am back on Monday.\r\n";
  // RFC 3834: other robots leave it alone.
  answer.Fields("urn:schemas:mailheader:Auto-Submitted").Value = "auto-replied";
  answer.Fields.Update();
  answer.Send();
}
