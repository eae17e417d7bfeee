// One connection to one directory server, bound and looked at, and its searches. The door of ldapts: nothing else imports it.
import type { Socket } from "node:net";
import {
  AndFilter,
  Client,
  EqualityFilter,
  type Filter,
  FilterParser,
  OrFilter,
  PresenceFilter,
  ResultCodeError,
} from "ldapts";
import type { Clock } from "../../core/clock.ts";
import { describeError, OnArrivalError } from "../../core/errors.ts";
import { ANY_ENTRY, type LdapFilter } from "./ldap-filter.ts";
import type { LdapSettings } from "./ldap-settings.ts";
import { type LdapEntry, readEntry } from "./ldap-result.ts";
import { connectTcp, opened, parseLdapUrl, secure } from "./ldap-socket.ts";

export interface LdapSearch {
  readonly base: string;
  /** One entry by its name, or what is below the base. */
  readonly scope: "base" | "sub";
  readonly filter: LdapFilter;
  readonly attributes: readonly string[];
  /** Of "sub": so many entries are looked for. */
  readonly count?: number;
}

const CLIENT_EVENTS = ["data", "close", "end", "timeout"];
const START_TLS = "1.3.6.1.4.1.1466.20037";
const PAGED_RESULTS = "1.2.840.113556.1.4.319";
const ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800";
/** RFC 4511 §4.5.1.8: no attribute at all. */
const NO_ATTRIBUTES = "1.1";

// RFC 4511 appendix A.1.
const NO_SUCH_OBJECT = 32;
const INVALID_CREDENTIALS = 49;
const INVALID_DN_SYNTAX = 34;
/** The server itself cannot go on: another one may. */
const BUSY = [51, 52];
/** Errors of operation, protocol, credentials, rights, names and filters: whoever asks again the same gets the same. */
const REFUSALS = [1, 2, 7, 8, 13, 17, 18, 21, NO_SUCH_OBJECT, INVALID_DN_SYNTAX, 48, INVALID_CREDENTIALS, 50];

export class LdapConnection {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #settings: LdapSettings;
  readonly #clock: Clock;
  readonly #url: string;
  #hasPaging = false;
  #dnAttribute: string | undefined;
  #waiting = 0;
  #received = 0;
  #served = 0;

