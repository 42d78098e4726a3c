import { and, eq, gt, notExists, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { Dialect } from "../dialect.ts";

/** Holds for rows of `versions` that no later version of the same file follows. */
export function isNewest(dialect: Dialect): SQL {
  const { versions } = dialect.tables;
  const later = alias(versions, "later");
  return notExists(
    dialect.db
      .select({ found: sql`1` })
      .from(later)
      .where(
        and(
          eq(later.user, versions.user),
          eq(later.fileId, versions.fileId),
          gt(later.version, versions.version),
        ),
      ),
  );
}
