import { type BlobId, DsmError, type FileInfo, type StoredSpace } from "@dsm/protocol";
import { sql } from "drizzle-orm";
import type { Catalog, Change, GroupRow, TrashedBlob, VersionRow } from "./catalog.ts";
import type { Dialect } from "./dialect.ts";
import { firstIdSinceLoad } from "./loading.ts";
import * as blobs from "./queries/blobs.ts";
import { checkUsage } from "./queries/check-usage.ts";
import { commitChanges } from "./queries/commit.ts";
import { type Current, listFiles, prepareCurrent } from "./queries/files.ts";
import * as groups from "./queries/groups.ts";
import * as moves from "./queries/moves.ts";
import * as rows from "./queries/rows.ts";
import { leaseSegment } from "./queries/segments.ts";
import { forgetTrashed, trashedBlobs, trashEntryOf } from "./queries/trash.ts";
import { usageOf, usageOfGroup } from "./queries/usage.ts";
import * as users from "./queries/users.ts";
import { restoredGap } from "./restored.ts";

/** What a method of the catalog is asked for. */
type Of<Name extends keyof Catalog> = Catalog[Name] extends (...args: infer A) => unknown
  ? A[0]
  : never;
type Answer<Name extends keyof Catalog> = Catalog[Name] extends (...args: never) => infer R
  ? R
  : never;

/** The catalog over either dialect. The queries stand in queries/, a file for each use. */
export class SqlCatalog implements Catalog {
  readonly #dialect: Dialect;
  readonly #groupOf: users.GroupOf;
  readonly #current: Current;
  #closing: Promise<void> | undefined;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
    this.#groupOf = users.prepareGroupOf(dialect);
    this.#current = prepareCurrent(dialect);
  }

  get dialect(): "sqlite" | "mysql" {
    return this.#dialect.name;
  }

  groupOf(user: string): Promise<string | undefined> {
    return this.#groupOf(user);
  }

  async assignGroup(user: string, group: string, nowMs: number): Promise<string> {
    await users.insertUser(this.#dialect, user, group, nowMs);
    const inForce = await this.#groupOf(user);
    if (inForce !== undefined) return inForce;
    throw new DsmError("INTERNAL", `user ${user} vanished from the catalog while being assigned`);
  }

  async reassignGroup(user: string, group: string, nowMs: number): Promise<void> {
    if ((await this.assignGroup(user, group, nowMs)) === group) return;
    await moves.moveUser(this.#dialect, user, group, nowMs);
  }

  moves(query: Of<"moves">): Answer<"moves"> {
    return moves.listMoves(this.#dialect, query);
  }

  filesElsewhere(query: Of<"filesElsewhere">): Promise<FileInfo[]> {
    return moves.filesElsewhere(this.#dialect, query);
  }

  groupIdOf(group: string): Promise<string | undefined> {
    return groups.groupIdOf(this.#dialect, group);
  }

  claimGroupId(group: string, id: string, nowMs: number): Promise<string> {
    return groups.claimGroupId(this.#dialect, { name: group, id, createdAtMs: nowMs });
  }

  groups(): Promise<GroupRow[]> {
    return groups.listGroups(this.#dialect);
  }

  current(...[user, fileId, options]: Parameters<Current>): Answer<"current"> {
    return this.#current(user, fileId, options);
  }

  list(query: Of<"list">): Answer<"list"> {
    return listFiles(this.#dialect, query);
  }

  commit(changes: readonly Change[]): Answer<"commit"> {
    return commitChanges(this.#dialect, changes);
  }

  leaseSegment(name: string, count: number): Answer<"leaseSegment"> {
    return leaseSegment(this.#dialect, name, count);
  }

  trashed(query: Of<"trashed">): Answer<"trashed"> {
    return trashedBlobs(this.#dialect, query);
  }

  forgetTrashed(blob: TrashedBlob): Promise<void> {
    return forgetTrashed(this.#dialect, blob);
  }

  trashOf(query: Of<"trashOf">): Answer<"trashOf"> {
    return blobs.trashOfUser(this.#dialect, query);
  }

  expired(query: Of<"expired">): Promise<FileInfo[]> {
    return blobs.expiredFiles(this.#dialect, query);
  }

  usageOf(user: string): Answer<"usageOf"> {
    return usageOf(this.#dialect, user);
  }

  usageOfGroup(group: string): Promise<StoredSpace> {
    return usageOfGroup(this.#dialect, group);
  }

  setQuota(user: string, quotaBytes: number | undefined, nowMs: number): Promise<void> {
    return users.setQuota(this.#dialect, user, quotaBytes, nowMs);
  }

  markDamage(blobId: BlobId, damage: string | undefined): Promise<void> {
    return blobs.markDamage(this.#dialect, blobId, damage);
  }

  damaged(query: Of<"damaged">): Answer<"damaged"> {
    return blobs.damagedBlobs(this.#dialect, query);
  }

  blobs(query: Of<"blobs">): Answer<"blobs"> {
    return blobs.knownBlobs(this.#dialect, query);
  }

  blobsOf(ids: readonly BlobId[]): Answer<"blobsOf"> {
    return blobs.blobsOf(this.#dialect, ids);
  }

  trashEntryOf(blobId: BlobId): Answer<"trashEntryOf"> {
    return trashEntryOf(this.#dialect, blobId);
  }

  rowsOf(ids: readonly BlobId[]): Promise<VersionRow[]> {
    return rows.rowsOf(this.#dialect, ids);
  }

  blobsWith(user: string, sha256: string): Promise<FileInfo[]> {
    return blobs.blobsWith(this.#dialect, user, sha256);
  }

  users(query: Of<"users">): Answer<"users"> {
    return users.listUsers(this.#dialect, query);
  }

  versions(query: Of<"versions">): Promise<VersionRow[]> {
    return rows.listVersions(this.#dialect, query);
  }

  segments(): Answer<"segments"> {
    return rows.listSegments(this.#dialect);
  }

  restoredGap(): Answer<"restoredGap"> {
    return restoredGap(this.#dialect);
  }

  firstIdSinceLoad(): Promise<number | undefined> {
    return firstIdSinceLoad(this.#dialect);
  }

  snapshot<T>(
    work: (at: Pick<Catalog, "groups" | "users" | "versions" | "segments">) => Promise<T>,
  ): Promise<T> {
    return this.#dialect.snapshot("read it as it is now", (at) =>
      work({
        groups: () => groups.listGroups(at),
        users: (query) => users.listUsers(at, query),
        versions: (query) => rows.listVersions(at, query),
        segments: () => rows.listSegments(at),
      }),
    );
  }

  load(added: Of<"load">): Promise<void> {
    return rows.loadRows(this.#dialect, added);
  }

  isEmpty(): Promise<boolean> {
    return rows.isEmpty(this.#dialect);
  }

  checkUsage(options: Of<"checkUsage">): Answer<"checkUsage"> {
    return checkUsage(this.#dialect, options);
  }

  async ping(): Promise<void> {
    const { tables } = this.#dialect;
    await this.#dialect.read("reach it", () =>
      this.#dialect.db
        .select({ found: sql`1` })
        .from(tables.users)
        .limit(1),
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#dialect.close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
