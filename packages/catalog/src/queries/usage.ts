import type { StoredSpace, UserUsage } from "@dsm/protocol";
import { eq, sql } from "drizzle-orm";
import type { Dialect } from "../dialect.ts";
import { change, type ScriptRun } from "../script.ts";

const counted = ["liveFiles", "liveBytes", "trashBlobs", "trashBytes"] as const;

interface Entry {
  readonly user: string;
  readonly group: string;
  readonly space: StoredSpace;
}

const nothing: StoredSpace = { liveFiles: 0, liveBytes: 0, trashBlobs: 0, trashBytes: 0 };

/** What a transaction adds to the usage of users, in each of their groups. */
export class Usage {
  readonly #entries = new Map<string, Entry>();

  add(user: string, group: string, more: Partial<StoredSpace>): void {
    // No name has a slash.
    const key = `${user}/${group}`;
    const before = this.#entries.get(key)?.space ?? nothing;
    const space = Object.fromEntries(
      counted.map((field) => [field, before[field] + (more[field] ?? 0)]),
    ) as StoredSpace;
    this.#entries.set(key, { user, group, space });
  }

  of(user: string, group: string): StoredSpace {
    return this.#entries.get(`${user}/${group}`)?.space ?? nothing;
  }

  /** By how much the live bytes of a user grow. */
  liveBytesOf(user: string): number {
    return this.entries
      .filter((entry) => entry.user === user)
      .reduce((sum, { space }) => sum + space.liveBytes, 0);
  }

  /** In an order that is the same everywhere, so that two transactions seldom meet crosswise. */
  get entries(): Entry[] {
    const keys = [...this.#entries.keys()].toSorted();
    return keys.flatMap((key) => this.#entries.get(key) ?? []);
  }
}

const keys = ["user_name", "group_name"];
const columns = ["live_files", "live_bytes", "trash_blobs", "trash_bytes"];

/** One statement for all of it. */
export function* addUsage(dialect: Dialect, usage: Usage): ScriptRun<void> {
  const { entries } = usage;
  if (entries.length === 0) return;
  const names = [...keys, ...columns];
  const row = `(${names.map(() => "?").join(", ")})`;
  const text = `insert into user_usage (${names.join(", ")})
    values ${entries.map(() => row).join(", ")}
    ${dialect.addUp("user_usage", keys, columns)}`;
  const { user, group } = dialect.tables.userUsage;
  const params: unknown[] = [];
  for (const entry of entries) {
    params.push(user.mapToDriverValue(entry.user), group.mapToDriverValue(entry.group));
    params.push(...counted.map((field) => entry.space[field]));
  }
  yield* change({ text, params });
}

function sums({ tables: { userUsage } }: Dialect) {
  const sum = (column: (typeof userUsage)[(typeof counted)[number]]) =>
    sql<number>`coalesce(sum(${column}), 0)`.mapWith(Number);
  return {
    liveFiles: sum(userUsage.liveFiles),
    liveBytes: sum(userUsage.liveBytes),
    trashBlobs: sum(userUsage.trashBlobs),
    trashBytes: sum(userUsage.trashBytes),
  };
}

export async function usageOf(dialect: Dialect, user: string): Promise<UserUsage | undefined> {
  const { users, userUsage } = dialect.tables;
  const doing = `look up what ${user} has`;
  const [known] = await dialect.read(doing, () =>
    dialect.db
      .select({ group: users.group, quotaBytes: users.quotaBytes })
      .from(users)
      .where(eq(users.name, user)),
  );
  if (known === undefined) return undefined;
  const [space = nothing] = await dialect.read(doing, () =>
    dialect.db.select(sums(dialect)).from(userUsage).where(eq(userUsage.user, user)),
  );
  const { group, quotaBytes } = known;
  return { user, group, ...space, ...(quotaBytes === null ? {} : { quotaBytes }) };
}

export async function usageOfGroup(dialect: Dialect, group: string): Promise<StoredSpace> {
  const { userUsage } = dialect.tables;
  const [space = nothing] = await dialect.read(`look up what group ${group} has`, () =>
    dialect.db.select(sums(dialect)).from(userUsage).where(eq(userUsage.group, group)),
  );
  return space;
}
