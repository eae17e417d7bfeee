// How values of the metabase are read (REFERENCE 6.1, 6.2): DWORDs, lists, bits, and what they become.
import {
  DEFAULT_KEYWORDS,
  KEYWORDS,
  type Keyword,
  OUTBOUND_KEYWORDS,
  type OutboundKeyword,
} from "../../core/esmtp-keywords.ts";

export type SettingPath = readonly string[];

/** One value to put below a virtual server. */
export interface NewSetting {
  readonly path: SettingPath;
  readonly value: unknown;
}

/** Settings, or in words why there are none. */
export type Meaning = readonly NewSetting[] | string;

export type Reader = (value: string) => Meaning;

export const UNLIMITED = new Set(["0", "4294967295", "0xffffffff", "-1"]);

/** DWORDs are written as decimals or 0x…. */
export function numberOf(value: string): number | undefined {
  const read = /^\s*(?:\d{1,10}|0x[\da-f]{1,8})\s*$/i.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(read) ? read : undefined;
}

export const isTrue = (value: string): boolean =>
  /^(?:true|-1|[1-9]\d{0,9}|0x0*[1-9a-f][\da-f]*)$/i.test(value.trim());

export const setting = (key: string, value: unknown): NewSetting => ({ path: key.split("."), value });

const noNumber = (value: string): string => `"${value}" is no number`;

export const number =
  (key: string, factor = 1): Reader =>
  (value) => {
    const read = numberOf(value);
    return read === undefined ? noNumber(value) : [setting(key, read * factor)];
  };

export const limit =
  (...keys: readonly string[]): Reader =>
  (value) => {
    if (UNLIMITED.has(value.trim().toLowerCase()))
      return `it means no limit there; here ${keys.join(" and ")} keeps its default`;
    const read = numberOf(value);
    return read === undefined ? noNumber(value) : keys.map((key) => setting(key, read));
  };

export const flag =
  (key: string): Reader =>
  (value) => [setting(key, isTrue(value))];

export const text =
  (key: string): Reader =>
  (value) =>
    value.trim() === "" ? [] : [setting(key, value.trim())];

export const none =
  (why: string): Reader =>
  () =>
    why;

const OF_WINDOWS = /^(?:[a-z]:|[\\/]{2})/i;

/** A folder of the old machine is of no use on this one. */
export const folder =
  (name: string): Reader =>
  (value) => {
    if (OF_WINDOWS.test(value.trim()))
      return `${value.trim()} is a folder of the old machine; here it is below mailroot, or where folders.${name} says`;
    return text(`folders.${name}`)(value);
  };

/** ":25:" or "192.0.2.1:25:host", one per line. */
export function listen(value: string): Meaning {
  const addresses: string[] = [];
  for (const entry of value.split(/[\r\n\t ]+/).filter((part) => part !== "")) {
    const match = /^([\d.]{0,15}):(\d{1,5}):/.exec(entry);
    if (match === null) return `${entry} is no ADDRESS:PORT:HOST`;
    addresses.push(`${match[1] === "" ? "0.0.0.0" : (match[1] ?? "")}:${match[2] ?? ""}`);
  }
  return addresses.length === 0 ? [] : [setting("listen", addresses)];
}

const MINUTES = /^\s*\d{1,6}(?:\s*,\s*\d{1,6}){0,100}\s*$/;

export const intervals: Reader = (value) =>
  MINUTES.test(value)
    ? [
        setting(
          "retry.intervalsMinutes",
          value.split(",").map((minutes) => Number(minutes)),
        ),
      ]
    : `"${value}" is no list of minutes`;

/** Bits of SmtpInboundCommandSupportOptions and its outbound twin (REFERENCE 3.8). */
const KEYWORD_BITS: ReadonlyMap<string, number> = new Map([
  ["DSN", 0x40],
  ["ETRN", 0x80],
  ["ENHANCEDSTATUSCODES", 0x1000],
  ["CHUNKING", 0x10_0000],
  ["BINARYMIME", 0x20_0000],
  ["8BITMIME", 0x40_0000],
]);
const DEFAULT_BITS = 7_697_601;

