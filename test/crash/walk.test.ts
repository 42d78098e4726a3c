import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { migrateCatalog } from "@dsm/catalog";
import { type CrashPoint, crashPoints } from "@dsm/faults";
import { mariaDbMissing, sharedMariaDb, until } from "@dsm/testkit";
import { shownAndRebuilt } from "./rebuilt.ts";
import { group, type State, user, World } from "./victim.ts";

const killed = 128 + 9;

/** Brings the victim to a point, where it dies. `name` is for the files that it makes. */
type Scenario = (world: World, name: string) => Promise<void>;

const put: Scenario = (world, name) => world.put(name, `new ${name}`);

/** Too large to be written in one step. */
const large = "large ".repeat(50_000);

const putLarge: Scenario = (world, name) => world.put(name, large);

/** Which a catalog under load may refuse at first. */
async function putOld(world: World, name: string): Promise<void> {
  await until("the old text is there", async () => {
    await world.put(name, "old");
    return world.isDead || world.possible.get(name)?.length === 1;
  });
}

const overwrite: Scenario = async (world, name) => {
  await putOld(world, name);
  await world.put(name, "new");
};

const remove: Scenario = async (world, name) => {
  await putOld(world, name);
  await world.delete(name);
};

/** Of many who make the same new file at once some lose, and their records are closed. */
const collide: Scenario = async (world, name) => {
  const texts = Array.from({ length: 8 }, (_, i) => `${i} of ${name}`);
  const done = texts.map((text) => world.put(name, text));
  await Promise.all(done);
  world.possible.set(name, [null, ...texts]);
};

const wrongDigest: Scenario = (world, name) =>
  world.put(name, large, { "Repr-Digest": `sha-256=:${"A".repeat(43)}=:` });

/** A life that ended before the catalog was asked leaves a record that the next one settles. */
const inDoubt: Scenario = async (world, name) => {
  const point = name as CrashPoint;
  await world.stop();
  await world.start("put.flushed");
  await world.put(name, "never in force");
  expect(await world.died()).toBe(killed);
  await world.start(point);
};

const reap: Scenario = async (world, name) => {
  await world.stop();
  await world.start(name as CrashPoint, { trashGraceMs: 0 });
  await remove(world, name);
};

const rotate: Scenario = async (world, name) => {
  await world.stop();
  await world.start(name as CrashPoint, { journalPartMaxBytes: 2_000 });
  for (let i = 0; i < 20; i++) await world.put(`${name}/${i}`, `text ${i}`);
};

const restore: Scenario = async (world, name) => {
  await remove(world, name);
  await world.restore(name, "old");
};

/** Points that other tests walk, each with the place and the reason. */
const elsewhere = {
  "ids.leased": "id-server.test.ts: of an ID server",
  "heal.written": "test/scrub/crashes.test.ts: needs a second disk with good bytes",
  "heal.checked": "test/scrub/crashes.test.ts: likewise",
  "move.copied": "test/cluster/move-crashes.test.ts: needs a second group",
  "fsck.noted": "test/fsck/crashes.test.ts: needs a group that is out of order",
  "fsck.moved": "test/fsck/crashes.test.ts: likewise",
  "fsck.linked": "test/fsck/crashes.test.ts: likewise",
  "fsck.journaled": "test/fsck/crashes.test.ts: likewise",
  "fsck.loaded": "test/fsck/crashes.test.ts: likewise",
} as const satisfies Partial<Record<CrashPoint, string>>;

/** Every point of the table, but those above: a new one is an error of types until it is here. */
const scenarios: Record<Exclude<CrashPoint, keyof typeof elsewhere>, Scenario> = {
  "put.created": putLarge,
  "put.written": put,
  "put.abandoned": wrongDigest,
  "put.journaled": put,
  "put.flushed": put,
  "put.committed": put,
  "overwrite.journaled": overwrite,
  "overwrite.flushed": overwrite,
  "overwrite.committed": overwrite,
  "delete.journaled": remove,
  "delete.flushed": remove,
  "delete.committed": remove,
  "restore.linked": restore,
  "abort.due": collide,
  "abort.journaled": collide,
  "abort.flushed": collide,
  "settle.looked": inDoubt,
  "settle.aborted": inDoubt,
  "settle.removed": inDoubt,
  "reaper.unlinked": reap,
  "reaper.forgotten": reap,
  "journal.closed": rotate,
  "journal.opened": rotate,
  "lease.taken": put,
};

