import pino, { type Logger } from "pino";

/** Structured logs, one JSON object a line on stderr, so that stdout stays free for results. */
export type Log = Logger;

export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export function createLog(level: LogLevel): Log {
  const destination = pino.destination({ dest: 2, sync: true });
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** For tests and for embedding: says nothing. */
export const silentLog: Log = pino({ level: "silent" });
