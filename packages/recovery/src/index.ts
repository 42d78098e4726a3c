export { BackupFile } from "./backup/backup-file.ts";
export { BackupSource } from "./backup/backup-source.ts";
export { restoreBackup } from "./backup/restore.ts";
export { writeBackup } from "./backup/write-backup.ts";
export { type Finding, findingTexts } from "./rebuild/finding.ts";
export { rebuildCatalog } from "./rebuild/rebuild.ts";
export { decide } from "./rebuild/decide.ts";
export { rowOfChange } from "./rebuild/row-of-change.ts";
export type { VersionSet } from "./rebuild/version-sets.ts";
