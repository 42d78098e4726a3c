export { Beats, type BeatsOptions } from "./beats.ts";
export { findingKinds, type FindingKind } from "./fsck/finding.ts";
export { IdLease, type LeaseSource } from "./id-lease.ts";
export { decodeRecord, encodeRecord, type JournalRecord } from "@dsm/journal";
export { startStorage } from "./start-storage.ts";
export type { Storage } from "./storage.ts";
export type { StorageOptions } from "./storage-options.ts";
export type { SyncMode } from "./sync/open-group-sync.ts";
