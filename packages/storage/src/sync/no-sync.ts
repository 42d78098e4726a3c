import type { GroupSync } from "./group-sync.ts";

/** For benchmarks, and for data that may be lost: all is left to the kernel. */
export class NoSync implements GroupSync {
  readonly blobsSyncThemselves = false;
  readonly blobSyncEveryBytes = undefined;

  async sync(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
