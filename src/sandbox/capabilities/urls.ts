// Which URLs a binding's `allow.fetch` grants: those that begin with one of its entries, after both were parsed.
import { cut } from "../../../runtime/contract.ts";

export type UrlCheck =
  | { readonly kind: "granted"; readonly url: URL }
  | { readonly kind: "refused"; readonly message: string };

export const MAX_URL_CHARS = 8192;

const refused = (message: string): UrlCheck => ({ kind: "refused", message });

/**
 * What servers behind the one that we ask may take for a dot segment or a slash, although the URL Standard does not: encoded
 * (once or twice), or with the path parameters of servlet containers ("/..;/").
 */
const ESCAPES = /%(?:25)*(?:2e|2f|5c|00)|(?:^|\/)\.\.[^/]|[\\\0]/i;

/**
 * The URL as it will be asked for. The parsed form is what is compared and what is asked: host names are in ASCII by then
 * (IDNA), addresses in dotted decimal, dot segments gone.
 */
export function checkUrl(text: string, allow: readonly string[]): UrlCheck {
  if (text.length > MAX_URL_CHARS) return refused(`the URL is longer than ${MAX_URL_CHARS} characters`);
  const url = URL.parse(text);
  if (url === null) return refused(`"${shown(text)}" is no absolute URL`);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    return refused(`${url.protocol} is not served, only http: and https:`);
  // A name before "@" looks like a host to people, and credentials in URLs end in logs.
  if (url.username !== "" || url.password !== "") return refused("a URL must hold no user name or password");
  if (!allow.some((entry) => begins(url, entry)))
    return refused(
      `${shown(withoutQuery(url))} is not granted: allow.fetch of the binding in the configuration has no beginning of it`,
    );
  url.hash = "";
  return { kind: "granted", url };
}

/** What is wrong with an entry of `allow.fetch`, or undefined. */
export function entryProblem(entry: string): string | undefined {
  const url = URL.parse(entry);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
    return 'must be the beginning of a URL, as "https://host/path/"';
  if (url.username !== "" || url.password !== "") return "must hold no user name or password";
  if (url.search !== "" || url.hash !== "") return "must end with the path: no query, no fragment";
  return ESCAPES.test(url.pathname) ? "must hold no encoded dots or slashes" : undefined;
}

function begins(url: URL, entry: string): boolean {
  const granted = URL.parse(entry);
  if (granted === null || entryProblem(entry) !== undefined) return false;
  if (granted.origin !== url.origin) return false;
  const prefix = granted.pathname;
  if (prefix === "/") return true;
  if (ESCAPES.test(url.pathname)) return false;
  // "/api" grants /api and /api/x, not /api2.
  return prefix.endsWith("/")
    ? url.pathname.startsWith(prefix)
    : url.pathname === prefix || url.pathname.startsWith(`${prefix}/`);
}

/** For messages: a query may hold what shall not be in a log. */
export const withoutQuery = (url: URL): string => `${url.origin}${url.pathname}`;

const shown = (text: string): string => cut(text, 200);
