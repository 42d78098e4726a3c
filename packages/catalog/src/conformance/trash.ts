import { expect, test } from "bun:test";
import type { FileInfo } from "@dsm/protocol";
import type { Catalog, TrashedBlob } from "../index.ts";
import { openCatalog } from "../index.ts";
import { type Backend, deletion, overwrite, put, uniqueName } from "./backend.ts";

interface Scene extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly user: string;
  readonly group: string;
  /** Puts file "a" and then overwrites it once for each further time. */
  history(timesMs: number[]): Promise<FileInfo[]>;
  trash(beforeMs?: number): Promise<TrashedBlob[]>;
  rowVersions(): Promise<number[]>;
}

async function scene(backend: Backend): Promise<Scene> {
  const url = await backend.sharedUrl();
  const catalog = await openCatalog(url);
  const user = uniqueName("ann");
  const group = uniqueName("g");
  return {
    catalog,
    user,
    group,
    async history(timesMs) {
      const files: FileInfo[] = [];
      for (const modifiedAtMs of timesMs) {
        const last = files.at(-1);
        const change =
          last === undefined
            ? put({ user, fileId: "a", group, modifiedAtMs })
            : overwrite(last, { modifiedAtMs });
        expect(await catalog.commit([change])).toEqual(["in force"]);
        files.push(change.file);
      }
      return files;
    },
    trash: (beforeMs = 10_000) => catalog.trashed({ group, beforeMs, limit: 100 }),
    async rowVersions() {
      const rows = await backend.query(
        url,
        `SELECT version FROM versions WHERE user = '${user}' ORDER BY file_id, version`,
      );
      return rows.map((row) => Number(row["version"]));
    },
    [Symbol.asyncDispose]: () => catalog.close(),
  };
}

