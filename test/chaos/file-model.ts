import { absent, type FileEvent, holds, type State } from "./file-history.ts";

/** One way in which things may have happened: the state now, and what is behind us already. */
interface Possibility {
  readonly state: State;
  /** Of the events under way, by their bits, those that have taken effect or were seen. */
  readonly done: bigint;
}

interface UnderWay {
  readonly event: FileEvent;
  /** 0 for a write in doubt: it is never due, so it need not be known whether it was done. */
  readonly bit: bigint;
}

/**
 * All that can be true of one file. Each event is an interval; the file is right as long as there
 * is an order of the effects, each within its interval, in which every read sees what it saw
 * (linearizability). The events come in the order of their starts and ends, with the outcome known
 * at the start, so that after each end only the possible states have to be kept: the method of
 * Lowe, "Testing for linearizability", 2017, called just-in-time linearization.
 */
export class FileModel {
  #possible: Possibility[] = [{ state: absent, done: 0n }];
  #underWay: UnderWay[] = [];

  /** The states that the file may be in now, with all that is under way done or not. */
  states(): Set<State> {
    return new Set(this.#reachable().map(({ state }) => state));
  }

  begin(event: FileEvent): void {
    const taken = this.#underWay.reduce((bits, { bit }) => bits | bit, 0n);
    let bit = event.kind === "doubt" ? 0n : 1n;
    while ((taken & bit) !== 0n) bit <<= 1n;
    this.#underWay = [...this.#underWay, { event, bit }];
    this.#possible = distinct(this.#possible.map((it) => this.#looking(it)));
  }

  /** @returns false when nothing that may have happened explains this event */
  end(event: FileEvent): boolean {
    const ending = this.#underWay.find((it) => it.event === event);
    if (ending === undefined) throw new TypeError("an event ends that did not begin");
    const { bit } = ending;
    const kept = this.#reachable().filter(({ done }) => (done & bit) === bit);
    this.#underWay = this.#underWay.filter((it) => it !== ending);
    this.#possible = distinct(kept.map(({ state, done }) => ({ state, done: done & ~bit })));
    return this.#possible.length > 0;
  }

  /** Everything that can be reached by letting writes under way take effect, in any order. */
  #reachable(): Possibility[] {
    const found = new Map(this.#possible.map((it) => [keyOf(it), it]));
    // A Map's iteration takes in what is added meanwhile.
    for (const from of found.values()) {
      for (const { event, bit } of this.#underWay) {
        const state = effectOf(event, from.state);
        if (state === undefined) continue;
        const to = this.#looking({ state, done: from.done | bit });
        const key = keyOf(to);
        if (!found.has(key)) found.set(key, to);
      }
    }
    return [...found.values()];
  }

  /** Reads change nothing, so each one has seen its state as soon as it could. */
  #looking({ state, done }: Possibility): Possibility {
    let seen = done;
    for (const { event, bit } of this.#underWay) {
      const fits =
        (event.kind === "seen" && event.state === state) ||
        (event.kind === "refused" && !holds(event.condition, state)) ||
        (event.kind === "lapse" && event.state !== state);
      if (fits) seen |= bit;
    }
    return { state, done: seen };
  }
}

/** The state that the event makes of this one; undefined where it changes nothing. */
function effectOf(event: FileEvent, state: State): State | undefined {
  if (event.kind === "lapse") return event.state === state ? absent : undefined;
  if (event.kind !== "write" && event.kind !== "doubt") return undefined;
  return holds(event.condition, state) ? event.to : undefined;
}

function keyOf({ state, done }: Possibility): string {
  return `${done} ${state}`;
}

function distinct(possibilities: readonly Possibility[]): Possibility[] {
  return [...new Map(possibilities.map((it) => [keyOf(it), it])).values()];
}
