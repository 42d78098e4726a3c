import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { absent, anyState, type Condition, type FileEvent, holds } from "./file-history.ts";
import { Timeline } from "./timeline.ts";

const ifAbsent: Condition = { is: "absent" };
const ifState = (state: string): Condition => ({ is: "state", state });

const wrote = (to: string, startMs: number, endMs: number, condition = anyState): FileEvent => ({
  kind: "write",
  to,
  condition,
  startMs,
  endMs,
});
const doubt = (to: string, startMs: number, endMs: number): FileEvent => ({
  kind: "doubt",
  to,
  condition: anyState,
  startMs,
  endMs,
});
const saw = (state: string, startMs: number, endMs: number): FileEvent => ({
  kind: "seen",
  state,
  startMs,
  endMs,
});
const refused = (condition: Condition, startMs: number, endMs: number): FileEvent => ({
  kind: "refused",
  condition,
  startMs,
  endMs,
});

const lapse = (state: string, startMs: number, endMs: number): FileEvent => ({
  kind: "lapse",
  state,
  startMs,
  endMs,
});

function isExplained(events: readonly FileEvent[]): boolean {
  const timeline = new Timeline();
  for (const event of events) timeline.begin(event.startMs)([event]);
  return timeline.follow(Infinity) === undefined;
}

const right: Record<string, FileEvent[]> = {
  "nothing there before the first upload": [saw(absent, 0, 1), wrote("A", 2, 3), saw("A", 4, 5)],
  "reads beside an overwrite see either": [
    wrote("A", 0, 1),
    wrote("B", 2, 9),
    saw("A", 3, 4),
    saw("B", 5, 6),
    saw("B", 10, 11),
  ],
  "two uploads at a time, in either order": [
    wrote("A", 0, 5),
    wrote("B", 1, 6),
    saw("B", 7, 8),
    saw("B", 9, 10),
  ],
  "an upload that was sent twice": [
    wrote("A", 0, 9),
    wrote("B", 2, 5),
    saw("A", 1, 2),
    saw("B", 5, 6),
    saw("A", 7, 8),
  ],
  "a lost answer, and it was done late": [
    wrote("A", 0, 1),
    doubt("B", 2, 40),
    saw("A", 3, 4),
    saw("B", 9, 10),
  ],
  "a lost answer, and it was never done": [wrote("A", 0, 1), doubt("B", 2, 40), saw("A", 50, 51)],
  "a lost delete that took a later upload with it": [
    wrote("A", 0, 1),
    doubt(absent, 2, 40),
    wrote("B", 3, 4),
    saw(absent, 5, 6),
  ],
  "a refusal while another one uploads": [
    wrote("A", 0, 9, ifAbsent),
    refused(ifAbsent, 1, 2),
    saw("A", 3, 4),
  ],
  "a version that expires, and one that replaced it and does not": [
    wrote("A", 0, 1),
    lapse("A", 10, 11),
    saw("A", 8, 9),
    saw(absent, 12, 13),
    wrote("B", 14, 15),
    lapse("C", 16, 17),
    saw("B", 18, 19),
  ],
  "a version that was replaced by the right one": [
    wrote("A", 0, 1),
    wrote("B", 2, 3, ifState("A")),
    refused(ifState("A"), 4, 5),
  ],
};

const wrong: Record<string, FileEvent[]> = {
  "a lost upload": [wrote("A", 0, 1), saw(absent, 2, 3)],
  "a lost overwrite": [wrote("A", 0, 1), wrote("B", 2, 3), saw("A", 4, 5)],
  "a stale read between two that are not": [
    wrote("A", 0, 1),
    wrote("B", 2, 9),
    saw("B", 3, 4),
    saw("A", 5, 6),
  ],
  "a deleted file that comes back": [wrote("A", 0, 1), wrote(absent, 2, 3), saw("A", 4, 5)],
  "a version that nobody uploaded": [wrote("A", 0, 1), saw("X", 2, 3)],
  "an upload that is done again after its answer": [
    wrote("A", 0, 1),
    wrote("B", 2, 3),
    saw("B", 4, 5),
    saw("A", 6, 7),
  ],
  "a version that outlives its time": [wrote("A", 0, 1), lapse("A", 10, 11), saw("A", 12, 13)],
  "a version that expires before its time": [
    wrote("A", 0, 1),
    lapse("A", 10, 11),
    saw(absent, 8, 9),
  ],
  "two winners of one condition": [
    wrote("A", 0, 1),
    wrote("B", 2, 4, ifState("A")),
    wrote("C", 2, 4, ifState("A")),
  ],
  "two creations of one file": [wrote("A", 0, 4, ifAbsent), wrote("B", 1, 5, ifAbsent)],
  "a refusal without a reason": [wrote("A", 0, 1), refused(ifState("A"), 2, 3)],
  "a doubtful write that comes after its time": [
    wrote("A", 0, 1),
    doubt("B", 2, 10),
    saw("A", 11, 12),
    saw("B", 13, 14),
  ],
  "two readers who saw two uploads in different orders": [
    wrote("A", 0, 10),
    wrote("B", 0, 10),
    saw("A", 11, 12),
    saw("B", 13, 14),
  ],
};

