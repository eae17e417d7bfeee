// Checks what a test says its cases are. It came out of an isolate: nothing in it is taken on trust.
import type { Preparation, PreparedAnswer } from "../capabilities/prepared-answers.ts";

/** One run of the script before it goes live: a case of its test, or a sample, which expects no more than that it ends well. */
export interface PlannedCase extends Preparation {
  /** `case "name"` or `sample x.eml`. */
  readonly title: string;
  /** Position among the cases; absent of a sample. */
  readonly index?: number;
  readonly eml?: string;
  readonly message?: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly clientAddress: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  /** In place of the values of the service. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly mayFault: boolean;
}

const MAX_CASES = 100;
const MAX_PREPARED = 100;
const MAX_KEY_CHARS = 4096;
const MAX_RECIPIENTS = 1000;
const MAX_PATH_CHARS = 1024;
const MAX_NAME_CHARS = 200;

type Values = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length <= MAX_RECIPIENTS && value.every((one) => typeof one === "string");

/** A text says what is wrong. */
export function checkCasePlan(plan: unknown, hasTest: boolean): readonly PlannedCase[] | string {
  if (!isObject(plan)) return "its cases cannot be read";
  const { samples = [], cases, hasCases } = plan;
  if (!isTexts(samples)) return "samples must be a list of paths";
  if (hasTest && hasCases !== true) return "exports no cases (export const cases = [ … ])";
  if (!Array.isArray(cases) || cases.length + samples.length > MAX_CASES)
    return `has more than ${MAX_CASES} cases and samples`;
  const planned: PlannedCase[] = [];
  for (const eml of samples) {
    if (eml.length > MAX_PATH_CHARS) return "a path of samples is too long";
    planned.push({ title: `sample ${eml}`, eml, ...NO_ENVELOPE, mayFault: false });
  }
  for (const [index, one] of cases.entries()) {
    const checked = checkCase(one, index);
    if (typeof checked === "string") return checked;
    planned.push(checked);
  }
  return planned;
}

const NO_ENVELOPE = { sender: "", recipients: [], clientAddress: "" } as const;

function checkCase(one: unknown, index: number): PlannedCase | string {
  if (!isObject(one) || typeof one["name"] !== "string" || one["name"].length > MAX_NAME_CHARS)
    return `case ${index + 1} needs a name`;
  const { properties, mayFault, hasExpectations, unknownKeys } = one;
  const title = `case "${one["name"]}"`;
  if (!isTexts(unknownKeys) || unknownKeys.length > 0)
    return `${title}: has the unknown key ${String(unknownKeys)}`;
  if (hasExpectations !== true) return `${title}: expect must be an object`;
  if (properties !== undefined && !isObject(properties)) return `${title}: properties must be an object`;
  const message = checkMessage(one);
  if (message === undefined) return `${title}: needs either eml (a path) or message (a text)`;
  const envelope = checkEnvelope(one["envelope"]);
  if (envelope === undefined) return `${title}: envelope is { sender, recipients: [ … ], clientAddress }`;
  const prepared = checkPreparation(one);
  if (typeof prepared === "string") return `${title}: ${prepared}`;
  const given = properties === undefined ? {} : { properties };
  return { title, index, ...message, ...envelope, ...given, ...prepared, mayFault: mayFault === true };
}

function checkPreparation({
  fetch = {},
  kv = {},
  dns = {},
  secrets = {},
}: Values): (Preparation & Pick<PlannedCase, "secrets">) | string {
  if (!isPrepared(kv, isText)) return "kv must be an object of texts";
  if (!isPrepared(secrets, isText)) return "secrets must be an object of texts";
  if (!isPrepared(dns, isRecords))
    return 'dns must be an object of lists by type and name, as "MX example.com"';
  if (isPrepared(fetch, isAnswer)) return { fetch, kv, dns, secrets };
  return "fetch must be an object of texts or { status, headers, body } by URL";
}

const isRecords = (value: unknown): value is readonly unknown[] => Array.isArray(value);

const isText = (value: unknown): value is string => typeof value === "string";

function isPrepared<T>(
  values: unknown,
  isValue: (value: unknown) => value is T,
): values is Readonly<Record<string, T>> {
  if (!isObject(values)) return false;
  const entries = Object.entries(values);
  return (
    entries.length <= MAX_PREPARED &&
    entries.every(([key, value]) => key.length <= MAX_KEY_CHARS && isValue(value))
  );
}

function isAnswer(value: unknown): value is PreparedAnswer | string {
  if (!isObject(value)) return isText(value);
  const { status = 200, headers = {}, body = "", ...unknown } = value;
  const isStatus = Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599;
  return isStatus && isPrepared(headers, isText) && isText(body) && Object.keys(unknown).length === 0;
}

function checkMessage({ eml, message }: Values): Pick<PlannedCase, "eml" | "message"> | undefined {
  const isFile = typeof eml === "string" && eml.length <= MAX_PATH_CHARS;
  if (isFile) return message === undefined ? { eml } : undefined;
  return eml === undefined && typeof message === "string" ? { message } : undefined;
}

function checkEnvelope(
  envelope: unknown = {},
): Pick<PlannedCase, "sender" | "recipients" | "clientAddress"> | undefined {
  if (!isObject(envelope)) return undefined;
  const { sender = "", recipients = [], clientAddress = "", ...unknown } = envelope;
  if (typeof sender !== "string" || !isTexts(recipients) || typeof clientAddress !== "string")
    return undefined;
  if (Object.keys(unknown).length > 0) return undefined;
  return { sender, recipients, clientAddress };
}
