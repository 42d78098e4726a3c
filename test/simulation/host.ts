import type { Clock } from "@dsm/clock";
import type { Schedule } from "./schedule.ts";

/** When the simulation begins, by a clock that is right: 2026-11-23T00:00:00Z. */
const beginMs = Date.UTC(2026, 10, 23);

/** A machine: it has a name, a clock that may be wrong, and may be without power. */
export class Host {
  readonly name: string;
  /** How far its clock is ahead now, and as long as nobody sets it. */
  skewMs: number;
  readonly usualSkewMs: number;
  isDown = false;
  /** Its clock was once set to another time. */
  wasSet = false;

  constructor(name: string, skewMs: number) {
    this.name = name;
    this.skewMs = skewMs;
    this.usualSkewMs = skewMs;
  }
}

/** A process from its start to its end; what it had planned ends with it. */
export class Life {
  readonly host: Host;
  readonly startedMs: number;
  readonly clock: Clock;
  isOver = false;

  constructor(schedule: Schedule, host: Host) {
    this.host = host;
    this.startedMs = schedule.nowMs;
    this.clock = {
      now: () => Math.floor(beginMs + schedule.nowMs + host.skewMs),
      // Each process counts from somewhere else: whoever mixes the two clocks up is found out.
      monotonicMs: () => schedule.nowMs + 1_000,
      after: (delayMs, ring) => ({
        cancel: schedule.after(delayMs, () => {
          if (!this.isOver) ring();
        }),
      }),
    };
  }

  /** A promise for later, as `Bun.sleep` is. */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(delayMs, resolve));
  }
}
