import { describe, expect, test } from "bun:test";
import { access, mkdir, rename, utimes } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openCatalog } from "@dsm/catalog";
import { startCluster } from "@dsm/cluster";
import { bytesSource } from "@dsm/client";
import { blobIdFromNumber, blobPath, DsmError } from "@dsm/protocol";
import { startProcess, tempDir, until } from "@dsm/testkit";
import { rowsOf } from "./comparable.ts";
import { layBlob, layGroup, linesOf, putOf } from "./written-journal.ts";

const dsm = resolve(import.meta.dir, "../../bin/dsm");

async function run(cwd: string, ...args: string[]) {
  await using child = await startProcess({ cmd: [dsm, "catalog", "rebuild", ...args], cwd });
  const code = await child.exited;
  await child.stop();
  const lines = child.stdout().split("\n").filter(Boolean);
  return { code, lines, stdout: child.stdout(), stderr: child.stderr() };
}

interface Line {
  finding?: { kind: string } & Record<string, unknown>;
  done?: Record<string, unknown>;
}
const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Line);

describe("dsm catalog rebuild", () => {
  test("restores the row of a file whose bytes are missing, and reports each damage", async () => {
    await using dir = await tempDir();
    const root = join(dir.path, "g1");
    const records = linesOf([1, 2, 3, 4].map((n) => putOf(n)));
    const foreign = linesOf([putOf(9, { group: "g2" })]);
    await layGroup(root, [...records.slice(0, 3), `damaged ${records[3]}`, ...foreign]);
    await layBlob(root, 1);
    await layBlob(root, 2, "four");
    const url = `sqlite:${join(dir.path, "new.db")}`;
    const args = ["--catalog", url, "--root", `g1=${root}`, "--json"];
    const dry = await run(dir.path, ...args, "--dry-run");
    expect(await exists(join(dir.path, "new.db"))).toBe(false);
    const real = await run(dir.path, ...args);
    expect([dry.code, real.code]).toEqual([1, 1]);
    const said = parsed(real.lines);
    expect(said.flatMap(({ finding }) => (finding === undefined ? [] : [finding.kind]))).toEqual([
      "damaged line",
      "foreign group",
      "wrong size",
      "missing blob",
    ]);
    expect(said[0]?.finding).toMatchObject({
      path: "g1:journal/s1/20261123T000000000Z-a-0.log",
      line: 4,
    });
    expect(said.at(-1)?.done).toMatchObject({ users: 1, versions: 3, liveFiles: 3, liveBytes: 9 });
    await using catalog = await openCatalog(url);
    const { versions, nextIds } = await rowsOf(catalog);
    expect(versions.map(({ fileId }) => fileId)).toEqual(["film 1", "film 2", "film 3"]);
    expect(nextIds["blob"]).toBe(3 + 1 + 2 ** 24);
  });

  test("tells of blobs that no record names, and which of them may be of uploads", async () => {
    await using dir = await tempDir();
    const root = join(dir.path, "g1");
    await layGroup(root, linesOf([putOf(1)]));
    for (const n of [1, ...Array.from({ length: 9 }, (_, i) => i + 2)]) await layBlob(root, n);
    const args = ["--root", `g1=${root}`, "--dry-run", "--json"];
    const { code, lines } = await run(dir.path, ...args);
    const paths = [2, 3, 4, 5, 6].map((n) => blobPath(blobIdFromNumber(n)));
    const what = { group: "g1", blobs: 9, paths };
    expect([code, parsed(lines)[0]?.finding]).toEqual([
      1,
      { kind: "cut off or no record", ...what },
    ]);
    // The group lived on for an hour behind them.
    const later = new Date(Date.now() + 3_600_000);
    await utimes(join(root, "journal/s1/20261123T000000000Z-a-0.log"), later, later);
    const old = await run(dir.path, ...args);
    expect([old.code, parsed(old.lines)[0]?.finding]).toEqual([1, { kind: "no record", ...what }]);
  });

  test("--verify finds a flipped byte", async () => {
    await using dir = await tempDir();
    const root = join(dir.path, "g1");
    await layGroup(root, linesOf([putOf(1), putOf(2)]));
    await layBlob(root, 1);
    await layBlob(root, 2, "abd");
    const args = ["--root", `g1=${root}`, "--dry-run", "--json"];
    expect((await run(dir.path, ...args)).code).toBe(0);
    const { code, lines } = await run(dir.path, ...args, "--verify");
    expect(code).toBe(1);
    const sha256 = Bun.SHA256.hash("abd", "hex");
    const blobId = blobIdFromNumber(2);
    expect(parsed(lines)[0]?.finding).toMatchObject({ kind: "wrong digest", blobId, sha256 });
  });

  test("refuses a catalog that is not empty, and folders that are not those of groups", async () => {
    await using dir = await tempDir();
    const root = join(dir.path, "g1");
    await layGroup(root, linesOf([putOf(1)]));
    await layBlob(root, 1);
    const url = `sqlite:${join(dir.path, "new.db")}`;
    const args = ["--catalog", url, "--root", `g1=${root}`];
    expect((await run(dir.path, ...args)).code).toBe(0);
    const again = await run(dir.path, ...args);
    expect([again.code, again.stderr]).toEqual([4, expect.stringContaining("is not empty")]);
    const other = `sqlite:${join(dir.path, "other.db")}`;
    await mkdir(join(dir.path, "unmounted"));
    const refused: Array<[roots: string, words: string]> = [
      [`g1=${join(dir.path, "unmounted")}`, "has no marker of a group"],
      [`g2=${root}`, "belongs to group g1"],
      ["g1", "is no GROUP=FOLDER"],
      [`g1=${root},g1=${root}`, "named twice"],
    ];
    for (const [roots, words] of refused) {
      const { code, stderr } = await run(dir.path, "--catalog", other, "--root", roots);
      expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
    }
    const nothing = await run(dir.path, "--catalog", other);
    expect([nothing.code, nothing.stderr]).toEqual([
      2,
      expect.stringContaining("no group is named"),
    ]);
  });

  test("what was killed in the middle is no catalog, and goes on when it is run again", async () => {
    await using dir = await tempDir();
    const root = join(dir.path, "g1");
    const count = 30_000;
    const users = Array.from({ length: count }, (_, n) => ({ user: `u${n % 700}` }));
    await layGroup(root, linesOf(users.map((file, n) => putOf(n + 1, file))));
    const url = `sqlite:${join(dir.path, "new.db")}`;
    const args = ["--catalog", url, "--root", `g1=${root}`, "--json"];
    await using killed = await startProcess({ cmd: [dsm, "catalog", "rebuild", ...args] });
    await until("rows are being written", () => hasRows(join(dir.path, "new.db")));
    await killed.stop("SIGKILL");
    const opened = await openCatalog(url).catch((error: unknown) => error);
    expect(opened).toBeInstanceOf(DsmError);
    expect((opened as DsmError).sentence).toContain("the catalog is not whole: rebuild");
    const { code, lines } = await run(dir.path, ...args);
    expect(code).toBe(1);
    expect(parsed(lines).at(-1)?.done).toMatchObject({ users: 700, versions: count });
    await using catalog = await openCatalog(url);
    expect((await rowsOf(catalog)).versions).toHaveLength(count);
    expect(await catalog.checkUsage({ repair: false })).toEqual([]);
  });

  test("takes the groups of a dsm up by itself, and not while it runs", async () => {
    await using dir = await tempDir();
    const dataDir = join(dir.path, ".dsm");
    const cluster = { dataDir, groups: 2, secret: "5".repeat(64) };
    {
      await using running = await startCluster(cluster);
      await using client = running.client();
      for (const [user, group] of [
        ["ann", "g1"],
        ["bob", "g2"],
      ] as const) {
        await client.assign(user, group);
        await client.upload({ user, fileId: "f", source: bytesSource(new Uint8Array(9)) });
      }
      await client.assign("cid", "g2");
      await client.setQuota("cid", 9);
    }
    // Storages journal the users whom they do not know yet when they start, and now and then.
    await (await startCluster(cluster)).drain();
    const db = join(dataDir, "catalog.db");
    await rename(db, join(dir.path, "lost.db"));
    await using up = await startProcess({
      cmd: [
        dsm,
        "up",
        "--data",
        dataDir,
        "--catalog",
        `sqlite:${join(dir.path, "x.db")}`,
        "--json",
      ],
      ready: /"ready":true/,
    });
    const refused = await run(dir.path);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining("runs on")]);
    await up.stop("SIGTERM");
    const { code, stdout } = await run(dir.path);
    expect([code, stdout]).toEqual([0, expect.stringContaining("rebuilt 3 users and 2 versions")]);
    await using catalog = await openCatalog(`sqlite:${db}`);
    const { users } = await rowsOf(catalog);
    expect(users.map(({ name, group, quotaBytes }) => [name, group, quotaBytes])).toEqual([
      ["ann", "g1", undefined],
      ["bob", "g2", undefined],
      // Who never had a file stands in the journals as well.
      ["cid", "g2", 9],
    ]);
  });
});

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Past the catalog, which nobody can open meanwhile. */
async function hasRows(path: string): Promise<boolean> {
  if (!(await exists(path))) return false;
  const { Database } = await import("bun:sqlite");
  const database = new Database(path, { readonly: true });
  try {
    return database.query("SELECT 1 FROM versions LIMIT 1").get() !== null;
  } catch {
    return false;
  } finally {
    database.close();
  }
}
