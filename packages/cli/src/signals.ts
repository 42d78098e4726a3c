import { constants } from "node:os";
import { warn } from "./report.ts";

type StopSignal = "SIGINT" | "SIGTERM";

/** The first signal asks to stop in order, the second stops at once. */
export interface Stop {
  readonly signal: AbortSignal;
  /** Says that it was stopped; gives 130 for Ctrl-C, as shells expect, and 143 for SIGTERM. */
  report(): number;
}

export function stopOnSignals(): Stop {
  const controller = new AbortController();
  let received: StopSignal = "SIGINT";
  const onSignal = (name: StopSignal) => {
    if (controller.signal.aborted) process.exit(exitCodeOf(name));
    received = name;
    controller.abort(new DOMException(`stopped by ${name}`, "AbortError"));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    report: () => {
      warn(`dsm: stopped by ${received}`);
      return exitCodeOf(received);
    },
  };
}

function exitCodeOf(name: StopSignal): number {
  return 128 + constants.signals[name];
}

/** Resolves when the signal is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
