import pino, { type DestinationStream, type Logger } from "pino";

/** Structured logs, one JSON object a line on stderr, so that stdout stays free for results. */
export type Log = Logger;

export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** @param destination takes one line at a time; stderr unless given */
export function createLog(level: LogLevel, destination: DestinationStream = toStderr()): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

function toStderr(): DestinationStream {
  return pino.destination({ dest: 2, sync: true });
}

/** For tests and for embedding: says nothing. */
export const silentLog: Log = pino({ level: "silent" });
