// Runs in a throw-away isolate, bundled with the test beside a script: says what its cases are, and compares what the script
// made of a message with what they expect. The patterns of authors are matched here, where a slow one hurts nobody.
import type { CaseFound } from "./contract.ts";
import type { Message } from "./cdo/message.ts";

type Expected = Readonly<Record<string, unknown>>;

const MAIL_HEADER = "urn:schemas:mailheader:";
const HTTP_MAIL = "urn:schemas:httpmail:";
/** Header fields that authors expect decoded. */
const DECODED = new Set(["subject", "from", "to", "cc", "bcc", "sender", "reply-to"]);
const MAX_SHOWN_CHARS = 300;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

const casesOf = (test: unknown): readonly unknown[] => {
  const cases: unknown = isObject(test) ? test["cases"] : undefined;
  return Array.isArray(cases) ? cases : [];
};

const expectedOf = (one: unknown): Expected => {
  const expected: unknown = isObject(one) ? one["expect"] : undefined;
  return isObject(expected) ? expected : {};
};

/** What the relay needs to run the cases. It checks all of it. */
export function casePlan(script: unknown, test: unknown): unknown {
  return {
    samples: isObject(script) ? script["samples"] : undefined,
    hasCases: isObject(test) && Array.isArray(test["cases"]),
    cases: casesOf(test).map((one) => {
      const { name, eml, message, envelope, properties, fetch, kv, dns, secrets, ...others } = isObject(one)
        ? one
        : {};
      const { expect: expected = {}, ...unknown } = others;
      const unexpected = Object.keys(expectedOf(one)).filter((key) => !Object.hasOwn(CHECKS, key));
      const unknownKeys = [...Object.keys(unknown), ...unexpected.map((key) => `expect.${key}`)];
      const hasExpectations = isObject(expected) && !Array.isArray(expected);
      const mayFault = expectedOf(one)["fault"] !== undefined;
      const prepared = { name, eml, message, envelope, properties, fetch, kv, dns, secrets };
      return { ...prepared, mayFault, hasExpectations, unknownKeys };
    }),
  };
}

/** Each difference as one line. */
export function differencesOf(test: unknown, msg: Message, properties: unknown): string[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the relay made it
  const { index, found } = properties as { index: number; found: CaseFound };
  const expected = expectedOf(casesOf(test)[index]);
  return Object.entries(CHECKS).flatMap(([key, check]) => {
    const wanted = expected[key];
    return wanted === undefined ? [] : check(wanted, found, msg);
  });
}

type Check = (wanted: unknown, found: CaseFound, msg: Message) => string[];

const same =
  (what: string, read: (found: CaseFound, msg: Message) => unknown): Check =>
  (wanted, found, msg) => {
    const value = read(found, msg);
    return matches(wanted, value) ? [] : [differs(what, wanted, value)];
  };

const sorted = (value: unknown): unknown[] =>
  Array.isArray(value) ? value.map((address) => String(address).toLowerCase()).sort() : [value];

const CHECKS: Readonly<Record<string, Check>> = {
  verdict: same("verdict", (found) => found.verdict),
  status: same("status", (found) => found.status),
  sender: same("sender", (found) => found.sender),
  recipients: (wanted, found) => {
    const [left, right] = [sorted(wanted), sorted(found.recipients)];
    return left.join("\n") === right.join("\n") ? [] : [differs("recipients", wanted, found.recipients)];
  },
  fields: (wanted, _found, msg) =>
    Object.entries(isObject(wanted) ? wanted : {}).flatMap(([name, value]) => {
      const actual = fieldOf(msg, name);
      return matches(value, actual) ? [] : [differs(`field ${name}`, value, actual)];
    }),
  text: same("text", (_found, msg) => msg.TextBody),
  html: same("html", (_found, msg) => msg.HTMLBody),
  unchanged: (wanted, found) => {
    if (wanted === !found.changed) return [];
    return [
      wanted === true
        ? `unchanged: expected, but ${found.changes}`
        : "unchanged: not expected, but nothing differs",
    ];
  },
  log: (wanted, found) =>
    found.logs.some((line) => matches(wanted, line)) ? [] : [differs("log", wanted, found.logs)],
  sent: same("sent", (found) => found.sent),
  fetched: (wanted, { asked: { fetched } }) => {
    const list: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted];
    const fits = list.length === fetched.length && list.every((one, index) => matches(one, fetched[index]));
    return fits ? [] : [differs("fetched", wanted, fetched)];
  },
  kv: (wanted, { asked: { kv } }) =>
    Object.entries(isObject(wanted) ? wanted : {}).flatMap(([key, value]) => {
      const actual = Object.hasOwn(kv, key) ? kv[key] : null;
      return matches(value, actual) ? [] : [differs(`kv ${key}`, value, actual)];
    }),
  fault: (wanted, found) => {
    if (found.fault === undefined) return [`fault: expected ${shown(wanted)}, but the script did not fail`];
    const { fault } = found;
    // The message is led by its place in the source, which a test shall not have to know.
    const fits = typeof wanted === "string" ? fault.includes(wanted) : matches(wanted, fault);
    return fits ? [] : [differs("fault", wanted, fault)];
  },
};

function fieldOf(msg: Message, name: string): unknown {
  const lower = name.toLowerCase();
  const full = /[:/#]/.test(name) ? name : `${DECODED.has(lower) ? HTTP_MAIL : MAIL_HEADER}${lower}`;
  const value = msg.Fields.Item(full).Value;
  return value === undefined || value === "" ? null : value;
}

/** Line ends and empty lines at the end are what mail makes of a text, not what a test is about. */
const plain = (text: string): string => text.replaceAll("\r\n", "\n").replace(/\n+$/, "");

function matches(wanted: unknown, actual: unknown): boolean {
  if (wanted instanceof RegExp) {
    wanted.lastIndex = 0;
    return typeof actual === "string" && wanted.test(actual);
  }
  if (typeof wanted === "string" && typeof actual === "string") return plain(wanted) === plain(actual);
  return wanted === actual;
}

const differs = (what: string, wanted: unknown, actual: unknown): string =>
  `${what}: expected ${shown(wanted)}, found ${actual === null ? "nothing" : shown(actual)}`;

function shown(value: unknown): string {
  const text = value instanceof RegExp ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text;
}