/** Of the keywords those that the bits allow; what has no bit is as by default. */
function allowed<Word extends string>(bits: number, all: readonly Word[], usual: readonly Word[]): Word[] {
  return all.filter((word) => {
    const bit = KEYWORD_BITS.get(word);
    return bit === undefined ? usual.includes(word) : (bits & bit) !== 0;
  });
}

export const keywords: Reader = (value) => {
  const bits = numberOf(value);
  if (bits === undefined) return noNumber(value);
  if (bits === DEFAULT_BITS) return [];
  return [setting("keywords", allowed<Keyword>(bits, KEYWORDS, DEFAULT_KEYWORDS))];
};

export const outboundKeywords: Reader = (value) => {
  const bits = numberOf(value);
  if (bits === undefined) return noNumber(value);
  if (bits === DEFAULT_BITS) return [];
  return [setting("outbound.keywords", allowed<OutboundKeyword>(bits, OUTBOUND_KEYWORDS, OUTBOUND_KEYWORDS))];
};

/** Bits as a number, or as the names that MetaBase.xml writes: "AuthBasic | AuthAnonymous". */
function bitsOf(value: string, names: Readonly<Record<string, number>>): number | undefined {
  const read = numberOf(value);
  if (read !== undefined) return read;
  const words = value.split("|").map((word) => word.trim().toLowerCase());
  const bits = words.map((word) => names[word]);
  return bits.reduce<number | undefined>(
    (sum, bit) => (sum === undefined || bit === undefined ? undefined : sum | bit),
    0,
  );
}

const AUTH_ANONYMOUS = 1;
const AUTH_BASIC = 2;
const AUTH_NAMES = {
  authanonymous: AUTH_ANONYMOUS,
  authbasic: AUTH_BASIC,
  authntlm: 4,
  authmd5: 16,
  authpassport: 64,
};

export const authFlags: Reader = (value) => {
  const bits = bitsOf(value, AUTH_NAMES);
  if (bits === undefined) return `"${value}" names no ways to authenticate`;
  const mechanisms = (bits & AUTH_BASIC) === 0 ? ["XOAUTH2"] : undefined;
  return [
    setting("auth.anonymous", (bits & AUTH_ANONYMOUS) !== 0),
    ...(mechanisms === undefined ? [] : [setting("auth.mechanisms", mechanisms)]),
  ];
};

const ACCESS_SSL = 0x8;
const ACCESS_NAMES = {
  accessssl: ACCESS_SSL,
  accesssslnegotiatecert: 0x20,
  accesssslrequirecert: 0x40,
  accesssslmapcert: 0x80,
  accessssl128: 0x100,
};

export const tlsFlags: Reader = (value) => {
  const bits = bitsOf(value, ACCESS_NAMES);
  if (bits === undefined) return `"${value}" is no number of flags`;
  return (bits & ACCESS_SSL) === 0 ? [] : [setting("tls.required", true)];
};

export const loggingOn: Reader = (value) => [setting("protocolLog.enabled", isTrue(value))];

const STEPS = ["greetingMs", "commandMs", "dataInitiationMs", "dataBlockMs", "endOfDataMs"];

/** The original had one time for all steps, in seconds. */
export const remoteTimeout: Reader = (value) => {
  const seconds = numberOf(value);
  if (seconds === undefined) return noNumber(value);
  return seconds === 0 ? [] : STEPS.map((step) => setting(`outbound.timeouts.${step}`, seconds * 1000));
};

/** The original's own description leaves the unit open: a number that could be anything is a matter for people. */
export const connectTimeout: Reader = (value) =>
  numberOf(value) === 0 ? [] : "its unit is not documented: see outbound.timeouts.connectMs";
