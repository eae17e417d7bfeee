// The log: JSON lines (or lines for people) on standard output, written by pino in blocks.
import { pino, type Logger as PinoLogger } from "pino";
import type { LogFields, Logger } from "../core/logger.ts";
import { printableJson } from "../core/printable.ts";
import { BlockWriter } from "./block-writer.ts";
import { createPrettyStream } from "./pretty.ts";
import { redact } from "./redact.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: "json" | "pretty";
}

/** A logger with an end: `close` writes what is still in memory. */
export interface ServiceLogger extends Logger {
  flush(): void;
  close(): Promise<void>;
}

/** Two lines per message would cost a system call each: lines are gathered up to this size, or this long. */
const BLOCKS = { blockBytes: 16 * 1024, flushMs: 100, maxPendingBytes: 16 * 1024 * 1024 };

/**
 * `fd` is where lines go: 1, or a file of a test. A line of level error is written at once, with all before it, so that a
 * crash just after it does not take it along.
 */
export function createServiceLogger(settings: LogSettings, fd = 1): ServiceLogger {
  const writer = new BlockWriter(fd, BLOCKS);
  const stream = settings.format === "pretty" ? createPrettyStream(writer) : writer;
  const flush = (): void => writer.flushSync();
  process.on("exit", flush);
  const options = {
    level: settings.level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    // Fields have `message` for the id of a message: the text of the line needs another key.
    messageKey: "msg",
    timestamp: createTimestamp(),
    hooks: { streamWrite: printableJson },
  };
  const root = wrap(pino(options, stream), flush);
  return Object.assign(root, {
    flush,
    close: (): Promise<void> => {
      process.off("exit", flush);
      return writer.close();
    },
  });
}

/** Many lines fall into one millisecond: its text is made once. */
function createTimestamp(): () => string {
  let at = 0;
  let text = "";
  return () => {
    const now = Date.now();
    if (now !== at) {
      at = now;
      text = `,"time":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
}

function wrap(log: PinoLogger, flush: () => void): Logger {
  return {
    debug: (fields, message) => log.debug(redact(fields), message),
    info: (fields, message) => log.info(redact(fields), message),
    warn: (fields, message) => log.warn(redact(fields), message),
    error: (fields, message) => {
      log.error(redact(fields), message);
      flush();
    },
    child: (fields: LogFields) => wrap(log.child(redact(fields)), flush),
  };
}
