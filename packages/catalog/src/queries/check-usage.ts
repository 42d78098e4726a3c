import { DsmError, limits } from "@dsm/protocol";
import { and, asc, gt, inArray, lte } from "drizzle-orm";
import type { UsageFault, VersionKey } from "../catalog.ts";
import type { Dialect } from "../dialect.ts";
import { UsageCounter } from "../usage-counter.ts";
import { findMark, moveMark } from "./marks.ts";
import { markMoves } from "./moves.ts";
import { listVersions } from "./rows.ts";
import { addUsage, Usage } from "./usage.ts";

/** Counts the repairs that there ever were: two that run at once must not both add the same. */
const repairMark = "usage-repairs:";
const faultsPerTransaction = 500;

/**
 * Compares what is counted with all versions as both are at one moment, so that nobody who commits
 * meanwhile waits for it or is in its way. What is missing is added then, and stays right however
 * much others have added since.
 */
export async function checkUsage(
  dialect: Dialect,
  { repair }: { readonly repair: boolean },
): Promise<UsageFault[]> {
  let first: UsageFault[] | undefined;
  for (let tries = 0; tries < limits.catalogRetryMax; tries++) {
    const { faults, repairs } = await dialect.snapshot("compare the usage of its users", (at) =>
      findFaults(at),
    );
    first ??= faults;
    if (!repair || faults.length === 0 || (await mend(dialect, faults, repairs))) return first;
  }
  throw new DsmError("CATALOG_UNAVAILABLE", "others repair the usage of the catalog as well", {
    remedy: "wait until they are done",
  });
}

/** @returns false when somebody else has repaired something since `repairs` was read */
async function mend(
  dialect: Dialect,
  faults: readonly UsageFault[],
  repairs: number,
): Promise<boolean> {
  for (let at = 0, count = repairs; at < faults.length; at += faultsPerTransaction, count++) {
    const part = faults.slice(at, at + faultsPerTransaction);
    const doing = `set the usage of ${part.length} users right`;
    const isDone = await dialect.atomic(doing, function* () {
      const mark = { name: repairMark, value: count };
      if (!(yield* moveMark(dialect, mark, count + 1))) return false;
      yield* addUsage(dialect, missingIn(part));
      const users = part.map(({ user }) => user);
      yield* markMoves(dialect, inArray(dialect.tables.userUsage.user, users));
      return true;
    });
    if (!isDone) return false;
  }
  return true;
}

function missingIn(faults: readonly UsageFault[]): Usage {
  const usage = new Usage();
  for (const { user, group, counted, actual } of faults) {
    usage.add(user, group, {
      liveFiles: actual.liveFiles - counted.liveFiles,
      liveBytes: actual.liveBytes - counted.liveBytes,
      trashBlobs: actual.trashBlobs - counted.trashBlobs,
      trashBytes: actual.trashBytes - counted.trashBytes,
    });
  }
  return usage;
}

interface Found {
  readonly faults: UsageFault[];
  readonly repairs: number;
}

/** Users at a time, so that memory does not grow with their number. */
const usersAtATime = 200;

async function findFaults(at: Dialect): Promise<Found> {
  const repairs = (await findMark(at, repairMark))?.value ?? 0;
  const faults: UsageFault[] = [];
  const counter = new UsageCounter();
  let behind: string | undefined;
  for await (const page of versionPages(at)) {
    for (const row of page) counter.add(row);
    if (counter.finishedUsers < usersAtATime) continue;
    const { users, usage } = counter.takeFinished();
    const upTo = users.at(-1);
    faults.push(...differences(await countedOf(at, { behind, upTo }), usage));
    behind = upTo;
  }
  const { usage } = counter.takeAll();
  faults.push(...differences(await countedOf(at, { behind }), usage));
  return { faults, repairs };
}

async function* versionPages(at: Dialect) {
  const limit = limits.listMax;
  let after: VersionKey | undefined;
  for (;;) {
    const page = await listVersions(at, { limit, ...(after === undefined ? {} : { after }) });
    yield page;
    if (page.length < limit) return;
    after = page.at(-1);
    // SQLite reads without a pause; others of this process have their turn here.
    await Bun.sleep(0);
  }
}

interface UserRange {
  readonly behind: string | undefined;
  readonly upTo?: string | undefined;
}

async function countedOf(at: Dialect, { behind, upTo }: UserRange): Promise<Usage> {
  const { userUsage } = at.tables;
  const usage = new Usage();
  const rows = await at.read("read the usage of its users", () =>
    at.db
      .select()
      .from(userUsage)
      .where(
        and(
          behind === undefined ? undefined : gt(userUsage.user, behind),
          upTo === undefined ? undefined : lte(userUsage.user, upTo),
        ),
      )
      .orderBy(asc(userUsage.user)),
  );
  for (const { user: name, group, ...space } of rows) usage.add(name, group, space);
  return usage;
}

function differences(counted: Usage, actual: Usage): UsageFault[] {
  const all = new Usage();
  for (const { user, group } of [...counted.entries, ...actual.entries]) all.add(user, group, {});
  return all.entries.flatMap(({ user, group }) => {
    const [said, real] = [counted.of(user, group), actual.of(user, group)];
    return Bun.deepEquals(said, real) ? [] : [{ user, group, counted: said, actual: real }];
  });
}
