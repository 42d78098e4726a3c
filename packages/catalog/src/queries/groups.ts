import { DsmError } from "@dsm/protocol";
import { eq, sql } from "drizzle-orm";
import type { GroupRow } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";

export async function groupIdOf(dialect: Dialect, group: string): Promise<string | undefined> {
  const { groups } = dialect.tables;
  const [row] = await dialect.read(`look up the id of group ${group}`, () =>
    dialect.db.select({ id: groups.id }).from(groups).where(eq(groups.name, group)),
  );
  return row?.id;
}

/** The row that is there first stays. @throws DsmError CONFLICT when another group has this id */
export async function claimGroupId(dialect: Dialect, row: GroupRow): Promise<string> {
  const { groups } = dialect.tables;
  const { name, id, createdAtMs } = row;
  await dialect.write(
    `claim the id of group ${name}`,
    sql`insert into ${groups} (${sql.identifier("name")}, ${sql.identifier("id")},
        ${sql.identifier("created_at_ms")})
      values (${sql.param(name, groups.name)}, ${sql.param(id, groups.id)}, ${createdAtMs})
      ${sql.raw(dialect.ifAbsent("storage_groups.name"))}`,
  );
  const inForce = await groupIdOf(dialect, name);
  if (inForce !== undefined) return inForce;
  const others = await listGroups(dialect);
  const owner = others.find((other) => other.id === id)?.name;
  throw new DsmError("CONFLICT", `group ${name} cannot have the id ${id}: group ${owner} has it`, {
    remedy: "two groups never share a file system: give each one of its own",
  });
}

/** A cluster has few groups: all of them, by name. */
export async function listGroups(dialect: Dialect): Promise<GroupRow[]> {
  const { groups } = dialect.tables;
  return dialect.read("list the groups", () =>
    dialect.db.select().from(groups).orderBy(groups.name),
  );
}
