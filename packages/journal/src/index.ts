export { Journal } from "./journal.ts";
export { decodeRecord, encodeRecord, type JournalRecord } from "./journal-record.ts";
export { syncDirectory } from "./sync-directory.ts";
export { LineSplitter } from "./line-splitter.ts";
export { hasLife, type JournalPart, journalParts } from "./parts.ts";
export { type JournalLine, type JournalPlace, readPart, readRecords } from "./reader.ts";
export { type IdHistory, RecordIndex } from "./record-index.ts";
export { type IndexedChange, type UserRecord } from "./record-tables.ts";
