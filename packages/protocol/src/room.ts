import type { StorageState } from "./messages.ts";

/** Whether its own reserve is why a storage is full; else its disk has refused more. */
export function isBelowReserve({
  freeBytes,
  reserveBytes = 0,
}: Pick<StorageState, "freeBytes" | "reserveBytes">): boolean {
  return freeBytes < reserveBytes;
}

/** What helps where less is free than the reserve. */
export const reserveRemedy =
  "add space to the group file system, delete files and wait for --trash-grace, or set a smaller " +
  "--reserve (DSM_RESERVE)";
