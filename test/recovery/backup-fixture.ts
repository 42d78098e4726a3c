import { expect } from "bun:test";
import { join, resolve } from "node:path";
import { type Catalog, migrateCatalog, type PutChange } from "@dsm/catalog";
import { blobIdFromNumber, limits } from "@dsm/protocol";
import type { Rows } from "./comparable.ts";

export const dsm = resolve(import.meta.dir, "../../bin/dsm");

/** Runs `dsm catalog …` to its end. */
export async function runCatalog(args: string[], stdin?: Blob) {
  await using child = Bun.spawn([dsm, "catalog", ...args], {
    stdin: stdin ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
  return { code: await child.exited, stdout, stderr };
}

export async function sqliteUrl(folder: string, name: string): Promise<string> {
  const url = `sqlite:${join(folder, name)}`;
  await migrateCatalog(url);
  return url;
}

let ids = 0;

export function change(
  user: string,
  fileId: string,
  version: number,
  before?: PutChange,
): PutChange {
  const sha256 = Bun.SHA256.hash(`${fileId} ${version}`, "hex");
  const blob = { blobId: blobIdFromNumber(++ids), sizeBytes: ids % 977, sha256, mediaType: "a/b" };
  const file = {
    user,
    fileId,
    group: groupOf(user),
    version,
    modifiedAtMs: 1_700_000_000_000 + ids,
    ...blob,
  };
  const replaces = before === undefined ? {} : { replaces: before.file.blobId };
  return { kind: "put", file, ...replaces };
}

/** As `fill` assigns them. */
function groupOf(user: string): string {
  const number = /^user-(\d+)$/.exec(user)?.[1];
  return number === undefined ? "g1" : `g${Number(number) % 3}`;
}

/** Rows of every kind, more than a page of each. */
export async function fill(catalog: Catalog): Promise<void> {
  const odd = ["a b", "é", "𝄞/x", "%41", "\u2028", "'; --", "A", "a"];
  const count = limits.listMax + 200;
  for (let n = 0; n < count; n++) await catalog.assignGroup(`user-${n}`, `g${n % 3}`, n);
  await catalog.assignGroup("aaa", "g1", 1);
  await catalog.assignGroup("zzz", "g1", 1);
  await catalog.setQuota("user-7", 123_456, 5);
  for (let n = 0; n < count; n += 200) {
    const puts = Array.from({ length: 200 }, (_, i) => {
      const put = change(`user-${(n + i) % 50}`, `${odd[i % odd.length]} ${n + i}`, 1);
      return i % 5 === 0 ? { ...put, file: { ...put.file, expiresAtMs: 2e12 } } : put;
    });
    await catalog.commit(puts);
    await catalog.commit(
      puts.slice(0, 50).map((put) => change(put.file.user, put.file.fileId, 2, put)),
    );
    await catalog.commit(
      puts.slice(50, 70).map(({ file }) => ({
        kind: "delete" as const,
        user: file.user,
        fileId: file.fileId,
        group: "g1",
        id: blobIdFromNumber(++ids),
        version: 2,
        replaces: file.blobId,
        atMs: ids,
      })),
    );
    const [first] = puts.slice(100);
    if (first !== undefined) await catalog.markDamage(first.file.blobId, "0-3");
  }
  for (const name of ["g0", "g1"]) await catalog.claimGroupId(name, `the id of ${name}`, 9);
  // Some files lie in another group than their user, and one was moved.
  await catalog.reassignGroup("user-3", "g2", 10);
  const [file] = await catalog.filesElsewhere({ user: "user-3", group: "g2", limit: 1 });
  if (file === undefined) throw new Error("user-3 has files in g0");
  const next = { ...file, blobId: blobIdFromNumber(++ids), version: file.version + 1 };
  const moved = { ...next, group: "g2" };
  await catalog.commit([{ kind: "put", file: moved, replaces: file.blobId, atMs: 1.8e12 }]);
  await catalog.leaseSegment("blob", ids + 1);
}

/** A restore passes over ids that may have been leased after the backup. */
export function expectRestored(restored: Rows, original: Rows): void {
  expect(restored.groups).toEqual(original.groups);
  expect(restored.moves).toEqual(original.moves);
  expect(restored.users).toEqual(original.users);
  expect(restored.versions).toEqual(original.versions);
  expect(restored.usage).toEqual(original.usage);
  expect(Object.keys(restored.nextIds)).toEqual(Object.keys(original.nextIds));
  expect(restored.nextIds["blob"]).toBe((original.nextIds["blob"] ?? 0) + 2 ** 24);
}
