// The text of EnvelopeFields "recipientlist" and "senderemailaddress": written strictly, read as scripts write them.
import { isMailbox } from "../../core/address.ts";

export const formatRecipientList = (recipients: readonly string[]): string =>
  recipients.map((address) => `SMTP:${address};`).join("");

/** `<>` stands for the null sender: production sinks test for it. */
export const formatSender = (sender: string): string => (sender === "" ? "<>" : sender);

/** The addresses, each once; or the item that is no address. A missing prefix and empty items are common and accepted. */
export function parseRecipientList(text: string): { addresses: string[] } | { invalid: string } {
  const addresses = new Map<string, string>();
  for (const item of splitItems(text)) {
    const address = bareAddress(item);
    if (address === "") continue;
    if (!isMailbox(address)) return { invalid: item };
    if (!addresses.has(address.toLowerCase())) addresses.set(address.toLowerCase(), address);
  }
  return { addresses: [...addresses.values()] };
}

/** The sender, "" for the null sender; undefined when it is no address. */
export function parseSender(text: string): string | undefined {
  const address = bareAddress(text.trim());
  return address === "" || isMailbox(address) ? address : undefined;
}

function bareAddress(item: string): string {
  let address = item.trim();
  if (address.slice(0, 5).toLowerCase() === "smtp:") address = address.slice(5).trim();
  if (address.startsWith("<") && address.endsWith(">")) address = address.slice(1, -1).trim();
  return address;
}

/** Splits at semicolons outside of quoted local parts ("a;b"@example.com). */
function splitItems(text: string): string[] {
  const items: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quoted && character === "\\") at += 1;
    else if (character === '"') quoted = !quoted;
    else if (character === ";" && !quoted) {
      items.push(text.slice(start, at));
      start = at + 1;
    }
  }
  items.push(text.slice(start));
  return items;
}