type Finding = Record<string, unknown>;

async function findingsOf({ client }: World, repair: boolean): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const line of client.maintain({ group, job: "fsck", params: { repair } })) {
    if ("finding" in line) findings.push(line.finding);
  }
  return findings;
}

async function overHttp({ cluster }: World, fileId: string): Promise<string | null> {
  const response = await fetch(`${cluster.http}/media/${user}/${fileId}`);
  return response.status === 404 ? null : response.text();
}

type Seen = ReadonlyMap<string, State>;

/**
 * Every file is wholly in one of the states that are possible, and the same for everybody. What
 * was in doubt may come into force late; once it was seen to be, it stays.
 */
async function expectWhole(world: World, before: Seen): Promise<Seen> {
  const seen = new Map<string, State>();
  for (const [fileId, states] of world.possible) {
    const read = await overHttp(world, fileId);
    expect([fileId, await world.read(fileId)]).toEqual([fileId, read]);
    expect(states).toContain(read);
    const [oldest = null] = states;
    if (before.has(fileId) && before.get(fileId) !== oldest) expect(read).not.toBe(oldest);
    seen.set(fileId, read);
  }
  return seen;
}

function describeWalk(
  where: string,
  catalogUrl: () => Promise<string | undefined>,
  isWalked: (name: string) => boolean = () => true,
): void {
  describe(`a storage that dies, on ${where}`, () => {
    let world: World;
    beforeAll(async () => {
      world = await World.open(await catalogUrl());
    });
    afterAll(async () => world[Symbol.asyncDispose]());

    test.each(Object.entries(scenarios).filter(([name]) => isWalked(name)))(
      "at %s leaves nothing by halves",
      async (name, scenario) => {
        await world.start(name as CrashPoint);
        await scenario(world, name);
        expect(await world.died()).toBe(killed);
        await world.start();
        const seen = await expectWhole(world, new Map());
        // What a crash left on the disk is garbage then, and nothing else is.
        await until("what was in doubt is settled", () => world.hasSettled());
        let left: Finding[] = [];
        const kinds = new Set<unknown>();
        await until("fsck can mend all that is left", async () => {
          for (const { kind } of await findingsOf(world, true)) kinds.add(kind);
          left = await findingsOf(world, false);
          return left.length === 0;
        }).catch(() => expect(left).toEqual([]));
        expect([...kinds].filter((kind) => kind !== "orphan")).toEqual(
          name === "reaper.unlinked" ? ["missing-trash"] : [],
        );
        // From now on that is the state.
        for (const [fileId, state] of await expectWhole(world, seen)) {
          world.possible.set(fileId, [state]);
        }
        expect(await world.cluster.catalog.checkUsage({ repair: false })).toEqual([]);
        await world.put(`${name} after`, "alive");
        expect(world.possible.get(`${name} after`)).toEqual(["alive"]);
        await world.stop();
      },
      30_000,
    );

    test("and after all of that the disk alone tells the same as the catalog", async () => {
      const { shown, rebuilt } = await shownAndRebuilt(world);
      expect(shown.length).toBeGreaterThan(10);
      expect(rebuilt).toEqual(shown);
    }, 30_000);
  });
}

describeWalk("SQLite", () => Promise.resolve(undefined));

const missing = mariaDbMissing();
const why = missing === undefined ? "between storage and catalog" : `skipped: ${missing}`;

describe.skipIf(missing !== undefined)(why, () => {
  const atCatalog = /\.(?:flushed|committed|due|aborted|unlinked|forgotten)$/;
  describeWalk(
    "MariaDB",
    async () => {
      const url = await (await sharedMariaDb()).createDatabase();
      await migrateCatalog(url);
      return url;
    },
    (name) => atCatalog.test(name),
  );
});

test("every point of the table is walked", () => {
  const walked = [...Object.keys(scenarios), ...Object.keys(elsewhere)];
  expect(walked.toSorted()).toEqual(Object.keys(crashPoints).toSorted());
});
