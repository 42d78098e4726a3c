import { type BlobId, limits } from "@dsm/protocol";
import type { ColumnKit } from "./sqlite-kit.ts";

/** A media type of 127 characters is at most so many bytes of UTF-8. */
const mediaTypeMaxBytes = 4 * limits.mediaTypeMaxChars;
const blobIdDigits = 16;
const sha256Digits = 64;

/** The one schema of the catalog. docs/design/2026-11-22-versions-table.md says why. */
export function defineTables(kit: ColumnKit) {
  const users = kit.table("users", {
    name: kit.bytes("name", limits.userMaxChars).primaryKey(),
    group: kit.bytes("group_name", limits.userMaxChars).notNull(),
    assignedAtMs: kit.count("assigned_at_ms").notNull(),
  });

  /** Append-only: the newest version of (user, fileId) is the file, or its tombstone. */
  const versions = kit.table(
    "versions",
    {
      user: kit.bytes("user", limits.userMaxChars).notNull(),
      fileId: kit.bytes("file_id", limits.fileIdMaxBytes).notNull(),
      version: kit.count("version").notNull(),
      /** Unique, so that a try whose answer was lost can be made again. */
      id: kit.hex("id", blobIdDigits).$type<BlobId>().notNull().unique(),
      group: kit.bytes("group_name", limits.userMaxChars).notNull(),
      deleted: kit.flag("deleted").notNull(),
      /** 0, "" and "" on a tombstone. */
      sizeBytes: kit.count("size_bytes").notNull(),
      sha256: kit.hex("sha256", sha256Digits).notNull(),
      mediaType: kit.bytes("media_type", mediaTypeMaxBytes).notNull(),
      atMs: kit.count("at_ms").notNull(),
      /** The blob that this version put into the trash. */
      replaces: kit.hex("replaces", blobIdDigits).$type<BlobId>(),
      /** The group whose reaper still has to unlink `replaces`; null when there is nothing. */
      trashGroup: kit.bytes("trash_group", limits.userMaxChars),
    },
    (table) => [
      kit.primaryKey({ columns: [table.user, table.fileId, table.version] }),
      kit.index("versions_trash").on(table.trashGroup, table.atMs),
    ],
  );

  const idSegments = kit.table("id_segments", {
    name: kit.bytes("name", limits.userMaxChars).primaryKey(),
    /** The first id that nobody has leased yet. */
    next: kit.count("next").notNull(),
  });

  return { users, versions, idSegments };
}

export type Tables = ReturnType<typeof defineTables>;
