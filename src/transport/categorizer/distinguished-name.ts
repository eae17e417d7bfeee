// Distinguished names as text (RFC 4514): two spellings of one name become the same key.

const HEX_PAIR = /^[0-9a-f]{2}$/i;
const TYPE = /^[\w.-]+$/;
const SPACES = /\s+/gu;

/** Most names: nothing in them but case has a second spelling. */
const PLAIN =
  /^[\w.-]+=[^\\"+;<>#=,\s]+(?: [^\\"+;<>#=,\s]+)*(?:,[\w.-]+=[^\\"+;<>#=,\s]+(?: [^\\"+;<>#=,\s]+)*)*$/u;

/** Without regard to case, to spaces that mean nothing, to the way of escaping and to the order within one RDN. */
export function normalizeDn(dn: string): string {
  if (PLAIN.test(dn)) return dn.toLowerCase();
  const rdns = rdnsOf(dn).map((rdn) => splitOutside(rdn, "+").map((pair) => pairOf(pair)));
  // What is no name is the same as itself.
  if (!rdns.flat().every(({ type }) => TYPE.test(type))) return dn.trim().toLowerCase();
  return rdns
    .map((pairs) =>
      pairs
        .map((pair) => formatPair(pair))
        .sort()
        .join("+"),
    )
    .join(",");
}

/** Whether a normalized name is that of the base or of something below it. */
export const isBelow = (dn: string, base: string): boolean =>
  base === "" || dn === base || dn.endsWith(`,${base}`);

const rdnsOf = (dn: string): string[] => (dn.trim() === "" ? [] : splitOutside(dn, ",", ";"));

/** At the separators that are neither escaped nor quoted. */
function splitOutside(text: string, ...separators: readonly string[]): string[] {
  const parts: string[] = [];
  let begin = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === "\\") at += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && separators.includes(character)) {
      parts.push(text.slice(begin, at));
      begin = at + 1;
    }
  }
  parts.push(text.slice(begin));
  return parts;
}

interface Pair {
  readonly type: string;
  readonly value: string;
}

function pairOf(text: string): Pair {
  const at = text.indexOf("=");
  return {
    type: text.slice(0, Math.max(0, at)).trim().toLowerCase(),
    value: unescapeValue(text.slice(at + 1))
      .toLowerCase()
      .replaceAll(SPACES, " ")
      .trim(),
  };
}

const formatPair = ({ type, value }: Pair): string =>
  `${type}=${value.replaceAll(/[\\,+"<>;=#]/g, String.raw`\$&`)}`;

/** RFC 4514 §3: a backslash makes the next character plain, or stands with two digits for one octet of UTF-8. */
function unescapeValue(text: string): string {
  const quoted = /^\s*"(.*)"\s*$/su.exec(text);
  const source = quoted?.[1] ?? text;
  const octets: Buffer[] = [];
  for (let at = 0; at < source.length;) {
    const escape = source.indexOf("\\", at);
    const end = escape < 0 ? source.length : escape;
    octets.push(Buffer.from(source.slice(at, end)));
    if (escape < 0) break;
    const pair = source.slice(end + 1, end + 3);
    const isHex = HEX_PAIR.test(pair);
    octets.push(isHex ? Buffer.from(pair, "hex") : Buffer.from(source.slice(end + 1, end + 2)));
    at = end + (isHex ? 3 : 2);
  }
  return Buffer.concat(octets).toString();
}
