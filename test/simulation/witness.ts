import type { Schedule } from "./schedule.ts";

/** Says what is promised and was not kept; the run ends there. */
export class Witness {
  /** What was broken first. */
  broken: string | undefined;
  readonly #schedule: Schedule;
  readonly #tell: ((line: string) => void) | undefined;

  /** @param tell gets the trace, where one is wanted */
  constructor(schedule: Schedule, tell?: (line: string) => void) {
    this.#schedule = schedule;
    this.#tell = tell;
  }

  /** @param line is only asked for when somebody reads it */
  trace(line: () => string): void {
    this.#tell?.(`${this.#at()} ${line()}`);
  }

  /** The simulated world did what it must never do. */
  accuse(what: string): void {
    if (this.broken !== undefined) return;
    this.broken = `${this.#at()} ${what}`;
    this.#tell?.(`BROKEN ${this.broken}`);
    this.#schedule.stopped = true;
  }

  #at(): string {
    return `[${(this.#schedule.nowMs / 1_000).toFixed(4).padStart(10)} s]`;
  }
}
