// XFORWARD: who sent the message to us, told to a next hop that trusts us (the extension of Postfix).
import type { Origin } from "../../core/envelope.ts";
import { xtext } from "./envelope-commands.ts";

/** RFC 5321 §4.5.3.1.4: a command line has 512 bytes, its CRLF included. */
const MAX_LINE_CHARS = 510;
const MAX_VALUE_CHARS = 255;
const UNAVAILABLE = "[UNAVAILABLE]";

/** Command lines with their CRLF, as many as the attributes need; none when the host takes none of them. */
export function xforwardCommands(
  id: string,
  origin: Origin | undefined,
  offered: readonly string[],
): readonly string[] {
  const lines: string[] = [];
  let line = "XFORWARD";
  for (const [name, value] of attributesOf(id, origin)) {
    if (!offered.includes(name)) continue;
    const attribute = ` ${name}=${xtext(value === "" ? UNAVAILABLE : value.slice(0, MAX_VALUE_CHARS))}`;
    if (line.length + attribute.length > MAX_LINE_CHARS && line !== "XFORWARD") {
      lines.push(`${line}\r\n`);
      line = "XFORWARD";
    }
    line += attribute;
  }
  return line === "XFORWARD" ? lines : [...lines, `${line}\r\n`];
}

const NAMES = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"];

/** A host that finds one value malformed drops the line: who names his address so would pass for us. */
const HOST_NAME = /^[\w-]{1,63}(?:\.[\w-]{1,63})*$/;

/** What a proxy in front of us said counts; else it is our own client. */
function attributesOf(id: string, origin: Origin | undefined): readonly (readonly [string, string])[] {
  const told = origin?.forwarded ?? (origin === undefined ? {} : ownClient(origin));
  return NAMES.map((name) => [name, valueOf(name, told[name] ?? "", id)] as const);
}

function valueOf(name: string, value: string, id: string): string {
  if (value === "") return name === "IDENT" ? id : "";
  if (name === "NAME") return HOST_NAME.test(value) ? value : "";
  return name === "ADDR" && value.includes(":") ? `IPV6:${value}` : value;
}

function ownClient(origin: Origin): Readonly<Record<string, string>> {
  const { via, clientName = "", clientAddress = "", clientPort, protocol = "", heloDomain = "" } = origin;
  if (via !== "smtp") return { SOURCE: "LOCAL" };
  const PORT = clientPort === undefined ? "" : String(clientPort);
  const client = { NAME: clientName, ADDR: clientAddress, PORT, PROTO: protocol, HELO: heloDomain };
  return { ...client, SOURCE: "REMOTE" };
}
