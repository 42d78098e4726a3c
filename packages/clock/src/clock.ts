/** Something that was set to happen later. */
export interface Alarm {
  /** It does not happen any more; nothing changes when it has happened already. */
  cancel(): void;
}

/**
 * The time, for code that waits or measures. It is handed in where membership and locate are
 * decided, so that a simulation can be the time: docs/design/2026-11-23-simulation.md.
 */
export interface Clock {
  /** Milliseconds since 1970 UTC, as this host has them: they may jump, forward and back. */
  now(): number;
  /** Milliseconds since some moment. They never go back: silence and rests are measured in them. */
  monotonicMs(): number;
  /** Calls `ring` once, `delayMs` from now. */
  after(delayMs: number, ring: () => void): Alarm;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, ring) {
    const timer = setTimeout(ring, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
