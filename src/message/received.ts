// Received fields as every way in needs them: the count of those that are there already, and the one of mail that no client brought.

const RECEIVED = "received:";

/** Number of Received fields in a header block: the hops so far (RFC 5321 §6.3). */
export function countReceived(header: Buffer): number {
  let count = 0;
  for (let line = 0; line < header.length && line >= 0;) {
    if (isReceivedAt(header, line)) count++;
    const end = header.indexOf(0x0a, line);
    line = end < 0 ? -1 : end + 1;
  }
  return count;
}

function isReceivedAt(header: Buffer, at: number): boolean {
  // Setting bit 0x20 lowers the letters; the first one decides for nearly all lines.
  if (((header[at] ?? 0) | 0x20) !== 0x72) return false;
  return header.toString("latin1", at, at + RECEIVED.length).toLowerCase() === RECEIVED;
}

/** RFC 5321 §4.4 without the clauses that name a client: nobody knows who put the file there, or how. */
export const receivedFromPickup = (hostName: string, id: string, date: string): Buffer =>
  Buffer.from(`Received: by ${hostName} (from Pickup)\r\n\tid ${id};\r\n\t${date}\r\n`, "utf8");
