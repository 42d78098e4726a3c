import type { Random } from "../chaos/random.ts";

/** How large a simulated cluster is and how it is configured; drawn from the seed. */
export interface Setting {
  readonly trackers: number;
  readonly groups: number;
  readonly storagesPerGroup: number;
  readonly idServers: number;
  readonly clients: number;
  readonly heartbeatIntervalMs: number;
  readonly missedBeats: number;
  readonly capabilityTtlMs: number;
  readonly leaseIds: number;
  readonly segmentIds: number;
  /** How long faults come. */
  readonly chaosMs: number;
  /** From one fault to the next one, on average. */
  readonly faultEveryMs: number;
  /** From the end of one operation of a client to the next one, on average. */
  readonly operationEveryMs: number;
  readonly lateChance: number;
}

export function drawSetting(random: Random): Setting {
  const heartbeatIntervalMs = random.pick([200, 500, 1_000, 1_000, 2_000, 5_000]);
  return {
    trackers: random.pick([1, 2, 2, 3]),
    groups: random.pick([1, 1, 2]),
    storagesPerGroup: random.pick([1, 2, 2, 3]),
    idServers: random.pick([1, 2]),
    clients: random.pick([1, 2]),
    heartbeatIntervalMs,
    missedBeats: random.pick([2, 3, 3, 4]),
    capabilityTtlMs: 60_000,
    leaseIds: random.pick([1, 3, 1_024]),
    segmentIds: random.pick([4, 100, 65_536]),
    chaosMs: Math.max(5_000, heartbeatIntervalMs * random.between(6, 14)),
    faultEveryMs: random.pick([250, 600, 1_500, 4_000]),
    operationEveryMs: random.between(500, 1_800),
    lateChance: random.pick([0, 0, 0.002, 0.02]),
  };
}
