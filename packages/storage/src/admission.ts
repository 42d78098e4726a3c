import { DsmError, reserveRemedy } from "@dsm/protocol";
import type { DiskHealth } from "./disk-health.ts";

interface Admission {
  readonly id: string;
  readonly group: string;
  readonly draining: boolean;
  readonly health: Pick<DiskHealth, "assertWritable">;
  readonly freeBytes: number;
  readonly reserveBytes: number;
}

/**
 * Whether a storage takes an upload now, or a file that moves to its group.
 * @throws DsmError DRAINING, STORAGE_FAILED or STORAGE_FULL
 */
export function assertTakesWrites(storage: Admission, announcedBytes = 0): void {
  const { id, group, draining, health, freeBytes, reserveBytes } = storage;
  if (draining) {
    throw new DsmError("DRAINING", `storage ${id} takes no new uploads, it is draining`, {
      remedy: "send it to another storage of the group",
    });
  }
  health.assertWritable();
  if (freeBytes - announcedBytes >= reserveBytes) return;
  throw new DsmError(
    "STORAGE_FULL",
    `group ${group} has ${freeBytes} bytes free, keeps ${reserveBytes} in reserve, and the file ` +
      `has ${announcedBytes}`,
    { remedy: reserveRemedy },
  );
}
