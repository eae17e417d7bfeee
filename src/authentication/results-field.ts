// The value of an Authentication-Results field (RFC 8601 §2.2). Whatever comes from the message or from DNS is quoted here:
// a sender "x; dmarc=pass"@example.com must not become a result.

export interface MethodResult {
  readonly method: "spf" | "dkim" | "dmarc" | "arc";
  readonly result: string;
  /** Our own words. */
  readonly reason?: string | undefined;
  /** As ["smtp.mailfrom", "a@example.com"]; those without a value are left out. */
  readonly properties: readonly (readonly [name: string, value: string | undefined])[];
}

const MAX_VALUE_LENGTH = 320;
const TOKEN = /^[\w.@+\-!#$%&'*^`{|}~]+$/;

export function resultsValue(authservId: string, results: readonly MethodResult[]): string {
  const rows = results.length === 0 ? ["none"] : results.map(rowOf);
  return [authservId, ...rows].join("; ");
}

function rowOf({ method, result, reason, properties }: MethodResult): string {
  const shown = properties.flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [`${name}=${propertyValue(value)}`],
  );
  const comment = reason === undefined ? [] : [`reason=${quoted(reason)}`];
  return [`${method}=${result}`, ...comment, ...shown].join(" ");
}

/** RFC 8601 §2.2: a value is a token, an address or a quoted string. */
function propertyValue(text: string): string {
  const bounded = text.slice(0, MAX_VALUE_LENGTH);
  return TOKEN.test(bounded) ? bounded : quoted(bounded);
}

/** As a quoted string; what is not printable ASCII becomes "?". */
export function quoted(text: string): string {
  const printable = text.replaceAll(/[^\x20-\x7e]/g, "?");
  return `"${printable.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** Whether a field speaks with the name of `authservId` (RFC 8601 §5): then it was made by us, or is forged. */
export function isOfServer(value: string, authservId: string): boolean {
  const plain = withoutComments(value).trimStart();
  const name = /^(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))/.exec(plain);
  const id = (name?.[1]?.replaceAll(/\\(.)/g, "$1") ?? name?.[2] ?? "").toLowerCase();
  return id === authservId.toLowerCase();
}

/** Comments may nest and stand before the name (RFC 5322 §3.2.2). */
function withoutComments(value: string): string {
  let depth = 0;
  let plain = "";
  for (let at = 0; at < value.length; at += 1) {
    const char = value[at] ?? "";
    if (char === '"' && depth === 0) return plain + value.slice(at);
    if (char === "\\" && depth > 0) at += 1;
    else if (char === "(") depth += 1;
    else if (char === ")" && depth > 0) depth -= 1;
    else if (depth === 0) plain += char;
    if (depth === 0 && char === ";") break;
  }
  return plain;
}
