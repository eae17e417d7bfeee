// What a request of a waiting script may look like: checked in the sandbox process, where the script hears of it, and again in
// the relay, where a malformed one is an attack.

const MAX_URL_CHARS = 8192;
const MAX_HEADERS = 100;
const MAX_HEADER_CHARS = 32 * 1024;
const MAX_KEY_CHARS = 1024;
const MAX_NAME_CHARS = 255;

const METHOD = /^[A-Z]{1,20}$/;
/** RFC 9110 §5.6.2: a token. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,200}$/;
/** RFC 9110 §5.5: no control characters but the tab. A line break would be a second header. */
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const RECORD_TYPE = /^[A-Z]{1,10}$/;
/** Names as they are asked for, with the underscores of service records; other scripts as A-labels. */
const HOST_NAME = /^[\w.:-]+$/;

const isText = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.length <= max && value.isWellFormed();

/** What is wrong with it, or undefined. */
export function capabilityRequestProblem(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value)) return "it is no request";
  switch (value.kind) {
    case "fetch":
      return fetchProblem(value);
    case "kv":
      return kvProblem(value);
    case "dns":
      return dnsProblem(value);
    default:
      return "its kind is unknown";
  }
}

function fetchProblem(request: object): string | undefined {
  const { url, method, headers } = request as { url?: unknown; method?: unknown; headers?: unknown };
  if (!isText(url, MAX_URL_CHARS)) return `fetch: the URL is no text of at most ${MAX_URL_CHARS} characters`;
  if (typeof method !== "string" || !METHOD.test(method)) return "fetch: the method is none";
  if (!Array.isArray(headers) || headers.length > MAX_HEADERS)
    return `fetch: more than ${MAX_HEADERS} headers`;
  return headersProblem(headers);
}

function headersProblem(headers: readonly unknown[]): string | undefined {
  let chars = 0;
  for (const pair of headers) {
    const [name, text] = Array.isArray(pair) && pair.length === 2 ? (pair as unknown[]) : [];
    if (typeof name !== "string" || !HEADER_NAME.test(name))
      return "fetch: the name of a header is not valid";
    if (typeof text !== "string" || text.length > MAX_HEADER_CHARS || !HEADER_VALUE.test(text))
      return `fetch: the value of the header ${name} is not valid`;
    chars += name.length + text.length;
  }
  return chars > MAX_HEADER_CHARS ? `fetch: more than ${MAX_HEADER_CHARS} characters of headers` : undefined;
}

function kvProblem(request: object): string | undefined {
  const { operation, key, ttlMs } = request as { operation?: unknown; key?: unknown; ttlMs?: unknown };
  if (operation !== "get" && operation !== "set" && operation !== "delete")
    return "kv: the operation is unknown";
  if (!isText(key, MAX_KEY_CHARS) || key === "") return `kv: a key has 1 to ${MAX_KEY_CHARS} characters`;
  const isTtl =
    ttlMs === undefined ||
    (operation === "set" && typeof ttlMs === "number" && Number.isSafeInteger(ttlMs) && ttlMs > 0);
  return isTtl ? undefined : "kv: ttlMs is no whole number of milliseconds above 0";
}

function dnsProblem(request: object): string | undefined {
  const { name, type } = request as { name?: unknown; type?: unknown };
  if (typeof type !== "string" || !RECORD_TYPE.test(type)) return "dns: the type of record is not valid";
  if (!isText(name, MAX_NAME_CHARS) || !HOST_NAME.test(name)) return "dns: the name is not valid";
  return undefined;
}
