/**
 * What happened to one file, as those saw it who did it. Times are milliseconds of one clock.
 */

/** How a file is named. */
export interface MediaKey {
  readonly user: string;
  readonly fileId: string;
}

/** A version by the SHA-256 of its bytes, or that there is none. */
export type State = string;
export const absent = "absent";

/** What must hold of the state at the moment at which an operation takes effect. */
export type Condition =
  | { readonly is: "any" }
  | { readonly is: "absent" }
  | { readonly is: "state"; readonly state: State };

export const anyState: Condition = { is: "any" };

/**
 * A write that was acknowledged took effect between its start and its end. Clients try again by
 * themselves, so it may have done so more than once within that time, but not later: then another
 * one, acknowledged after it, would be lost.
 */
interface AcknowledgedWrite {
  readonly kind: "write";
  readonly to: State;
  readonly condition: Condition;
  readonly startMs: number;
  readonly endMs: number;
}

/** Its answer was lost: it may take effect at any time until `endMs`, more than once, or never. */
interface DoubtfulWrite {
  readonly kind: "doubt";
  readonly to: State;
  readonly condition: Condition;
  readonly startMs: number;
  readonly endMs: number;
}

/** The file was in this state at some moment between the start and the end. */
interface Observation {
  readonly kind: "seen";
  readonly state: State;
  readonly startMs: number;
  readonly endMs: number;
}

/** It was refused: at some moment between the start and the end the condition did not hold. */
interface Refusal {
  readonly kind: "refused";
  readonly condition: Condition;
  readonly startMs: number;
  readonly endMs: number;
}

/** A version expires at some moment between the start and the end, if it is still the newest. */
interface Lapse {
  readonly kind: "lapse";
  readonly state: State;
  readonly startMs: number;
  readonly endMs: number;
}

export type FileEvent = AcknowledgedWrite | DoubtfulWrite | Observation | Refusal | Lapse;

export function holds(condition: Condition, state: State): boolean {
  if (condition.is === "any") return true;
  return state === (condition.is === "absent" ? absent : condition.state);
}

/** For the history of a file, behind what was done. */
export function conditionWords(condition: Condition): string {
  if (condition.is === "any") return "";
  return condition.is === "absent" ? " if absent" : ` if ${condition.state.slice(0, 8)}`;
}
