import { type FileEvent, type State } from "./file-history.ts";
import { FileModel } from "./file-model.ts";

interface Boundary {
  readonly atMs: number;
  readonly isEnd: boolean;
  readonly event: FileEvent;
}

/** What an event could not be explained with: the states that were possible then. */
export interface Unexplained {
  readonly event: FileEvent;
  readonly possible: ReadonlySet<State>;
}

/**
 * Brings the events of one file, which become known when their operations end, into the order in
 * which the model wants them. So it lags behind: by the longest operation under way.
 */
export class Timeline {
  readonly #model = new FileModel();
  readonly #open = new Set<{ readonly startMs: number }>();
  #waiting: Boundary[] = [];
  #followedToMs = -Infinity;

  /** How many operations on this file have not ended. */
  get underWay(): number {
    return this.#open.size;
  }

  /** The states that the file may be in, as far as events were followed. */
  states(): ReadonlySet<State> {
    return this.#model.states();
  }

  /** @returns what must be called once, with what is known of the operation when it ends */
  begin(startMs: number): (events: readonly FileEvent[]) => void {
    const operation = { startMs };
    this.#open.add(operation);
    return (events) => {
      this.#open.delete(operation);
      for (const event of events) {
        if (event.startMs < this.#followedToMs)
          throw new RangeError("an event that comes too late");
        this.#waiting.push(
          { atMs: event.startMs, isEnd: false, event },
          { atMs: event.endMs, isEnd: true, event },
        );
      }
    };
  }

  /**
   * Follows what is certain to be complete: events before `nowMs`, of which nothing can come that
   * began earlier.
   */
  follow(nowMs: number): Unexplained | undefined {
    const horizonMs = Math.min(nowMs, ...[...this.#open].map(({ startMs }) => startMs));
    this.#followedToMs = Math.max(this.#followedToMs, horizonMs);
    const due = this.#waiting.filter(({ atMs }) => atMs < horizonMs).toSorted(byTime);
    this.#waiting = this.#waiting.filter(({ atMs }) => atMs >= horizonMs);
    for (const { isEnd, event } of due) {
      if (!isEnd) {
        this.#model.begin(event);
        continue;
      }
      const possible = this.#model.states();
      if (!this.#model.end(event)) return { event, possible };
    }
    return undefined;
  }
}

/** What begins when another one ends was under way together with it. */
function byTime(a: Boundary, b: Boundary): number {
  return a.atMs - b.atMs || Number(a.isEnd) - Number(b.isEnd);
}