describe("the model of one file", () => {
  for (const [name, events] of Object.entries(right)) {
    test(`accepts: ${name}`, () => expect(isExplained(events)).toBe(true));
  }
  for (const [name, events] of Object.entries(wrong)) {
    test(`rejects: ${name}`, () => expect(isExplained(events)).toBe(false));
  }
});

/** A step of a true history: it takes effect at `atMs`, and is seen from start to end. */
interface Step {
  readonly what: "put" | "delete" | "read" | "create" | "lost put";
  readonly beforeMs: number;
  readonly afterMs: number;
  /** Of a lost put: whether it was done all the same. */
  readonly isDone: boolean;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    what: fc.constantFrom("put", "delete", "read", "create", "lost put"),
    beforeMs: fc.integer({ min: 0, max: 45 }),
    afterMs: fc.integer({ min: 0, max: 45 }),
    isDone: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

/** What each step is told, when they take effect one after the other, ten milliseconds apart. */
function trueHistory(all: readonly Step[]): FileEvent[] {
  let state = absent;
  return all.map(({ what, beforeMs, afterMs, isDone }, i) => {
    const atMs = i * 10;
    const [startMs, endMs] = [atMs - beforeMs, atMs + afterMs];
    if (what === "read") return saw(state, startMs, endMs);
    const condition = what === "create" ? ifAbsent : anyState;
    if (!holds(condition, state)) return refused(condition, startMs, endMs);
    const to = what === "delete" ? absent : `v${i}`;
    if (what === "lost put") {
      if (isDone) state = to;
      return doubt(to, startMs, endMs);
    }
    state = to;
    return { kind: "write", to, condition, startMs, endMs };
  });
}

test("every history that really happened is accepted", () => {
  fc.assert(
    fc.property(steps, (all) => isExplained(trueHistory(all))),
    { numRuns: 2_000 },
  );
});

/** Tries every order: slow and simple, to hold the quick one against. */
function someOrderExplains(events: readonly FileEvent[]): boolean {
  const tried = new Set<string>();
  const search = (left: readonly FileEvent[], state: string): boolean => {
    if (left.length === 0) return true;
    const place = `${left.map((event) => events.indexOf(event)).join()} ${state}`;
    if (tried.has(place)) return false;
    tried.add(place);
    // The next effect cannot lie after the end of one that is still to come.
    const firstEndMs = Math.min(...left.map(({ endMs }) => endMs));
    return left.some((event, i) => {
      if (event.startMs > firstEndMs) return false;
      const others = left.filter((_, at) => at !== i);
      if (event.kind === "seen") return event.state === state && search(others, state);
      if (event.kind === "refused") return !holds(event.condition, state) && search(others, state);
      if (event.kind === "lapse") {
        if (state !== event.state) return search(others, state);
        return search(others, absent) || search(left, absent);
      }
      if (event.kind === "doubt" && search(others, state)) return true;
      if (!holds(event.condition, state)) return false;
      // It may take effect once more as long as it has not ended.
      return search(others, event.to) || search(left, event.to);
    });
  };
  return search(events, absent);
}

const shortEvents: fc.Arbitrary<FileEvent[]> = fc.array(
  fc
    .record({
      kind: fc.constantFrom("write", "write", "doubt", "seen", "refused", "lapse"),
      to: fc.constantFrom("A", "B", absent),
      condition: fc.constantFrom(anyState, ifAbsent, ifState("A")),
      startMs: fc.integer({ min: 0, max: 30 }),
      lastsMs: fc.integer({ min: 1, max: 20 }),
    })
    .map(({ kind, to, condition, startMs, lastsMs }): FileEvent => {
      const endMs = startMs + lastsMs;
      if (kind === "seen") return saw(to, startMs, endMs);
      if (kind === "refused") return refused(condition, startMs, endMs);
      if (kind === "lapse") return lapse(to, startMs, endMs);
      return { kind, to, condition, startMs, endMs };
    }),
  { maxLength: 6 },
);

test("it accepts what some order explains, and nothing else", () => {
  const verdicts = { explained: 0, unexplained: 0 };
  const property = fc.property(shortEvents, (events) => {
    const isSo = someOrderExplains(events);
    verdicts[isSo ? "explained" : "unexplained"]++;
    expect(isExplained(events)).toBe(isSo);
  });
  fc.assert(property, { numRuns: 5_000 });
  expect(verdicts.explained).toBeGreaterThan(300);
  expect(verdicts.unexplained).toBeGreaterThan(300);
});

test("what comes in any order of the ends is put into the order of the starts", () => {
  const timeline = new Timeline();
  const put = timeline.begin(0);
  const read = timeline.begin(5);
  read([saw("A", 5, 6)]);
  expect(timeline.follow(100)).toBeUndefined();
  put([wrote("A", 0, 9)]);
  expect(timeline.follow(100)).toBeUndefined();
  expect([...timeline.states()]).toEqual(["A"]);
  const late = timeline.begin(100);
  late([saw(absent, 100, 101)]);
  expect(timeline.follow(200)?.possible).toEqual(new Set(["A"]));
});
