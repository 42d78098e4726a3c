import { DsmError } from "@dsm/protocol";
import { and, eq, gt, gte, sql } from "drizzle-orm";
import type { UserRow } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";
import { hotRead } from "../hot-read.ts";
import type { Tables } from "../schema/define.ts";

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
