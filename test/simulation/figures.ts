/** What can go wrong in the simulated world. */
export const faultKinds = [
  "tracker killed",
  "storage killed",
  "storage stopped in order",
  "ID server killed",
  "host without power",
  "catalog down",
  "hosts parted",
  "host cut off",
  "views split",
  "connection broken",
  "message late",
  "answer lost",
  "clock set",
  "group full",
  "drain asked",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** What came together over all seeds of a run. */
export class Figures {
  seeds = 0;
  virtualMs = 0;
  events = 0;
  calls = 0;
  requests = 0;
  locates = 0;
  operations = 0;
  /** Operations that failed while what they needed was out of their reach. */
  excused = 0;
  leasedIds = 0;
  checks = 0;
  readonly faults = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]));

  count(kind: FaultKind): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  toString(): string {
    const hours = (this.virtualMs / 3_600_000).toFixed(1);
    const rows: Array<[string, number | string]> = [
      ["seeds", this.seeds],
      ["virtual hours", hours],
      ["events", this.events],
      ["calls to trackers and ID servers", this.calls],
      ["requests to storages", this.requests],
      ["locates answered", this.locates],
      ["client operations", this.operations],
      ["  failed with a reason to", this.excused],
      ["ids used", this.leasedIds],
      ["states of trackers compared", this.checks],
      ...this.faults,
    ];
    return rows
      .map(([what, count]) => `  ${what.padEnd(34)}${String(count).padStart(12)}`)
      .join("\n");
  }
}
