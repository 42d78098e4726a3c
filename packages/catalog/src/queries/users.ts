import { DsmError } from "@dsm/protocol";
import { and, eq, exists, gt, gte, ne, not, type SQLWrapper, sql } from "drizzle-orm";
import type { UserRow } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";
import { hotRead } from "../hot-read.ts";
import type { Tables } from "../schema/define.ts";
import { isNewest } from "./newest.ts";

export type GroupOf = (user: string) => Promise<string | undefined>;

export function prepareGroupOf(dialect: Dialect): GroupOf {
  const { users } = dialect.tables;
  const columns = { group: users.group };
  const query = dialect.db
    .select(columns)
    .from(users)
    .where(eq(users.name, sql.placeholder("user")));
  const run = hotRead(dialect, columns, query);
  return async (user) => (await run(`look up user ${user}`, { user }))[0]?.group;
}

/** The row that is there first stays: every process then reads the same group. */
export async function insertUser(
  dialect: Dialect,
  user: string,
  group: string,
  nowMs: number,
): Promise<void> {
  const { users } = dialect.tables;
  await dialect.write(
    `assign user ${user}`,
    sql`insert into ${users} (${sql.identifier("name")}, ${sql.identifier("group_name")},
        ${sql.identifier("assigned_at_ms")}, ${sql.identifier("updated_at_ms")})
      values (${sql.param(user, users.name)}, ${sql.param(group, users.group)}, ${nowMs}, ${nowMs})
      ${sql.raw(dialect.ifAbsent("users.name"))}`,
  );
}

/** One conditional statement, so that no upload slips in between the check and the move. */
export async function moveUser(
  dialect: Dialect,
  user: string,
  group: string,
  nowMs: number,
): Promise<void> {
  const { users } = dialect.tables;
  await dialect.write(
    `move user ${user}`,
    dialect.db
      .update(users)
      .set({ group, assignedAtMs: nowMs, updatedAtMs: nowMs })
      .where(
        and(
          eq(users.name, user),
          ne(users.group, group),
          not(exists(filesElsewhere(dialect, user, group))),
        ),
      ),
  );
}

function filesElsewhere(dialect: Dialect, user: string, group: string): SQLWrapper {
  const { versions } = dialect.tables;
  return dialect.db
    .select({ found: sql`1` })
    .from(versions)
    .where(
      and(
        eq(versions.user, user),
        ne(versions.group, group),
        eq(versions.deleted, 0),
        isNewest(dialect),
      ),
    );
}

/** @throws DsmError USER_NOT_FOUND */
export async function setQuota(
  dialect: Dialect,
  user: string,
  quotaBytes: number | undefined,
  nowMs: number,
): Promise<void> {
  const { users } = dialect.tables;
  const changed = await dialect.write(
    `set the quota of ${user}`,
    dialect.db
      .update(users)
      .set({ quotaBytes: quotaBytes ?? null, updatedAtMs: nowMs })
      .where(eq(users.name, user)),
  );
  // MySQL counts no row that stays as it was.
  if (changed > 0 || (await listUsers(dialect, { limit: 1, only: user })).length > 0) return;
  throw new DsmError("USER_NOT_FOUND", `there is no user ${user}`, {
    remedy: "a user comes to be with the first upload, or with dsm user assign",
  });
}

interface UsersQuery {
  readonly after?: string;
  readonly limit: number;
  readonly group?: string;
  readonly sinceMs?: number;
  readonly only?: string;
}

/** All users by name; of one group, and those that changed since a time, where that is asked. */
export async function listUsers(dialect: Dialect, query: UsersQuery): Promise<UserRow[]> {
  const { users } = dialect.tables;
  const { after, limit, group, sinceMs, only } = query;
  const rows = await dialect.read("list users", () =>
    dialect.db
      .select()
      .from(users)
      .where(
        and(
          after === undefined ? undefined : gt(users.name, after),
          group === undefined ? undefined : eq(users.group, group),
          sinceMs === undefined ? undefined : gte(users.updatedAtMs, sinceMs),
          only === undefined ? undefined : eq(users.name, only),
        ),
      )
      .orderBy(users.name)
      .limit(limit),
  );
  return rows.map(userOf);
}

function userOf({ quotaBytes, ...always }: Tables["users"]["$inferSelect"]): UserRow {
  return quotaBytes === null ? always : { ...always, quotaBytes };
}

export function cannotMove(user: string, group: string, from: string | undefined): DsmError {
  return new DsmError(
    "CONFLICT",
    `cannot move user ${user} to group ${group}: files of this user live in group ${from}`,
    { remedy: "delete the files of the user first, or leave the user where it is" },
  );
}
