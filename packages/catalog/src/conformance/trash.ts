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
    const common = { user, fileId: "a" };
    const trash: TrashedBlob[] = [
      { ...common, blobId: one.blobId, trashedBy: two.blobId, atMs: 2_000, sizeBytes: 7 },
      { ...common, blobId: two.blobId, trashedBy: gone.id, atMs: 3_000, sizeBytes: 8 },
    ];
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
