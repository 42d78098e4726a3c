import { DsmError } from "@dsm/protocol";
import { sql } from "drizzle-orm";
import type {
  Catalog,
  Change,
  CurrentVersion,
  ListPage,
  ListQuery,
  Segment,
  TrashedBlob,
  TrashQuery,
} from "./catalog.ts";
import type { Dialect } from "./dialect.ts";
import { commitChanges } from "./queries/commit.ts";
import { type Current, listFiles, prepareCurrent } from "./queries/files.ts";
import { leaseSegment } from "./queries/segments.ts";
import { forgetTrashed, trashedBlobs } from "./queries/trash.ts";
import { cannotMove, type GroupOf, insertUser, moveUser, prepareGroupOf } from "./queries/users.ts";

/** The catalog over either dialect. The queries stand in queries/, a file for each use. */
export class SqlCatalog implements Catalog {
  readonly #dialect: Dialect;
  readonly #groupOf: GroupOf;
  readonly #current: Current;
  #closing: Promise<void> | undefined;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
    this.#groupOf = prepareGroupOf(dialect);
    this.#current = prepareCurrent(dialect);
  }

  get dialect(): "sqlite" | "mysql" {
    return this.#dialect.name;
  }

  groupOf(user: string): Promise<string | undefined> {
    return this.#groupOf(user);
  }

  async assignGroup(user: string, group: string, nowMs: number): Promise<string> {
    await insertUser(this.#dialect, user, group, nowMs);
    const inForce = await this.#groupOf(user);
    if (inForce !== undefined) return inForce;
    throw new DsmError("INTERNAL", `user ${user} vanished from the catalog while being assigned`);
  }

  async reassignGroup(user: string, group: string, nowMs: number): Promise<void> {
    if ((await this.assignGroup(user, group, nowMs)) === group) return;
    await moveUser(this.#dialect, user, group, nowMs);
    const inForce = await this.#groupOf(user);
    if (inForce !== group) throw cannotMove(user, group, inForce);
  }

  current(user: string, fileId: string): Promise<CurrentVersion | undefined> {
    return this.#current(user, fileId);
  }

  list(query: ListQuery): Promise<ListPage> {
    return listFiles(this.#dialect, query);
  }

  commit(changes: readonly Change[]): Promise<boolean[]> {
    return commitChanges(this.#dialect, changes);
  }

  leaseSegment(name: string, count: number): Promise<Segment> {
    return leaseSegment(this.#dialect, name, count);
  }

  trashed(query: TrashQuery): Promise<TrashedBlob[]> {
    return trashedBlobs(this.#dialect, query);
  }

  forgetTrashed(blob: TrashedBlob): Promise<void> {
    return forgetTrashed(this.#dialect, blob);
  }

  async ping(): Promise<void> {
    const { users } = this.#dialect.tables;
    await this.#dialect.read("reach it", () =>
      this.#dialect.db
        .select({ found: sql`1` })
        .from(users)
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
