import type { DeliveryMode } from "@dsm/gateway";

/** What a cluster in one process does where it is not told otherwise. */
export const defaults = {
  trackers: 2,
  ids: 1,
  groups: 1,
  storages: 2,
  delivery: "auto" as DeliveryMode,
  heartbeatIntervalMs: 1_000,
  missedBeats: 3,
  capabilityTtlMs: 60_000,
  segmentIds: 65_536,
  leaseIds: 1_024,
  reserveBytes: 1024 ** 3,
  trashGraceMs: 24 * 3600 * 1000,
  reapIntervalMs: 60_000,
  scrubBytesPerSecond: 20 * 1024 * 1024,
  scrubIntervalMs: 30 * 24 * 3600 * 1000,
  freshnessMs: 1_000,
  outageGraceMs: 600_000,
  hotCacheBytes: 64 * 1024 * 1024,
  hotFileMaxBytes: 256 * 1024,
};
