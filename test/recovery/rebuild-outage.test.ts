import { describe, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { openCatalog } from "@dsm/catalog";
import { mariaDbMissing, startMariaDb, startProcess, tempDir, until } from "@dsm/testkit";
import { rowsOf } from "./comparable.ts";
import { layGroup, linesOf, putOf } from "./written-journal.ts";

const dsm = resolve(import.meta.dir, "../../bin/dsm");
const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (${missing})`;
const count = 40_000;

describe.skipIf(missing !== undefined)(`a rebuild whose MariaDB is killed${why}`, () => {
  test("waits for it, goes on, and misses nothing", async () => {
    await using dir = await tempDir();
    await using server = await startMariaDb();
    const url = await server.createDatabase();
    const database = new URL(url).pathname.slice(1);
    const root = join(dir.path, "g1");
    const users = Array.from({ length: count }, (_, n) => ({ user: `u${n % 900}` }));
    await layGroup(root, linesOf(users.map((file, n) => putOf(n + 1, file))));
    const args = ["--catalog", url, "--root", `g1=${root}`, "--json"];
    await using rebuild = await startProcess({ cmd: [dsm, "catalog", "rebuild", ...args] });
    const written = await until("rows are being written", async () => {
      const [row] = await server
        .query("SELECT count(*) AS n FROM versions", database)
        .catch(() => []);
      return Number(row?.["n"] ?? 0);
    });
    expect(written).toBeLessThan(count);
    await server.kill();
    await server.start();
    // Without their blobs all files are damaged, and restored.
    expect([await rebuild.exited, rebuild.stderr()]).toEqual([1, ""]);
    await rebuild.stop();
    expect(rebuild.stdout()).toContain(`"versions":${count}`);
    await using catalog = await openCatalog(url);
    expect((await rowsOf(catalog)).versions).toHaveLength(count);
    expect(await catalog.checkUsage({ repair: false })).toEqual([]);
  }, 90_000);
});
