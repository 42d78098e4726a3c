import { type BlobId, limits } from "@dsm/protocol";
import type { ColumnKit } from "./sqlite-kit.ts";

/** A media type of 127 characters is at most so many bytes of UTF-8. */
const mediaTypeMaxBytes = 4 * limits.mediaTypeMaxChars;
const blobIdDigits = 16;
const sha256Digits = 64;
const uuidChars = 36;

/** The one schema of the catalog. docs/design/2026-11-22-versions-table.md says why. */
export function defineTables(kit: ColumnKit) {
  const users = kit.table(
    "users",
    {
      name: kit.bytes("name", limits.userMaxChars).primaryKey(),
      group: kit.bytes("group_name", limits.userMaxChars).notNull(),
      assignedAtMs: kit.count("assigned_at_ms").notNull(),
      /** What the live bytes of the user may not pass; null for no limit. */
      quotaBytes: kit.count("quota_bytes"),
      /** When the group or the quota changed last. */
      updatedAtMs: kit.count("updated_at_ms").notNull().default(0),
    },
    (table) => [kit.index("users_updated").on(table.group, table.updatedAtMs)],
  );

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
      /** How old the file is, where that is not `at_ms`: its group changed since, its bytes not. */
      modifiedAtMs: kit.count("modified_at_ms"),
      /** The blob that this version put into the trash. */
      replaces: kit.hex("replaces", blobIdDigits).$type<BlobId>(),
      /** The group whose reaper still has to unlink `replaces`; null when there is nothing. */
      trashGroup: kit.bytes("trash_group", limits.userMaxChars),
      /** From then on the file is gone for readers; null for files that stay. */
      expiresAtMs: kit.count("expires_at_ms"),
      /** Which pieces are bad (protocol/damage.ts); null on sound blobs. */
      damage: kit.bytes("damage", limits.damageMaxChars),
    },
    (table) => [
      kit.primaryKey({ columns: [table.user, table.fileId, table.version] }),
      kit.index("versions_trash").on(table.trashGroup, table.atMs),
      kit.sparseIndex("versions_expiry", table.group, table.expiresAtMs),
      kit.sparseIndex("versions_damage", table.group, table.damage),
    ],
  );

  /**
   * What a user has in a group: always the sum over `versions`, for the transaction that changes
   * the one changes the other. docs/design/2026-11-23-usage-in-the-transaction.md says why.
   */
  const userUsage = kit.table(
    "user_usage",
    {
      user: kit.bytes("user_name", limits.userMaxChars).notNull(),
      group: kit.bytes("group_name", limits.userMaxChars).notNull(),
      liveFiles: kit.sum("live_files").notNull(),
      liveBytes: kit.sum("live_bytes").notNull(),
      trashBlobs: kit.sum("trash_blobs").notNull(),
      trashBytes: kit.sum("trash_bytes").notNull(),
      /**
       * The group of the user, where that is another one: files that are counted here have to
       * move there. docs/design/2026-11-23-moving-users.md says why it stands here.
       */
      movesTo: kit.bytes("moves_to", limits.userMaxChars),
    },
    (table) => [
      kit.primaryKey({ columns: [table.user, table.group] }),
      kit.index("user_usage_group").on(table.group),
      kit.index("user_usage_moves").on(table.movesTo, table.user, table.group),
    ],
  );

  /** What tells the file system of a group from any other: its marker carries the same id. */
  const groups = kit.table("storage_groups", {
    name: kit.bytes("name", limits.userMaxChars).primaryKey(),
    id: kit.bytes("id", uuidChars).notNull().unique(),
    createdAtMs: kit.count("created_at_ms").notNull(),
  });

  const idSegments = kit.table("id_segments", {
    name: kit.bytes("name", limits.userMaxChars).primaryKey(),
    /** The first id that nobody has leased yet. */
    next: kit.count("next").notNull(),
  });

  return { users, versions, userUsage, groups, idSegments };
}

export type Tables = ReturnType<typeof defineTables>;
