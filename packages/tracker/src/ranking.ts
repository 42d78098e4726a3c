import type { Member } from "@dsm/protocol";

interface HandedOut {
  readonly lastBeatAtMs: number;
  /** Since that beat. */
  readonly count: number;
  /** When it was handed out last, counted in answers. */
  readonly turn: number;
}

/**
 * Orders storages by load. Beats tell the load only once an interval, so what this tracker has
 * handed out since the last beat counts too: without it everyone would be sent to one storage.
 * Among equals the one that was handed out longest ago comes first, and so clients that come one
 * by one go to all of them in turn.
 */
export class Ranking {
  readonly #handedOut = new Map<string, HandedOut>();
  #turn = 0;

  /** Best first; the first one is counted as handed out. */
  bestFirst(members: readonly Member[]): Member[] {
    const ranked = members.toSorted(
      (a, b) =>
        this.#load(a) - this.#load(b) ||
        this.#turnOf(a) - this.#turnOf(b) ||
        (a.storageId < b.storageId ? -1 : 1),
    );
    const best = ranked[0];
    if (best !== undefined) this.#count(best);
    return ranked;
  }

  #load(member: Member): number {
    return member.activeRequests + this.#handedOutSinceBeat(member);
  }

  #handedOutSinceBeat({ storageId, lastBeatAtMs }: Member): number {
    const handed = this.#handedOut.get(storageId);
    return handed?.lastBeatAtMs === lastBeatAtMs ? handed.count : 0;
  }

  #turnOf({ storageId }: Member): number {
    return this.#handedOut.get(storageId)?.turn ?? 0;
  }

  #count(member: Member): void {
    const { storageId, lastBeatAtMs } = member;
    const count = this.#handedOutSinceBeat(member) + 1;
    this.#handedOut.set(storageId, { lastBeatAtMs, count, turn: ++this.#turn });
  }
}
