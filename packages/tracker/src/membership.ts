import { DsmError, type Member, type StorageState } from "@dsm/protocol";

interface Known {
  readonly state: StorageState;
  readonly joinedAtMs: number;
  readonly lastBeatAtMs: number;
  /** It said that it leaves, so it is offline before any beat is missed. */
  readonly left: boolean;
}

export interface MembershipOptions {
  readonly heartbeatIntervalMs: number;
  /** A storage is offline after this many intervals without a beat. */
  readonly missedBeats: number;
}

/**
 * Which storages there are and which are alive. No clock, no timer, no socket: every call is told
 * the time, and who is online follows from the last beat alone.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #known = new Map<string, Known>();
  /** What an operator asked of a storage that has not taken it over yet. */
  readonly #drainWish = new Map<string, boolean>();

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  join(state: StorageState, nowMs: number): void {
    this.#known.set(state.storageId, {
      state,
      joinedAtMs: nowMs,
      lastBeatAtMs: nowMs,
      left: false,
    });
  }

  /**
   * @returns what the storage should know: an operator's wish to drain it, if there is one
   * @throws DsmError JOIN_FIRST from a storage, or a life of one, that is not a member
   */
  heartbeat(state: StorageState, nowMs: number): { drain?: boolean } {
    const known = this.#known.get(state.storageId);
    if (known === undefined || known.left || !sameLife(known.state, state)) {
      throw new DsmError(
        "JOIN_FIRST",
        `storage ${state.storageId} is not a member of this tracker`,
      );
    }
    this.#known.set(state.storageId, { ...known, state, lastBeatAtMs: nowMs });
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
    this.#known.set(storageId, { ...known, left: true });
  }

  /** @throws DsmError MEMBER_NOT_FOUND */
  wishDrain(storageId: string, draining: boolean): void {
    const known = this.#known.get(storageId);
    if (known === undefined) {
      throw new DsmError("MEMBER_NOT_FOUND", `no storage ${storageId} has joined this tracker`, {
        remedy: "see dsm status for those that have",
      });
    }
    this.#drainWish.set(storageId, draining);
    // Named no longer from this moment on, not only from the next beat on.
    this.#known.set(storageId, { ...known, state: { ...known.state, draining } });
  }

  members(nowMs: number): Member[] {
    return [...this.#known.values()].map((known) => this.#member(known, nowMs));
  }

  membersOf(group: string, nowMs: number): Member[] {
    return this.members(nowMs).filter((member) => member.group === group);
  }

  #member(known: Known, nowMs: number): Member {
    const { state, joinedAtMs, lastBeatAtMs, left } = known;
    const silentMs = nowMs - lastBeatAtMs;
    const patienceMs = this.#options.heartbeatIntervalMs * this.#options.missedBeats;
    return { ...state, joinedAtMs, lastBeatAtMs, online: !left && silentMs <= patienceMs };
  }
}

/** Same start of the same process, in the same group at the same address. */
function sameLife(a: StorageState, b: StorageState): boolean {
  return a.incarnation === b.incarnation && a.group === b.group && a.dataUrl === b.dataUrl;
}
