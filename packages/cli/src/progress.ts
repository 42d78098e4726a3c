import { SingleBar } from "cli-progress";
import { sizeText } from "./table.ts";

/** How far a transfer has come. */
export interface Progress extends Disposable {
  /** Bytes so far; fewer than before when a transfer starts again. */
  at(bytes: number): void;
}

const nothing: Progress = { at: () => {}, [Symbol.dispose]: () => {} };

/** A bar on stderr, where that is a terminal and a person reads it; else nothing. */
export function progressBar(label: string, sizeBytes: number | undefined, json: boolean): Progress {
  if (json || !process.stderr.isTTY) return nothing;
  const format =
    sizeBytes === undefined
      ? `${label}  {done}  {speed}/s`
      : `${label}  {bar} {percentage}%  {done} of ${sizeText(sizeBytes)}  {speed}/s`;
  const bar = new SingleBar({
    stream: process.stderr,
    format,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
    clearOnComplete: true,
    // Signals are handled in signals.ts.
    gracefulExit: false,
  });
  const startedAtMs = performance.now();
  bar.start(sizeBytes ?? 0, 0, { done: sizeText(0), speed: sizeText(0) });
  return {
    at: (bytes) => {
      const seconds = Math.max(0.001, (performance.now() - startedAtMs) / 1_000);
      bar.update(bytes, { done: sizeText(bytes), speed: sizeText(Math.round(bytes / seconds)) });
    },
    [Symbol.dispose]: () => bar.stop(),
  };
}
