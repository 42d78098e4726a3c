import type { FileInfo } from "@dsm/protocol";
import { and, eq, gt, inArray, isNotNull, ne, or, type SQL, sql } from "drizzle-orm";
import type { Move, MoveKey } from "../catalog.ts";
import { decoderOf } from "../decode.ts";
import type { Dialect } from "../dialect.ts";
import { change, readRows, type ScriptRun } from "../script.ts";
import { fileColumns, fileOf } from "./file-columns.ts";
import { isNewest } from "./newest.ts";
import { addUsage, Usage } from "./usage.ts";

/**
 * Makes a group that of a user who is there. From then on the rows of the user's usage say what
 * has to move: the row of the group that was left is made where there is none yet, so that what an
 * upload that is still under way commits there is counted in a row that says so already.
 */
export async function moveUser(
  dialect: Dialect,
  user: string,
  group: string,
  nowMs: number,
): Promise<void> {
  const { users } = dialect.tables;
  await dialect.atomic(`move user ${user}`, function* () {
    const columns = { group: users.group };
    const query = dialect.db.select(columns).from(users).where(eq(users.name, user));
    const [row] = (yield* readRows(query, dialect.locking)).map(decoderOf(columns));
    if (row === undefined || row.group === group) return;
    const changed = { group, assignedAtMs: nowMs, updatedAtMs: nowMs };
    yield* change(dialect.db.update(users).set(changed).where(eq(users.name, user)));
    const left = new Usage();
    left.add(user, row.group, {});
    yield* addUsage(dialect, left);
    yield* markMoves(dialect, inArray(dialect.tables.userUsage.user, [user]));
  });
}

/** Lets rows of usage say whether what they count has to move, by the groups of their users. */
export function* markMoves(dialect: Dialect, which: SQL | undefined): ScriptRun<void> {
  const { users, userUsage } = dialect.tables;
  const home = dialect.db
    .select({ group: users.group })
    .from(users)
    .where(and(eq(users.name, userUsage.user), ne(users.group, userUsage.group)));
  yield* change(
    dialect.db
      .update(userUsage)
      .set({ movesTo: sql`(${home})` })
      .where(which),
  );
}

interface MovesQuery {
  readonly after?: MoveKey;
  readonly limit: number;
  readonly user?: string;
  readonly to?: string;
}

export async function listMoves(dialect: Dialect, query: MovesQuery): Promise<Move[]> {
  const { userUsage } = dialect.tables;
  const { after, limit, user, to } = query;
  const isBehind =
    after === undefined
      ? undefined
      : or(
          gt(userUsage.user, after.user),
          and(eq(userUsage.user, after.user), gt(userUsage.group, after.from)),
        );
  const rows = await dialect.read("list the moves", () =>
    dialect.db
      .select({
        user: userUsage.user,
        from: userUsage.group,
        to: userUsage.movesTo,
        files: userUsage.liveFiles,
        bytes: userUsage.liveBytes,
      })
      .from(userUsage)
      .where(
        and(
          isNotNull(userUsage.movesTo),
          gt(userUsage.liveFiles, 0),
          user === undefined ? undefined : eq(userUsage.user, user),
          to === undefined ? undefined : eq(userUsage.movesTo, to),
          isBehind,
        ),
      )
      .orderBy(userUsage.user, userUsage.group)
      .limit(limit),
  );
  return rows.flatMap((row) => (row.to === null ? [] : [{ ...row, to: row.to }]));
}

/** Live files of a user in other groups, by file id. */
export async function filesElsewhere(
  dialect: Dialect,
  query: { user: string; group: string; after?: string; limit: number },
): Promise<FileInfo[]> {
  const { user, group, after, limit } = query;
  const { versions } = dialect.tables;
  const rows = await dialect.read(`list what of ${user} is not in group ${group}`, () =>
    dialect.db
      .select(fileColumns(versions))
      .from(versions)
      .where(
        and(
          eq(versions.user, user),
          after === undefined ? undefined : gt(versions.fileId, after),
          ne(versions.group, group),
          eq(versions.deleted, 0),
          isNewest(dialect),
        ),
      )
      .orderBy(versions.fileId)
      .limit(limit),
  );
  return rows.map(fileOf);
}
