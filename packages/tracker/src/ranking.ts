import type { Member } from "@dsm/protocol";

/**
 * Orders storages by load. Beats tell the load only once an interval, so what this tracker has
 * handed out since the last beat counts too: without it everyone would be sent to one storage.
 */
export class Ranking {
  readonly #handedOut = new Map<string, { lastBeatAtMs: number; count: number }>();

  /** Best first; the first one is counted as handed out. */
  bestFirst(members: readonly Member[]): Member[] {
    const ranked = members.toSorted(
      (a, b) => this.#load(a) - this.#load(b) || (a.storageId < b.storageId ? -1 : 1),
    );
    const best = ranked[0];
    if (best !== undefined) this.#count(best);
    return ranked;
  }

  #load(member: Member): number {
    const handed = this.#handedOut.get(member.storageId);
    const recent = handed?.lastBeatAtMs === member.lastBeatAtMs ? handed.count : 0;
    return member.activeRequests + recent;
  }

  #count(member: Member): void {
    const { storageId, lastBeatAtMs } = member;
    const handed = this.#handedOut.get(storageId);
    const count = handed?.lastBeatAtMs === lastBeatAtMs ? handed.count + 1 : 1;
    this.#handedOut.set(storageId, { lastBeatAtMs, count });
  }
}
