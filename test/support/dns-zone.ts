// DNS for tests: a zone in memory, asked in this process or over UDP on loopback by the real service.
import { type RemoteInfo, createSocket } from "node:dgram";

/** Name in lower case → record type → values: texts, addresses, "10 host" for MX, or "SERVFAIL". */
export type Zone = Record<
  string,
  Partial<Record<"TXT" | "A" | "AAAA" | "MX" | "PTR", readonly string[] | "SERVFAIL">>
>;

const coded = (code: string, name: string): Error => Object.assign(new Error(`${code} ${name}`), { code });

/** Answers as node:dns does, and keeps what was asked. */
export function zoneResolver(zone: Zone): {
  readonly resolve: (name: string, type: string) => Promise<string[] | string[][]>;
  readonly asked: string[];
} {
  const asked: string[] = [];
  return {
    asked,
    resolve(name, type) {
      asked.push(`${type} ${name}`);
      const records = recordsOf(zone, name, type);
      if (records === "SERVFAIL") return Promise.reject(coded("ESERVFAIL", name));
      if (records === undefined)
        return Promise.reject(coded(name.toLowerCase() in zone ? "ENODATA" : "ENOTFOUND", name));
      return Promise.resolve(type === "TXT" ? records.map((text) => [text]) : [...records]);
    },
  };
}

function recordsOf(zone: Zone, name: string, type: string): readonly string[] | "SERVFAIL" | undefined {
  const found = Object.entries(zone[name.toLowerCase()] ?? {}).find(([known]) => known === type);
  return found?.[1];
}

const TYPES: Readonly<Record<number, string>> = { 1: "A", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA" };
const NOERROR = 0;
const SERVFAIL = 2;
const NXDOMAIN = 3;

export interface DnsServer extends AsyncDisposable {
  /** "127.0.0.1:port", for the setting dns.servers. */
  readonly address: string;
  readonly asked: string[];
}

/** Reads `zone` at each question: it may change meanwhile. */
export async function startDnsServer(zone: Zone): Promise<DnsServer> {
  const socket = createSocket("udp4");
  const asked: string[] = [];
  socket.on("message", (query: Buffer, from: RemoteInfo) => {
    const { name, type, end } = questionOf(query);
    asked.push(`${type} ${name}`);
    socket.send(answerTo(query, end, zone, name, type), from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", resolve);
  });
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    [Symbol.asyncDispose]: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function questionOf(query: Buffer): { name: string; type: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), type: TYPES[query.readUInt16BE(at + 1)] ?? "?", end: at + 5 };
}

/** RFC 1035 §4.1: the question comes back, names in answers point at it. */
function answerTo(query: Buffer, end: number, zone: Zone, name: string, type: string): Buffer {
  const records = recordsOf(zone, name, type);
  const isKnown = name.toLowerCase() in zone;
  const code = records === "SERVFAIL" ? SERVFAIL : isKnown ? NOERROR : NXDOMAIN;
  const answers = records === undefined || records === "SERVFAIL" ? [] : records;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  return Buffer.concat([
    header,
    query.subarray(12, end),
    ...answers.map((value) => recordOf(query, end, type, value)),
  ]);
}

function recordOf(query: Buffer, end: number, type: string, value: string): Buffer {
  const data = dataOf(type, value);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  query.copy(head, 2, end - 4, end);
  head.writeUInt32BE(60, 4 + 2);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf(type: string, value: string): Buffer {
  if (type === "A") return Buffer.from(value.split(".").map(Number));
  if (type === "AAAA") return Buffer.from(value.replaceAll(":", ""), "hex");
  if (type === "TXT") return Buffer.concat((value.match(/.{1,255}/g) ?? [""]).map((text) => counted(text)));
  const [first = "", second = ""] = value.split(" ");
  if (type !== "MX") return domainName(first);
  const preference = Buffer.alloc(2);
  preference.writeUInt16BE(Number(first));
  return Buffer.concat([preference, domainName(second)]);
}

const counted = (text: string): Buffer =>
  Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")]);
const domainName = (name: string): Buffer =>
  Buffer.concat([...name.split(".").map(counted), Buffer.from([0])]);
