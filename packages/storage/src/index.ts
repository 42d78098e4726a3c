export { IdLease, type LeaseSource } from "./id-lease.ts";
export { decodeRecord, encodeRecord, type JournalRecord } from "./journal-record.ts";
export { startStorage, type Storage, type StorageOptions } from "./storage.ts";