export function describeTrash(backend: Backend): void {
  test("overwritten and deleted blobs are in the trash until they are forgotten", async () => {
    await using at = await scene(backend);
    const [one, two] = await at.history([1_000, 2_000]);
    if (!one || !two) throw new Error("two versions were made");
    const gone = deletion(two, { atMs: 3_000 });
    await at.catalog.commit([gone]);
    const { user } = at;
    const entry = (old: FileInfo, trashedBy: TrashedBlob["trashedBy"], atMs: number) => {
      const { blobId, version, sizeBytes } = old;
      return { user, fileId: "a", blobId, trashedBy, atMs, version: version + 1, sizeBytes };
    };
    const trash = [entry(one, two.blobId, 2_000), entry(two, gone.id, 3_000)];
    expect(await at.trash()).toEqual(trash);
    expect(await at.trash(3_000)).toEqual(trash.slice(0, 1));
    const { group } = at;
    expect(await at.catalog.trashed({ group, beforeMs: 9_000, limit: 1 })).toEqual([trash[0]!]);
    for (const blob of trash) {
      await at.catalog.forgetTrashed(blob);
      await at.catalog.forgetTrashed(blob);
    }
    expect(await at.trash()).toEqual([]);
    expect(await at.catalog.current(user, "a")).toEqual({ version: 3 });
    expect(await at.rowVersions()).toEqual([3]);
  });

  test("another group's trash is not touched", async () => {
    await using at = await scene(backend);
    await at.history([1_000, 2_000]);
    const elsewhere = { group: uniqueName("g"), beforeMs: 10_000, limit: 9 };
    expect(await at.catalog.trashed(elsewhere)).toEqual([]);
  });

  test("pages by key go through all entries once, also those of one moment", async () => {
    await using at = await scene(backend);
    const { catalog, user, group } = at;
    const other = `${user}-`;
    // One moment for all: the user decides, then the file, byte by byte, then the version.
    for (const [owner, fileId] of [user, other].flatMap((it) => [
      [it, "Z"],
      [it, "é"],
      [it, "z"],
    ])) {
      const first = put({ user: owner!, fileId: fileId!, group });
      const second = overwrite(first.file, { modifiedAtMs: 5_000 });
      const third = overwrite(second.file, { modifiedAtMs: 5_000 });
      for (const change of [first, second, third]) await catalog.commit([change]);
    }
    const last = put({ user, fileId: "early", group });
    await catalog.commit([last]);
    await catalog.commit([overwrite(last.file, { modifiedAtMs: 4_000 })]);

    const all = await at.trash();
    const names = all.map(({ user: owner, fileId, version }) => [owner, fileId, version]);
    const versionsOf = (owner: string) =>
      ["Z", "z", "é"].flatMap((fileId) => [2, 3].map((version) => [owner, fileId, version]));
    expect(names).toEqual([[user, "early", 2], ...versionsOf(user), ...versionsOf(other)]);
    for (const limit of [1, 2, 5]) {
      const paged: TrashedBlob[] = [];
      for (let after: TrashedBlob | undefined; ; after = paged.at(-1)) {
        const query = { group, beforeMs: 9_000, limit, ...(after === undefined ? {} : { after }) };
        const page = await catalog.trashed(query);
        if (page.length === 0) break;
        paged.push(...page);
      }
      expect(paged).toEqual(all);
    }
    // What is forgotten meanwhile moves no entry to another page, as an offset would.
    const [early, ...rest] = all;
    await catalog.forgetTrashed(early!);
    expect(await catalog.trashed({ group, beforeMs: 9_000, limit: 2, after: early! })).toEqual(
      rest.slice(0, 2),
    );
  });

  test("what cannot be forgotten before another group's trash does not hide what is behind", async () => {
    await using at = await scene(backend);
    const { catalog, user, group } = at;
    const old = put({ user, fileId: "moved", group: uniqueName("gone") });
    const moved = overwrite(old.file, { group, modifiedAtMs: 2_000 });
    const ordinary = put({ user, fileId: "b", group });
    const behind = deletion(ordinary.file, { atMs: 4_000 });
    for (const change of [old, moved, deletion(moved.file), ordinary, behind]) {
      expect(await catalog.commit([change])).toEqual(["in force"]);
    }
    const [stuck, next] = await at.trash();
    expect([stuck?.blobId, next?.blobId]).toEqual([moved.file.blobId, ordinary.file.blobId]);
    await catalog.forgetTrashed(stuck!);
    expect(await at.trash()).toEqual([stuck!, next!]);
    const query = { group, beforeMs: 9_000, limit: 1 };
    expect(await catalog.trashed({ ...query, after: stuck! })).toEqual([next!]);
  });

  test("a version is kept until the blob that it replaced is forgotten", async () => {
    await using at = await scene(backend);
    await at.history([1_000, 2_000, 3_000]);
    const [older, newer] = await at.trash();
    if (!older || !newer) throw new Error("two blobs are in the trash");
    await at.catalog.forgetTrashed(newer);
    expect(await at.trash()).toEqual([older, newer]);
    await at.catalog.forgetTrashed(older);
    await at.catalog.forgetTrashed(newer);
    expect(await at.trash()).toEqual([]);
    expect(await at.rowVersions()).toEqual([3]);
  });

  test("clocks that run backwards change neither what is reaped nor that all is", async () => {
    await using at = await scene(backend);
    await at.history([5_000, 4_000, 3_000, 2_000]);
    for (const version of [2, 3, 4]) {
      const due = await at.trash();
      expect(due).toHaveLength(1);
      for (const blob of due) await at.catalog.forgetTrashed(blob);
      expect((await at.rowVersions())[0]).toBe(version);
    }
    expect(await at.trash()).toEqual([]);
  });

  test("tombstones go with the next blob that is forgotten, but never the newest", async () => {
    await using at = await scene(backend);
    const { catalog, user, group } = at;
    const [one] = await at.history([1_000]);
    if (!one) throw new Error("a version was made");
    await catalog.commit([deletion(one)]);
    const three = put({ user, fileId: "a", group, version: 3, modifiedAtMs: 3_000 });
    await catalog.commit([three]);
    await catalog.commit([deletion(three.file)]);
    for (const blob of await at.trash()) await catalog.forgetTrashed(blob);
    expect(await at.rowVersions()).toEqual([4]);
    expect(await catalog.current(user, "a")).toEqual({ version: 4 });
  });
}
