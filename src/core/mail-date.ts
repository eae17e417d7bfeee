// Dates as mail writes them (RFC 5322 §3.3), in UTC.

export const mailDate = (time: number): string => new Date(time).toUTCString().replace("GMT", "+0000");

/** mailDate for one clock: many messages fall into one second, its text is made once. */
export function createMailDates(): (now: number) => string {
  let second = -1;
  let text = "";
  return (now) => {
    const current = Math.floor(now / 1000);
    if (current !== second) {
      second = current;
      text = mailDate(now);
    }
    return text;
  };
}
