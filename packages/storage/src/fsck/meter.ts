import type { MaintenanceLine } from "@dsm/protocol";

type Progress = Extract<MaintenanceLine, { progress: unknown }>["progress"];

const tellEveryMs = 200;

/** Tells how far a step has come, no more often than people can read. */
export class Meter {
  readonly #doing: string;
  readonly #unit: Progress["unit"];
  readonly #total: number;
  readonly #done: () => number;
  #toldAtMs = -Infinity;

  /** @param total 0 where it is not known */
  constructor(doing: string, unit: Progress["unit"], total: number, done: () => number) {
    this.#doing = doing;
    this.#unit = unit;
    this.#total = total;
    this.#done = done;
  }

  *tell(): Generator<MaintenanceLine, void, undefined> {
    if (performance.now() - this.#toldAtMs < tellEveryMs) return;
    this.#toldAtMs = performance.now();
    const done = this.#done();
    // What came in while we worked is more than was counted.
    const total = this.#total === 0 ? 0 : Math.max(this.#total, done);
    yield { progress: { doing: this.#doing, done, total, unit: this.#unit } };
  }
}
