import { SingleBar } from "cli-progress";
import { sizeText, spanText } from "./table.ts";

/** How far a long piece of work has come, in the words of protocol/maintenance.ts. */
export interface WorkProgress {
  readonly doing: string;
  readonly done: number;
  /** 0 as long as it is not known. */
  readonly total: number;
  readonly unit: string;
}

export interface WorkBar extends Disposable {
  show(progress: WorkProgress): void;
  /** Makes room for a line of output; the bar comes back with the next progress. */
  clear(): void;
}

const nothing: WorkBar = { show: () => {}, clear: () => {}, [Symbol.dispose]: () => {} };

/**
 * A bar on stderr with speed and time left, one for each thing that is done; nothing where no
 * person reads it.
 */
export function workBar(json: boolean): WorkBar {
  return json || !process.stderr.isTTY ? nothing : new TerminalBar();
}

class TerminalBar implements WorkBar {
  #bar: SingleBar | undefined;
  #doing = "";
  #beganAtMs = 0;

  show({ doing, done, total, unit }: WorkProgress): void {
    if (doing !== this.#doing) this.#beganAtMs = performance.now();
    if (doing !== this.#doing || this.#bar === undefined) this.#begin(doing, total);
    const amount = (n: number) => (unit === "bytes" ? sizeText(Math.round(n)) : `${Math.round(n)}`);
    const seconds = Math.max(0.001, (performance.now() - this.#beganAtMs) / 1_000);
    const perSecond = done / seconds;
    const leftMs = perSecond === 0 ? 0 : ((total - done) / perSecond) * 1_000;
    this.#bar?.update(done, {
      amount: total === 0 ? amount(done) : `${amount(done)} of ${amount(total)}`,
      unit: unit === "bytes" ? "" : ` ${unit}`,
      speed: `${amount(perSecond)}/s`,
      left: total === 0 ? "" : `${spanText(leftMs)} left`,
    });
  }

  #begin(doing: string, total: number): void {
    this.#bar?.stop();
    this.#doing = doing;
    const bar = total === 0 ? "" : "{bar} {percentage}%  ";
    this.#bar = new SingleBar({
      stream: process.stderr,
      format: `${doing}  ${bar}{amount}{unit}  {speed}  {left}`,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      hideCursor: true,
      clearOnComplete: true,
      // Signals are handled in signals.ts.
      gracefulExit: false,
    });
    this.#bar.start(total, 0, { amount: "", unit: "", speed: "", left: "" });
  }

  clear(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
