import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Catalog, migrateCatalog, openCatalog, type PutChange } from "@dsm/catalog";
import { mariaDbMissing, sharedMariaDb, tempDir } from "@dsm/testkit";
import { change, fill, runCatalog } from "./backup-fixture.ts";
import { rowsOf } from "./comparable.ts";

const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (${missing})`;

describe("a backup of a catalog that is written meanwhile is one moment of it", () => {
  test("SQLite", async () => {
    await using dir = await tempDir();
    await backUpWhileWritten(dir.path, `sqlite:${join(dir.path, "live.db")}`);
  }, 60_000);

  test.skipIf(missing !== undefined)(
    `MariaDB${why}`,
    async () => {
      await using dir = await tempDir();
      await backUpWhileWritten(dir.path, await (await sharedMariaDb()).createDatabase());
    },
    60_000,
  );
});

async function backUpWhileWritten(folder: string, url: string): Promise<void> {
  await migrateCatalog(url);
  await using live = await openCatalog(url);
  await fill(live);
  const before = (await rowsOf(live)).versions;
  const stop = new AbortController();
  const writing = writeInTurn(live, stop.signal);
  const path = join(folder, "backup.ndjson");
  const { code } = await runCatalog(["backup", path, "--catalog", url]).finally(() => stop.abort());
  expect(code).toBe(0);
  const written = await writing;
  const restoredUrl = `sqlite:${join(folder, "restored.db")}`;
  expect((await runCatalog(["restore", path, "--catalog", restoredUrl])).code).toBe(0);
  await using restored = await openCatalog(restoredUrl);
  const { versions } = await rowsOf(restored);
  const isWritten = ({ user }: { user: string }) => user === "aaa" || user === "zzz";
  expect(versions.filter((row) => !isWritten(row))).toEqual(before);
  // First a version of the first user, then one of the last: never one without the other.
  const [first, last] = ["aaa", "zzz"].map((name) => versions.filter((row) => row.user === name));
  expect([0, 1]).toContain((first?.length ?? 0) - (last?.length ?? 0));
  const all = (await rowsOf(live)).versions;
  for (const rows of [first, last]) {
    const user = rows?.[0]?.user;
    expect(rows).toEqual(all.filter((row) => row.user === user).slice(0, rows?.length));
  }
  expect(last?.length).toBeGreaterThan(0);
  expect(last?.length).toBeLessThan(written);
}

/** One file of the first user and one of the last grow in turn. @returns how often */
async function writeInTurn(catalog: Catalog, signal: AbortSignal): Promise<number> {
  const last = new Map<string, PutChange>();
  for (let version = 1; ; version++) {
    for (const user of ["aaa", "zzz"]) {
      const put = change(user, "f", version, last.get(user));
      expect(await catalog.commit([put])).toEqual(["in force"]);
      last.set(user, put);
    }
    if (signal.aborted) return version;
    await Bun.sleep(0);
  }
}