  private constructor(socket: Socket, url: string, settings: LdapSettings, clock: Clock) {
    this.#socket = socket;
    this.#url = url;
    this.#settings = settings;
    this.#clock = clock;
    this.#client = clientOf(socket);
    socket.on("data", (chunk: Buffer) => this.#count(chunk.length));
  }

  /** Throws DIRECTORY_REFUSED when the server does not want us, DIRECTORY_UNAVAILABLE when it cannot be used now. */
  static async open(url: string, settings: LdapSettings, clock: Clock): Promise<LdapConnection> {
    const socket = await openSocket(url, settings, clock);
    const connection = new LdapConnection(socket, url, settings, clock);
    try {
      await connection.#greet();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get url(): string {
    return this.#url;
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** Searches that it has answered. */
  get served(): number {
    return this.#served;
  }

  /** By which names of entries can be searched: RFC 5020, or as Active Directory has it. Undefined: they cannot. */
  get dnAttribute(): string | undefined {
    return this.#dnAttribute;
  }

  /** No entries when `scope` is "base" and there is none of that name. Referrals are left alone. */
  async search(search: LdapSearch): Promise<readonly LdapEntry[]> {
    const { searchMs } = this.#settings.timeouts;
    const entries = await this.#ask(searchMs, "the search", () => this.#entries(search, searchMs));
    this.#served += 1;
    return entries;
  }

  close(): void {
    // RFC 4511 §4.3: unbind has no answer; the end of the connection says the same.
    this.#socket.destroy();
  }

  async #greet(): Promise<void> {
    const { bind, base, timeouts } = this.#settings;
    await this.#ask(timeouts.bindMs, "the bind", () =>
      this.#client.bind(bind?.dn ?? "", bind?.password ?? ""),
    );
    const [root] = await this.#look("", ANY_ENTRY, ["supportedControl", "supportedCapabilities"]);
    this.#hasPaging = root?.attributes.get("supportedcontrol")?.includes(PAGED_RESULTS) ?? false;
    const isActiveDirectory =
      root?.attributes.get("supportedcapabilities")?.includes(ACTIVE_DIRECTORY) ?? false;
    this.#dnAttribute = this.#settings.dnAttribute ?? (isActiveDirectory ? "distinguishedName" : "entryDN");
    if (base === "") return;
    // Who may not see the base would see no entry either, and every recipient would seem unknown.
    if ((await this.#look(base, ANY_ENTRY, [NO_ATTRIBUTES])).length === 0)
      throw new OnArrivalError(
        "DIRECTORY_REFUSED",
        `${this.#url} shows no entry ${base}: there is none, or this user may not see it`,
      );
    // Where a server does not know that attribute, every member of a group would seem gone.
    const byName = { kind: "equal", attribute: this.#dnAttribute, value: base } as const;
    if ((await this.#look(base, byName, [NO_ATTRIBUTES])).length === 0) this.#dnAttribute = undefined;
  }

  #look(base: string, filter: LdapFilter, attributes: readonly string[]): Promise<readonly LdapEntry[]> {
    const { bindMs } = this.#settings.timeouts;
    return this.#ask(bindMs, base === "" ? "the first search" : "the search for the base", () =>
      this.#entries({ base, scope: "base", filter, attributes }, bindMs),
    );
  }

  async #entries(
    { base, scope, filter, attributes, count = 1 }: LdapSearch,
    timeMs: number,
  ): Promise<LdapEntry[]> {
    // RFC 2696 §3: a page may be empty and not the last. The library takes it for the last, and whoever comes behind it would be
    // unknown: pages are for what might not fit into one answer, and too large an answer is a fault.
    const isPaged = this.#hasPaging && count > this.#settings.pageSize;
    try {
      const { searchEntries } = await this.#client.search(base, {
        scope,
        filter: filterOf(filter),
        attributes: [...attributes],
        timeLimit: Math.ceil(timeMs / 1000),
        ...(isPaged && { paged: { pageSize: this.#settings.pageSize } }),
      });
      return searchEntries.map((entry) => readEntry(entry));
    } catch (error) {
      const isAbsent =
        error instanceof ResultCodeError && [NO_SUCH_OBJECT, INVALID_DN_SYNTAX].includes(error.code);
      if (isAbsent && scope === "base") return [];
      throw error;
    }
  }

  /** One request under its deadline: past it the whole connection counts as lost, whatever else is asked on it. */
  async #ask<T>(ms: number, what: string, request: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    try {
      return await within(this.#clock, ms, what, request(), () => this.close());
    } catch (error) {
      if (error instanceof ResultCodeError && BUSY.includes(error.code)) this.close();
      throw faultOf(error, this.#url, what);
    } finally {
      this.#waiting -= 1;
      this.#received = 0;
    }
  }

  /** An answer without end is an attack or a defect. */
  #count(bytes: number): void {
    this.#received += bytes;
    const most = this.#settings.maxAnswerSize * Math.max(1, this.#waiting);
    if (this.#received > most) this.#socket.destroy(new Error(`an answer is larger than ${most} bytes`));
  }
}

/** Asked again and again, here or at the next server, the account may be locked. */
export const isWrongCredentials = (error: unknown): boolean =>
  error instanceof OnArrivalError &&
  error.cause instanceof ResultCodeError &&
  error.cause.code === INVALID_CREDENTIALS;

async function openSocket(url: string, settings: LdapSettings, clock: Clock): Promise<Socket> {
  const server = parseLdapUrl(url);
  const { connectMs } = settings.timeouts;
  const tcp = connectTcp(server);
  const opening = async (): Promise<Socket> => {
    await opened(tcp, "connect");
    if (server.isSecure) return secure(tcp, server, settings.tls);
    if (settings.tls.startTls === "never") return tcp;
    await startTls(tcp);
    return secure(tcp, server, settings.tls);
  };
  try {
    return await within(clock, connectMs, "the connection", opening(), () => tcp.destroy());
  } catch (error) {
    tcp.destroy();
    throw faultOf(error, url, "the connection");
  }
}

/** RFC 4511 §4.14. The client that asked would read the bytes of TLS: it goes, and what came in clear behind the answer with it. */
async function startTls(tcp: Socket): Promise<void> {
  const before = CLIENT_EVENTS.map((event) => tcp.listeners(event));
  await clientOf(tcp).exop(START_TLS);
  tcp.on("error", () => undefined);
  for (const [index, event] of CLIENT_EVENTS.entries())
    for (const listener of tcp.listeners(event).filter((one) => !before[index]?.includes(one)))
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node types what it hands out as Function
      tcp.off(event, listener as (...parameters: unknown[]) => void);
}

/** A client for this connection only: the library would open another by itself, in clear and not bound. */
function clientOf(socket: Socket): Client {
  return new Client({
    url: "ldap://directory",
    createConnection: () => {
      if (socket.destroyed) throw new Error("the connection was lost");
      return socket;
    },
  });
}

async function within<T>(
  clock: Clock,
  ms: number,
  what: string,
  work: Promise<T>,
  giveUp: () => void,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(ms, () => {
    late.reject(new Error(`${what} took longer than ${ms} ms`));
    giveUp();
  });
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}

function faultOf(error: unknown, url: string, what: string): OnArrivalError {
  if (error instanceof OnArrivalError) return error;
  const isResult = error instanceof ResultCodeError;
  return new OnArrivalError(
    isResult && REFUSALS.includes(error.code) ? "DIRECTORY_REFUSED" : "DIRECTORY_UNAVAILABLE",
    // What a result code is called stands in the name of its class.
    `${url}: ${what} failed: ${isResult ? `${error.name}: ` : ""}${describeError(error)}`,
    { cause: error },
  );
}

function filterOf(filter: LdapFilter): Filter {
  switch (filter.kind) {
    case "equal":
      return new EqualityFilter({ attribute: filter.attribute, value: filter.value });
    case "all":
      return new AndFilter({ filters: filter.filters.map((one) => filterOf(one)) });
    case "any":
      return new OrFilter({ filters: filter.filters.map((one) => filterOf(one)) });
    case "present":
      return new PresenceFilter({ attribute: filter.attribute });
    case "text":
      return parseFilter(filter.text);
  }
}

function parseFilter(text: string): Filter {
  try {
    return FilterParser.parseString(text);
  } catch (error) {
    throw new OnArrivalError("DIRECTORY_REFUSED", `${text} is no filter: ${describeError(error)}`, {
      cause: error,
    });
  }
}
