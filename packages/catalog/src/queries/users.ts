import { DsmError } from "@dsm/protocol";
import { and, eq, exists, ne, not, type SQLWrapper, sql } from "drizzle-orm";
import type { Dialect } from "../dialect.ts";
import { hotRead } from "../hot-read.ts";
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
    sql`insert into ${users} (${sql.identifier("name")}, ${sql.identifier("group_name")}, ${sql.identifier("assigned_at_ms")})
      values (${sql.param(user, users.name)}, ${sql.param(group, users.group)}, ${nowMs})
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
      .set({ group, assignedAtMs: nowMs })
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

export function cannotMove(user: string, group: string, from: string | undefined): DsmError {
  return new DsmError(
    "CONFLICT",
    `cannot move user ${user} to group ${group}: files of this user live in group ${from}`,
    { remedy: "delete the files of the user first, or leave the user where it is" },
  );
}
