import type { MediaKey } from "./file-history.ts";

/** What can be wrong. Every one of them is a bug, of dsm or of this test. */
export const violationKinds = {
  lost: "losses",
  mixed: "mixed",
  resurrected: "resurrected",
  stale: "stale",
  "out of order": "out of order",
  unexplained: "unexplained errors",
  process: "processes that ended by themselves",
  log: "faults in the log",
  space: "space that does not add up",
  fsck: "findings of fsck",
} as const;
export type ViolationKind = keyof typeof violationKinds;

export interface Violation {
  readonly kind: ViolationKind;
  readonly file?: MediaKey;
  readonly what: string;
  /** What happened to that file, line by line. */
  readonly history?: string;
}

/** How an operation ended, as far as whoever asked for it knows. */
export type Ending = "ok" | "in doubt" | "refused" | "failed";
const endings: readonly Ending[] = ["ok", "in doubt", "refused", "failed"];

/** Counts what a run did and found. */
export class Figures {
  readonly violations: Violation[] = [];
  readonly #operations = new Map<string, Map<Ending, number>>();
  readonly #faults = new Map<string, number>();
  readonly #found = new Map<string, number>();
  readsChecked = 0;
  bytesChecked = 0;
  bytesWritten = 0;

  operation(name: string, ending: Ending): void {
    const counts = this.#operations.get(name) ?? new Map<Ending, number>();
    counts.set(ending, (counts.get(ending) ?? 0) + 1);
    this.#operations.set(name, counts);
  }

  fault(name: string): void {
    this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1);
  }

  /** Something that is no violation and worth a number. */
  found(name: string): void {
    this.#found.set(name, (this.#found.get(name) ?? 0) + 1);
  }

  /** How many operations of a kind ended so; of all kinds without a name. */
  count(ending: Ending, name?: string): number {
    const kinds = [...this.#operations].filter(([kind]) => name === undefined || kind === name);
    return kinds.reduce((sum, [, counts]) => sum + (counts.get(ending) ?? 0), 0);
  }

  get faultCount(): number {
    return [...this.#faults.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The table at the end of a run, for people. */
  table(run: {
    readonly seed: number;
    readonly seconds: number;
    readonly setting: string;
  }): string {
    const rows: Array<readonly string[]> = [
      ["seed", String(run.seed)],
      ["setting", run.setting],
      ["seconds", run.seconds.toFixed(0)],
      ["operations", ...endings],
      ...sorted(this.#operations).map(([name, counts]) => [
        `  ${name}`,
        ...endings.map((ending) => String(counts.get(ending) ?? 0)),
      ]),
      ["faults", String(this.faultCount)],
      ...sorted(this.#faults).map(([name, count]) => [`  ${name}`, String(count)]),
      ["reads checked", String(this.readsChecked)],
      ["bytes checked", String(this.bytesChecked)],
      ["bytes written", String(this.bytesWritten)],
      ...sorted(this.#found).map(([name, count]) => [name, String(count)]),
      ...Object.entries(violationKinds).map(([kind, words]) => [
        words,
        String(this.violations.filter((violation) => violation.kind === kind).length),
      ]),
    ];
    const firstWidth = Math.max(...rows.map(([name = ""]) => name.length));
    const line = ([name = "", ...cells]: readonly string[]) =>
      [name.padEnd(firstWidth), ...cells.map((cell) => cell.padStart(10))].join(" ").trimEnd();
    return rows.map(line).join("\n");
  }
}

function sorted<V>(map: ReadonlyMap<string, V>): Array<[string, V]> {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
