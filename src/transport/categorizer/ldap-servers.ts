// The servers of one directory in order: one connection to the first that works, fail-over, and a pause for those that do not.
import type { Clock } from "../../core/clock.ts";
import { describeError, OnArrivalError, type ErrorCode } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { isWrongCredentials, LdapConnection } from "./ldap-connection.ts";
import type { LdapSettings } from "./ldap-settings.ts";

interface ServerState {
  readonly url: string;
  failures: number;
  /** Not asked before. */
  restsUntil: number;
  /** Why it failed last. */
  fault: OnArrivalError | undefined;
}

export interface LdapServersParts {
  readonly settings: LdapSettings;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 ≤ x < 1: spreads the pauses of many services over time. */
  readonly random: () => number;
}

export class LdapServers {
  readonly #parts: LdapServersParts;
  readonly #states: readonly ServerState[];
  #current: Promise<LdapConnection> | undefined;
  #working = 0;
  #cancelIdle: () => void = () => undefined;
  #isClosed = false;

  constructor(parts: LdapServersParts) {
    this.#parts = parts;
    this.#states = parts.settings.servers.map((url) => ({
      url,
      failures: 0,
      restsUntil: 0,
      fault: undefined,
    }));
  }

  /** Work that only asks, so that it may be done again elsewhere. Throws DIRECTORY_UNAVAILABLE or DIRECTORY_REFUSED. */
  async run<T>(work: (connection: LdapConnection) => Promise<T>): Promise<T> {
    this.#cancelIdle();
    this.#working += 1;
    try {
      return await this.#tryEach(work);
    } finally {
      this.#working -= 1;
      if (this.#working === 0)
        this.#cancelIdle = this.#parts.clock.after(this.#parts.settings.idleMs, () => void this.#leave());
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelIdle();
    await this.#leave();
  }

  async #tryEach<T>(work: (connection: LdapConnection) => Promise<T>): Promise<T> {
    // Each server once, and once more for a connection that was ended behind our back.
    for (let left = this.#states.length; ; left -= 1) {
      const connection = await this.#connected();
      try {
        const result = await work(connection);
        this.#worked(connection);
        return result;
      } catch (error) {
        // A server that answered, if only by refusing the question, is not replaced.
        if (connection.isOpen) throw error;
        this.#lost(connection, error);
        if (left <= 0 || this.#isClosed) throw error;
      }
    }
  }

  async #connected(): Promise<LdapConnection> {
    const current = this.#current;
    if (current !== undefined) {
      const connection = await current;
      if (connection.isOpen) return connection;
      if (this.#current === current) this.#current = undefined;
    }
    if (this.#isClosed) throw new OnArrivalError("DIRECTORY_UNAVAILABLE", "the directory is closed");
    this.#current ??= this.#keep(this.#open());
    return this.#current;
  }

  /** A connection that failed to open is not waited for again. */
  #keep(opening: Promise<LdapConnection>): Promise<LdapConnection> {
    opening.catch(() => {
      if (this.#current === opening) this.#current = undefined;
    });
    return opening;
  }

  async #open(): Promise<LdapConnection> {
    const { settings, clock } = this.#parts;
    for (const state of this.#states) {
      if (state.restsUntil > clock.now()) continue;
      try {
        // oxlint-disable-next-line no-await-in-loop -- the next one is for when this one fails
        return await LdapConnection.open(state.url, settings, clock);
      } catch (error) {
        this.#failed(state, error);
        if (isWrongCredentials(error)) break;
      }
    }
    throw this.#allDown();
  }

  #allDown(): OnArrivalError {
    const until = Math.min(...this.#states.map(({ restsUntil }) => restsUntil));
    const faults = this.#states.flatMap(({ fault }) => fault ?? []);
    const isRefused = faults.some(({ code }) => code === "DIRECTORY_REFUSED");
    const code: ErrorCode = isRefused ? "DIRECTORY_REFUSED" : "DIRECTORY_UNAVAILABLE";
    const reasons = faults.map(({ message }) => message).join("; ");
    return new OnArrivalError(code, `not asked again before ${new Date(until).toISOString()}: ${reasons}`);
  }

  #worked({ url }: LdapConnection): void {
    const state = this.#states.find((one) => one.url === url);
    if (state === undefined || state.failures === 0) return;
    state.failures = 0;
    state.fault = undefined;
    this.#parts.log.info({ directory: url }, "directory server answers again");
  }

  /** A connection that had served before may have been ended for idleness: only a fresh one speaks for its server. */
  #lost(connection: LdapConnection, error: unknown): void {
    const state = this.#states.find(({ url }) => url === connection.url);
    if (state === undefined || connection.served > 0) return;
    if (state.restsUntil <= this.#parts.clock.now()) this.#failed(state, error);
  }

  #failed(state: ServerState, error: unknown): void {
    const { settings, clock, log, random } = this.#parts;
    const { minMs, maxMs, refusedMs } = settings.retry;
    const isLocking = isWrongCredentials(error);
    state.failures += 1;
    state.fault =
      error instanceof OnArrivalError
        ? error
        : new OnArrivalError("DIRECTORY_UNAVAILABLE", describeError(error));
    const grown = Math.min(maxMs, minMs * 2 ** Math.min(state.failures - 1, 30));
    const pauseMs = isLocking ? refusedMs : Math.round(grown * (0.5 + random() / 2));
    // The same password at the next server would only be one more step towards a locked account.
    for (const one of isLocking ? this.#states : [state]) one.restsUntil = clock.now() + pauseMs;
    log.warn(
      { directory: state.url, reason: state.fault.message, retryInMs: pauseMs },
      isLocking ? "directory server refuses our credentials" : "directory server cannot be used",
    );
  }

  async #leave(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.then(
      (connection) => connection.close(),
      () => undefined,
    );
  }
}
