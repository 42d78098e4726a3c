import type { IndexedChange } from "@dsm/journal";
import { limits } from "@dsm/protocol";
import type { VersionSet } from "./version-sets.ts";

/** What became of one version. */
export interface Decided {
  readonly version: number;
  /** The change that was in force, if a record of it stands. */
  readonly change: IndexedChange | undefined;
  /** There was one, and no record tells of it. */
  readonly isLost: boolean;
  /** The version after it, when there is a record of it. */
  readonly successor: IndexedChange | undefined;
  readonly isNewest: boolean;
  /** Several changes claim the version, and no record says which of them was in force. */
  readonly isGuess: boolean;
}

/** For how long the storage of a change went on writing in the same life. */
type WentOnMs = (change: IndexedChange) => number;

/**
 * Decides, for each version of a file, which change was in force. Whoever wrote version n + 1 had
 * seen version n in the catalog and named its blob, so the later version decides. Of several that
 * claim the newest version the evidence does: see `bestOf`. Memory holds two versions, and
 * as many more as are claimed twice in a row.
 */
export function* decide(
  sets: Iterable<VersionSet>,
  wentOnMs: WentOnMs,
): Generator<Decided, void, undefined> {
  let open: VersionSet[] = [];
  for (const set of withoutAbortedEnd(sets)) {
    const [only, other] = set.claims;
    if (only !== undefined && other === undefined) {
      // The last of them stays open: its row is only kept when the one behind it stands too.
      yield* decideBack(open, only, wentOnMs).slice(0, -1);
      open = open.slice(-1);
    }
    open.push(set);
  }
  yield* decideBack(open, undefined, wentOnMs);
}

/** Where all changes behind a version were aborted, that version is the newest one. */
function* withoutAbortedEnd(sets: Iterable<VersionSet>): Generator<VersionSet, void, undefined> {
  let aborted: VersionSet[] = [];
  for (const set of sets) {
    aborted.push(set);
    if (set.claims.length === 0) continue;
    yield* aborted;
    aborted = [];
  }
}

/** From the latest set to the earliest, each by its successor; gives them in ascending order. */
function decideBack(
  open: readonly VersionSet[],
  last: IndexedChange | undefined,
  wentOnMs: WentOnMs,
): Decided[] {
  let successor = last;
  return open
    .toReversed()
    .map((set, index): Decided => {
      const isNewest = last === undefined && index === 0;
      const decided = decideOne(set, successor, isNewest, wentOnMs);
      successor = decided.change;
      return decided;
    })
    .toReversed();
}

function decideOne(
  { version, claims, hasAborted }: VersionSet,
  after: IndexedChange | undefined,
  isNewest: boolean,
  wentOnMs: WentOnMs,
): Decided {
  const successor = after?.version === version + 1 ? after : undefined;
  const fitting = successor === undefined ? claims : claims.filter((it) => isBefore(it, successor));
  const [change, second] = bestOf(fitting, wentOnMs);
  const isLost = change === undefined && !hasAborted;
  // Two tombstones say the same.
  const isGuess = second !== undefined && !fitting.every((claim) => claim.deleted);
  return { version, change, isLost, successor, isNewest, isGuess };
}

/** Whether the writer of the next version may have seen this one. */
function isBefore(change: IndexedChange, { replaces }: IndexedChange): boolean {
  return change.deleted ? replaces === undefined : change.id === replaces;
}

/**
 * A storage that lives finds out within this time what became of each of its changes, and aborts
 * those that are not in force. So what stands for longer was most likely in force.
 */
const settledAfterMs = limits.doubtSettleMs + limits.doubtRoundMaxMs;

/** What was settled first, then those whose bytes are there, then the latest by the clocks. */
function bestOf(claims: readonly IndexedChange[], wentOnMs: WentOnMs): IndexedChange[] {
  if (claims.length < 2) return [...claims];
  const ranks = new Map(
    claims.map((claim) => [
      claim,
      [
        wentOnMs(claim) > settledAfterMs ? 1 : 0,
        claim.deleted || claim.diskBytes === claim.sizeBytes ? 1 : 0,
        claim.atMs,
        Number.parseInt(claim.id, 16),
      ],
    ]),
  );
  const rank = (claim: IndexedChange, at: number) => ranks.get(claim)?.[at] ?? 0;
  return claims.toSorted((a, b) => {
    const at = [0, 1, 2, 3].find((i) => rank(a, i) !== rank(b, i)) ?? 3;
    return rank(b, at) - rank(a, at);
  });
}
