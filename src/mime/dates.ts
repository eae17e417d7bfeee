// The Date field (RFC 5322 §3.3, §4.3).

const MAX_DATE_LENGTH = 200;
const DATE =
  /^(?:[a-z]{3,9}\s{0,9},?\s{0,9})?(\d{1,2})\s{1,9}([a-z]{3})[a-z]{0,6}\.?,?\s{1,9}(\d{2,4})\s{1,9}(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d{1,9})?\s{0,9}([+-]\d{4}|[a-z]{1,5})?(?:\s|\(|$)/i;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
// RFC 5322 §4.3: the named zones; any other letter zone counts as -0000.
const ZONE_HOURS = new Map([
  ["edt", -4],
  ["est", -5],
  ["cdt", -5],
  ["cst", -6],
  ["mdt", -6],
  ["mst", -7],
  ["pdt", -7],
  ["pst", -8],
]);

function zoneMinutes(zone: string): number | undefined {
  if (!/^[+-]/.test(zone)) return (ZONE_HOURS.get(zone.toLowerCase()) ?? 0) * 60;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3, 5));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}

/** RFC 5322 §4.3: two digits below 50 are 20xx, other two and three digit years count from 1900. */
function fullYear(digits: string): number {
  const year = Number(digits);
  if (digits.length === 4) return year;
  return digits.length === 2 && year < 50 ? year + 2000 : year + 1900;
}

/** Undefined for anything that is not a date of RFC 5322 (obsolete forms included): never a guess. */
export function parseDate(raw: string): Date | undefined {
  const match = raw.length > MAX_DATE_LENGTH ? null : DATE.exec(raw.trim());
  if (match === null) return undefined;
  const [hour = 0, minute = 0, second = 0] = [match[4], match[5], match[6]].map((digits) =>
    Number(digits ?? "0"),
  );
  const offset = zoneMinutes(match[7] ?? "+0000");
  if (offset === undefined || hour > 23 || minute > 59 || second > 60) return undefined;
  const midnight = parseDay(Number(match[1]), match[2] ?? "", fullYear(match[3] ?? ""));
  if (midnight === undefined) return undefined;
  return new Date(midnight + (hour * 3600 + minute * 60 + second - offset * 60) * 1000);
}

function parseDay(day: number, monthName: string, year: number): number | undefined {
  const month = MONTHS.indexOf(monthName.toLowerCase());
  // RFC 5322 §3.3: years before 1900 do not occur in mail.
  if (month < 0 || year < 1900) return undefined;
  const midnight = Date.UTC(year, month, day);
  // Date.UTC rolls 31 February over; such a date is no date.
  return new Date(midnight).getUTCDate() === day ? midnight : undefined;
}
