import type { Clock } from "@dsm/clock";
import { DsmError, type Member, type StorageState } from "@dsm/protocol";

interface Known {
  /** What it last said of itself. */
  readonly state: StorageState;
  readonly joinedAtMs: number;
  readonly lastBeatAtMs: number;
  /** The last beat, on the clock that never jumps: it alone tells how long the silence is. */
  readonly heardMs: number;
  /** It said that it leaves, so it is offline before any beat is missed. */
  readonly left: boolean;
}

export interface MembershipOptions {
  readonly heartbeatIntervalMs: number;
  /** A storage is offline after this many intervals without a beat. */
  readonly missedBeats: number;
  readonly clock: Clock;
}

/**
 * Which storages there are and which are alive. No timer, no socket: who is online follows from
 * the last beat and the clock alone.
 */
export class Membership {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #known = new Map<string, Known>();
  /** What an operator asked of a storage that has not taken it over yet. */
  readonly #drainWish = new Map<string, boolean>();

  constructor({ heartbeatIntervalMs, missedBeats, clock }: MembershipOptions) {
    this.#clock = clock;
    this.#patienceMs = heartbeatIntervalMs * missedBeats;
  }

  /**
   * A second join replaces the first, unless that one is of a later life, or has left: then the
   * network has kept this one back, and whoever sent it is gone.
   * @throws DsmError CONFLICT as long as a word of that life is fresh
   */
  join(state: StorageState): void {
    const { storageId } = state;
    const known = this.#known.get(storageId);
    if (known !== undefined && isOver(state, known) && !this.#isSilent(known)) {
      const why = known.left ? "it has left" : "a later life of it has joined";
      throw new DsmError("CONFLICT", `storage ${storageId} cannot join: ${why}`, {
        remedy: "it is let in when nothing was heard of that life for some heartbeats",
      });
    }
    const nowMs = this.#clock.now();
    const heardMs = this.#clock.monotonicMs();
    const times = { joinedAtMs: nowMs, lastBeatAtMs: nowMs, heardMs };
    this.#known.set(storageId, { state, ...times, left: false });
  }

  /**
   * @returns what the storage should know: an operator's wish to drain it, if there is one
   * @throws DsmError JOIN_FIRST from a storage, or a life of one, that is not a member
   */
  heartbeat(state: StorageState): { drain?: boolean } {
    const known = this.#known.get(state.storageId);
    if (known === undefined || known.left || !sameLife(known.state, state)) {
      throw new DsmError(
        "JOIN_FIRST",
        `storage ${state.storageId} is not a member of this tracker`,
      );
    }
    const heardMs = this.#clock.monotonicMs();
    const lastBeatAtMs = this.#clock.now();
    this.#known.set(state.storageId, { ...known, state, lastBeatAtMs, heardMs });
    const wish = this.#drainWish.get(state.storageId);
    if (wish === undefined) return {};
    if (wish !== state.draining) return { drain: wish };
    this.#drainWish.delete(state.storageId);
    return {};
  }

  /** A late word of an earlier life of the storage changes nothing. */
  leave(storageId: string, incarnation: string): void {
    const known = this.#known.get(storageId);
    if (known?.state.incarnation !== incarnation) return;
    this.#known.set(storageId, { ...known, heardMs: this.#clock.monotonicMs(), left: true });
  }

  /** @throws DsmError MEMBER_NOT_FOUND */
  wishDrain(storageId: string, draining: boolean): void {
    if (!this.#known.has(storageId)) {
      throw new DsmError("MEMBER_NOT_FOUND", `no storage ${storageId} has joined this tracker`, {
        remedy: "see dsm status for those that have",
      });
    }
    this.#drainWish.set(storageId, draining);
  }

  /** @returns whether it was known @throws DsmError CONFLICT for one that is online */
  remove(storageId: string): boolean {
    const known = this.#known.get(storageId);
    if (known === undefined) return false;
    if (this.#member(known).online) {
      throw new DsmError("CONFLICT", `storage ${storageId} is online`, {
        remedy: "stop it first: dsm storage drain, and then end its process",
      });
    }
    this.#drainWish.delete(storageId);
    return this.#known.delete(storageId);
  }

  members(): Member[] {
    return [...this.#known.values()].map((known) => this.#member(known));
  }

  membersOf(group: string): Member[] {
    return this.members().filter((member) => member.group === group);
  }

  #member(known: Known): Member {
    const { state, joinedAtMs, lastBeatAtMs, left } = known;
    const online = !left && !this.#isSilent(known);
    // A wish to drain counts at once; one to end that counts when the storage takes uploads again.
    const draining = state.draining || this.#drainWish.get(state.storageId) === true;
    return { ...state, draining, joinedAtMs, lastBeatAtMs, online };
  }

  #isSilent({ heardMs }: Known): boolean {
    return this.#clock.monotonicMs() - heardMs > this.#patienceMs;
  }
}

/** Same start of the same process, in the same group at the same address. */
function sameLife(a: StorageState, b: StorageState): boolean {
  return a.incarnation === b.incarnation && a.group === b.group && a.dataUrl === b.dataUrl;
}

/** Incarnations are made so that a later one is greater. */
function isOver({ incarnation }: StorageState, { state, left }: Known): boolean {
  return incarnation < state.incarnation || (left && incarnation === state.incarnation);
}
