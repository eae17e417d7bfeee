// Lines of the log that an administrator would have found in the system's event log, each with an id, and the sinks of EventLog
// that see them (REFERENCE 4.1). The texts of log lines are constant, so a line is known by its text.
import type { Clock } from "../core/clock.ts";
import type { LogFields, Logger } from "../core/logger.ts";
import { EVENTS } from "./catalog.ts";
import type { SystemChain, SystemSinks } from "./system-chain.ts";

/** Id and name of each line by its text. Ids stay as they are: people filter by them. */
export const LOGGED_EVENTS: Readonly<Record<string, { readonly id: number; readonly name: string }>> = {
  "service started": { id: 1000, name: "serviceStarted" },
  "stopping: what is in hand is finished": { id: 1001, name: "serviceStopping" },
  "configuration reloaded": { id: 1010, name: "configurationReloaded" },
  "reload refused; the configuration stays as it was": { id: 1011, name: "configurationRefused" },
  "some changed settings apply at the next start": { id: 1012, name: "restartNeeded" },
  "binding reached maxFirings and is disabled": { id: 1013, name: "bindingUsedUp" },
  "virtual server started": { id: 1020, name: "serverStarted" },
  "virtual server stopped": { id: 1021, name: "serverStopped" },
  "virtual server paused: new clients are turned away": { id: 1022, name: "serverPaused" },
  "virtual server goes on": { id: 1023, name: "serverContinued" },
  "virtual server added": { id: 1024, name: "serverAdded" },
  "virtual server removed; its mailroot stays": { id: 1025, name: "serverRemoved" },
  "the added virtual server could not begin and is stopped": { id: 1026, name: "serverFailed" },
  "script live": { id: 1100, name: "scriptLive" },
  "script reloaded": { id: 1101, name: "scriptReloaded" },
  "script not loaded; its last good version stays, where it has one": { id: 1102, name: "scriptRefused" },
  "script suspended after too many timeouts or crashes in a row; save a corrected version": {
    id: 1103,
    name: "scriptSuspended",
  },
  "script no longer suspended": { id: 1104, name: "scriptResumed" },
  "a sandbox process did not start": { id: 1105, name: "sandboxFailed" },
  "a binding has no script to call": { id: 1106, name: "bindingUnserved" },
  "no mail is taken: the disk is full or cannot be looked at": { id: 1200, name: "diskLow" },
  "mail is taken again": { id: 1201, name: "diskFree" },
  "the store could not write": { id: 1202, name: "storeFailed" },
  "files of the queue were removed under the running service: their messages are written anew": {
    id: 1203,
    name: "queueFolderGone",
  },
  "damaged entry of the store set aside": { id: 1204, name: "storeDamaged" },
  "next hop cannot be reached": { id: 1300, name: "queueStuck" },
  "next hop answers again": { id: 1301, name: "queueMoves" },
  "message held: a sink failed on it": { id: 1302, name: "messageHeld" },
  "message moved to Badmail": { id: 1303, name: "messageBadmail" },
  "undeliverable report moved to Badmail": { id: 1304, name: "reportBadmail" },
  "authentication refused: locked out": { id: 1400, name: "clientLockedOut" },
};

export interface LogEntry {
  /** As 1200; it stays the same from version to version. */
  readonly id: number;
  /** As "diskLow"; docs/events/eventLog.md lists them. */
  readonly name: string;
  readonly severity: "debug" | "info" | "warn" | "error";
  /** ms since the epoch. */
  readonly time: number;
  /** The constant text of the line. */
  readonly text: string;
  /** What varies: the message, the error and the like, by the names that the log has. */
  readonly fields: LogFields;
  /** Set to false, the line is not written. */
  isWritten: boolean;
}

type Severity = LogEntry["severity"];

export class EventLog {
  readonly #clock: Clock;
  #live: { readonly chain: SystemChain<LogEntry>; readonly sinks: SystemSinks } | undefined;
  /** A sink that fails, or logs, while it looks at a line must not be shown the line about that. */
  #isShowing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The sinks that see lines from now on. */
  use(chain: SystemChain<LogEntry>, sinks: SystemSinks): void {
    this.#live = { chain, sinks };
  }

  /** Writes to `log`: lines of the list with their `eventId`, unless a sink wants them left out. */
  watched(log: Logger, ofEveryLine: LogFields = {}): Logger {
    const write = (severity: Severity, fields: LogFields, text: string): void => {
      const event = LOGGED_EVENTS[text];
      if (event === undefined) log[severity](fields, text);
      else if (this.#mayPass({ ...event, severity, text, fields: { ...ofEveryLine, ...fields } }))
        log[severity]({ eventId: event.id, ...fields }, text);
    };
    return {
      debug: (fields, text) => log.debug(fields, text),
      info: (fields, text) => write("info", fields, text),
      warn: (fields, text) => write("warn", fields, text),
      error: (fields, text) => write("error", fields, text),
      child: (fields) => this.watched(log.child(fields), { ...ofEveryLine, ...fields }),
    };
  }

  #mayPass(line: Omit<LogEntry, "time" | "isWritten">): boolean {
    const live = this.#live;
    if (live === undefined || live.chain.isEmpty || this.#isShowing) return true;
    const subject: LogEntry = { ...line, time: this.#clock.now(), isWritten: true };
    this.#isShowing = true;
    try {
      void live.sinks.run(live.chain, {
        subject,
        server: undefined,
        onFault: EVENTS.EventLog.onFault,
        promises: EVENTS.EventLog.promises,
        remember: () => {
          const { isWritten } = subject;
          return () => {
            subject.isWritten = isWritten;
          };
        },
      });
    } finally {
      this.#isShowing = false;
    }
    return subject.isWritten;
  }
}
