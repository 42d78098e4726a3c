import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Catalog, openCatalog } from "@dsm/catalog";
import { mariaDbMissing, sharedMariaDb, startProcess, tempDir } from "@dsm/testkit";
import { dsm, expectRestored, fill, runCatalog as run, sqliteUrl } from "./backup-fixture.ts";
import { rowsOf } from "./comparable.ts";

const missing = mariaDbMissing();
const why = missing === undefined ? "" : ` (${missing})`;
const noStrace = Bun.which("strace") === null ? "strace is not installed" : undefined;

describe("dsm catalog backup and restore", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let source: Catalog;
  let sourceUrl: string;

  beforeAll(async () => {
    dir = await tempDir();
    sourceUrl = await sqliteUrl(dir.path, "source.db");
    source = await openCatalog(sourceUrl);
    await fill(source);
  }, 60_000);

  afterAll(async () => {
    await source.close();
    await dir[Symbol.asyncDispose]();
  });

  const backup = async (name: string, ...more: string[]) => {
    const path = join(dir.path, name);
    const { code, stderr } = await run(["backup", path, "--catalog", sourceUrl, "--json", ...more]);
    expect([code, stderr]).toEqual([0, ""]);
    return path;
  };
  const fresh = () => `sqlite:${join(dir.path, `${crypto.randomUUID()}.db`)}`;

  for (const ending of ["", ".gz", ".zst"]) {
    test(`a restored catalog has every row, as NDJSON${ending}`, async () => {
      const path = await backup(`plain.ndjson${ending}`);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      const url = fresh();
      const { code, stderr } = await run(["restore", path, "--catalog", url]);
      expect([code, stderr]).toEqual([0, ""]);
      await using restored = await openCatalog(url);
      expectRestored(await rowsOf(restored), await rowsOf(source));
      expect(await restored.checkUsage({ repair: false })).toEqual([]);
    });
  }

  test("compressed files are what their names say", async () => {
    const plain = (await readFile(await backup("p.ndjson"), "utf8")).split("\n");
    const gz = gunzipSync(await readFile(await backup("p.gz")))
      .toString()
      .split("\n");
    const zst = Buffer.from(Bun.zstdDecompressSync(await readFile(await backup("p.zst"))));
    // Headers hold the time, and footers the sum that depends on it.
    expect(gz.slice(1, -2)).toEqual(plain.slice(1, -2));
    expect(zst.toString().split("\n").slice(1, -2)).toEqual(plain.slice(1, -2));
  });

  test("goes through pipes", async () => {
    const { code, stdout, stderr } = await run(["backup", "-", "--catalog", sourceUrl]);
    expect([code, stderr]).toEqual([0, expect.stringContaining("versions are in the backup")]);
    const url = fresh();
    const piped = await run(["restore", "-", "--catalog", url], new Blob([stdout]));
    expect([piped.code, piped.stderr]).toEqual([0, ""]);
    await using restored = await openCatalog(url);
    expectRestored(await rowsOf(restored), await rowsOf(source));
    const args = [dsm, "catalog", "backup", "-", "--catalog", sourceUrl];
    const cut = Bun.spawn(["sh", "-c", '"$@" | head -c 100; exit 0', "sh", ...args], {
      stdout: "ignore",
      stderr: "pipe",
    });
    expect(await cut.stderr.text()).toContain("the backup was not read to its end");
  });

  test("an existing file is kept unless it may be replaced, and a draft never stays", async () => {
    const path = await backup("kept.ndjson");
    const before = await readFile(path, "utf8");
    const again = await run(["backup", path, "--catalog", sourceUrl]);
    expect([again.code, again.stderr]).toEqual([4, expect.stringContaining("is there already")]);
    const noCatalog = await run(["backup", join(dir.path, "x"), "--catalog", fresh()]);
    expect(noCatalog.code).not.toBe(0);
    expect(await readFile(path, "utf8")).toBe(before);
    await backup("kept.ndjson", "--overwrite");
    expect(await readFile(path, "utf8")).not.toBe(before);
    expect((await readdir(dir.path)).filter((name) => name.includes(".part-"))).toEqual([]);
  });

  test("what is cut, flipped, foreign or not there is refused before anything is written", async () => {
    const bad = join(dir.path, "bad");
    const sound: Buffer[] = [];
    for (const name of ["c.ndjson", "c.gz", "c.zst"])
      sound.push(await readFile(await backup(name)));
    const url = fresh();
    const refused = async (content: Buffer | string, words: RegExp) => {
      await writeFile(bad, content);
      const { code, stderr } = await run(["restore", bad, "--catalog", url]);
      expect([code, stderr]).toEqual([1, expect.stringMatching(words)]);
    };
    for (const bytes of sound) {
      await refused(bytes.subarray(0, bytes.length - 3), /cut off|cannot be decompressed/);
      await refused(bytes.subarray(0, bytes.length / 2), /cut off|cannot be decompressed/);
      const flipped = Buffer.from(bytes);
      flipped[bytes.length >> 1]! ^= 1;
      await refused(flipped, /cannot be restored: (line \d+|it cannot be decompressed)/);
    }
    await refused("id,name\n1,ann\n", /it is no backup of a dsm catalog/);
    const absent = await run(["restore", join(dir.path, "absent"), "--catalog", url]);
    expect([absent.code, absent.stderr]).toEqual([2, expect.stringContaining("ENOENT")]);
    expect(await Bun.file(url.slice("sqlite:".length)).exists()).toBe(false);
  });

  test("a catalog that is not empty, or holds half of another job, is refused", async () => {
    const path = await backup("full.ndjson");
    const { code, stderr } = await run(["restore", path, "--catalog", sourceUrl]);
    expect([code, stderr]).toEqual([4, expect.stringContaining("is not empty")]);
  });

  const killed = "what was killed in the middle goes on with the same backup, and with no other";
  test.skipIf(noStrace !== undefined)(
    `${killed}${noStrace === undefined ? "" : ` (${noStrace})`}`,
    async () => {
      const [path, other] = [await backup("one.ndjson"), await backup("two.ndjson")];
      const url = fresh();
      const inject = "inject=pwrite64:signal=KILL:when=200";
      const strace = ["strace", "-f", "-qq", "-e", "trace=pwrite64", "-e", inject];
      await using process = await startProcess({
        cmd: [...strace, dsm, "catalog", "restore", path, "--catalog", url],
      });
      await process.exited;
      const opened = await openCatalog(url).catch((error: unknown) => error);
      expect(String(opened)).toContain("the catalog is not whole: restore");
      const wrong = await run(["restore", other, "--catalog", url]);
      expect([wrong.code, wrong.stderr]).toEqual([
        4,
        expect.stringContaining("half of another job"),
      ]);
      const { code, stderr } = await run(["restore", path, "--catalog", url]);
      expect([code, stderr]).toEqual([0, ""]);
      await using restored = await openCatalog(url);
      expectRestored(await rowsOf(restored), await rowsOf(source));
    },
  );

  describe.skipIf(missing !== undefined)(`with MariaDB${why}`, () => {
    test("moves from SQLite to MariaDB and back", async () => {
      const server = await sharedMariaDb();
      const mysqlUrl = await server.createDatabase();
      const there = await run(["restore", await backup("move.ndjson.zst"), "--catalog", mysqlUrl]);
      expect([there.code, there.stderr]).toEqual([0, ""]);
      await using moved = await openCatalog(mysqlUrl);
      expectRestored(await rowsOf(moved), await rowsOf(source));
      const path = join(dir.path, "back.ndjson.gz");
      expect((await run(["backup", path, "--catalog", mysqlUrl])).code).toBe(0);
      const url = fresh();
      expect((await run(["restore", path, "--catalog", url])).code).toBe(0);
      await using back = await openCatalog(url);
      expectRestored(await rowsOf(back), await rowsOf(moved));
    }, 60_000);
  });
});
