// A directory server for tests that says what no OpenLDAP would: member ranges of Active Directory, endless and broken answers.
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { BerReader, BerWriter } from "ldapts";

export interface RespondedEntry {
  readonly dn: string;
  readonly attributes: Readonly<Record<string, readonly string[]>>;
}

export interface SearchAsked {
  readonly base: string;
  readonly attributes: readonly string[];
}

/** Entries, a result code other than success, or bytes as they are. */
export type Response = readonly RespondedEntry[] | number | Buffer;

export interface LdapResponder extends AsyncDisposable {
  readonly port: number;
  readonly searches: SearchAsked[];
  readonly connections: number;
}

const BIND_REQUEST = 0x60;
const SEARCH_REQUEST = 0x63;
const UNBIND_REQUEST = 0x42;

/** RFC 4511 §4.1.1. */
function message(id: number, operation: number, write: (writer: BerWriter) => void): Buffer {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(id);
  writer.startSequence(operation);
  write(writer);
  writer.endSequence();
  writer.endSequence();
  return writer.buffer;
}

const result = (id: number, operation: number, code: number): Buffer =>
  message(id, operation, (writer) => {
    writer.writeEnumeration(code);
    writer.writeString("");
    writer.writeString("");
  });

const entryMessage = (id: number, { dn, attributes }: RespondedEntry): Buffer =>
  message(id, 0x64, (writer) => {
    writer.writeString(dn);
    writer.startSequence();
    for (const [name, values] of Object.entries(attributes)) {
      writer.startSequence();
      writer.writeString(name);
      writer.startSequence(0x31);
      for (const value of values) writer.writeString(value);
      writer.endSequence();
      writer.endSequence();
    }
    writer.endSequence();
  });

export async function startLdapResponder(
  respond: (search: SearchAsked) => Response | Promise<Response>,
): Promise<LdapResponder> {
  const searches: SearchAsked[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const answer = async (socket: Socket, id: number, reader: BerReader): Promise<void> => {
    const search = readSearch(reader);
    searches.push(search);
    const response = await respond(search);
    if (Buffer.isBuffer(response)) socket.write(response);
    else if (typeof response === "number") socket.write(result(id, 0x65, response));
    else {
      for (const entry of response) socket.write(entryMessage(id, entry));
      socket.write(result(id, 0x65, 0));
    }
  };
  const server = createServer({ noDelay: true }, (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const reader = new BerReader(rest);
        if (reader.readSequence() === null || reader.remain < reader.length) return;
        const end = reader.offset + reader.length;
        const id = reader.readInt() ?? 0;
        const operation = reader.readSequence();
        if (operation === BIND_REQUEST) socket.write(result(id, 0x61, 0));
        if (operation === UNBIND_REQUEST) socket.end();
        if (operation === SEARCH_REQUEST) void answer(socket, id, reader);
        rest = rest.subarray(end);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    searches,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** RFC 4511 §4.5.1; the filter is skipped. */
function readSearch(reader: BerReader): SearchAsked {
  const base = reader.readString() ?? "";
  reader.readEnumeration();
  reader.readEnumeration();
  reader.readInt();
  reader.readInt();
  reader.readBoolean();
  reader.readSequence();
  reader.offset += reader.length;
  const attributes: string[] = [];
  reader.readSequence();
  const end = reader.offset + reader.length;
  while (reader.offset < end) attributes.push(reader.readString() ?? "");
  return { base, attributes };
}
