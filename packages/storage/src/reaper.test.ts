import { describe, expect, test } from "bun:test";
import { systemClock } from "@dsm/clock";
import { limits } from "@dsm/protocol";
import { tempDir, until } from "@dsm/testkit";
import { GroupLease } from "./group-lease.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { waitForGroup } from "./testing/waiting-trash.ts";
import { WriteBench } from "./testing/write-bench.ts";

const ttlMs = limits.ttlMinMs;

/** Puts files that have expired when this resolves. */
async function putExpired(bench: WriteBench, names: readonly string[]): Promise<void> {
  const put = await Promise.all(names.map((name) => bench.put(name, `of ${name}`, { ttlMs })));
  const last = Math.max(...put.map(({ file }) => file.expiresAtMs ?? Infinity));
  await until("they have expired", () => Promise.resolve(Date.now() >= last));
}

describe("the reaper", () => {
  test("deletes what has expired by an ordinary delete, and unlinks it when the grace is over", async () => {
    await using bench = await WriteBench.open();
    const { file: stays } = await bench.put("stays", "stays", { ttlMs: 3_600_000 });
    await putExpired(bench, ["a", "b/c"]);
    await using first = bench.reaper({ trashGraceMs: 3_600_000 });
    expect(await first.reap()).toEqual({ expired: 2, blobs: 0, bytes: 0 });
    expect(await bench.catalog.current("ann", "a")).toEqual({ version: 2 });
    expect((await bench.blobFiles()).length).toBe(3);
    const deletes = (await bench.journal()).filter((record) => record?.kind === "delete");
    expect(deletes.map((it) => `${it.user}/${it.fileId} ${it.version}`).toSorted()).toEqual([
      "ann/a 2",
      "ann/b/c 2",
    ]);
    expect(await first.reap()).toEqual({ expired: 0, blobs: 0, bytes: 0 });
    await using second = bench.reaper();
    expect(await second.reap()).toEqual({ expired: 0, blobs: 2, bytes: 10 });
    expect(await bench.blobFiles()).toEqual([stays.blobId]);
    expect(await bench.catalog.usageOfGroup("g1")).toEqual({
      liveFiles: 1,
      liveBytes: 5,
      trashBlobs: 0,
      trashBytes: 0,
    });
  });

  test("lets a file be that was replaced before it could be deleted", async () => {
    await using bench = await WriteBench.open();
    await putExpired(bench, ["a"]);
    await using reaper = bench.reaper({
      catalog: {
        expired: async (query) => {
          const due = await bench.catalog.expired(query);
          // Between the look and the delete somebody uploads it anew, without an expiry.
          if (due.length > 0) await bench.put("a", "new");
          return due;
        },
        trashed: (query) => bench.catalog.trashed(query),
        forgetTrashed: (blob) => bench.catalog.forgetTrashed(blob),
      },
      trashGraceMs: 3_600_000,
    });
    expect((await reaper.reap()).expired).toBe(0);
    expect((await bench.catalog.current("ann", "a"))?.file).toMatchObject({ sizeBytes: 3 });
  });

  test("gets through a backlog of both kinds, in batches, and counts it", async () => {
    await using bench = await WriteBench.open();
    const names = Array.from({ length: limits.reapBatchMax + 20 }, (_, i) => `f${i}`);
    await putExpired(bench, names);
    const counted = { expired: 0, blobs: 0 };
    await using reaper = bench.reaper({
      reapPerSecond: 1e6,
      onCounts: ({ expired, blobs }) => {
        counted.expired += expired;
        counted.blobs += blobs;
      },
    });
    const sum = await reaper.reap();
    expect([sum.expired, sum.blobs]).toEqual([names.length, names.length]);
    expect(counted).toEqual({ expired: names.length, blobs: names.length });
    expect(await bench.blobFiles()).toEqual([]);
  });

  test("gets past any number of entries that wait for the trash of another group", async () => {
    await using bench = await WriteBench.open();
    const count = 3 * limits.reapBatchMax;
    await waitForGroup(bench.catalog, "away", count);
    const { file } = await bench.put("ordinary", "ordinary");
    await bench.delete("ordinary");
    const waiting = () => bench.catalog.trashed({ group: "g1", beforeMs: Infinity, limit: 1_000 });
    expect(await waiting()).toHaveLength(count + 1);
    await using reaper = bench.reaper({ reapPerSecond: 1e6 });
    expect(await reaper.reap()).toEqual({ expired: 0, blobs: 1, bytes: file.sizeBytes });
    expect(await bench.blobFiles()).toEqual([]);
    expect(await waiting()).toHaveLength(count);
    // What stays was counted when its bytes went.
    expect(await reaper.reap()).toEqual({ expired: 0, blobs: 0, bytes: 0 });
    const query = { group: "away", beforeMs: Infinity, limit: 1_000 };
    for (const blob of await bench.catalog.trashed(query)) await bench.catalog.forgetTrashed(blob);
    await reaper.reap();
    expect(await waiting()).toEqual([]);
  });

  test("is not waited for where a quota is full of what has expired", async () => {
    await using bench = await WriteBench.open();
    await bench.catalog.assignGroup("ann", "g1", 1);
    await bench.catalog.setQuota("ann", 8, 2);
    await putExpired(bench, ["a", "b"]);
    // "of a" and "of b" fill it, and nobody can read them any more.
    await bench.put("streamed", "12345678");
    expect((await bench.journal()).filter((it) => it?.kind === "delete")).toHaveLength(2);
    await expect(bench.put("more", "1")).rejects.toMatchObject({ code: "QUOTA_EXCEEDED" });
    await bench.catalog.setQuota("ann", limits.uploadAtOnceMaxBytes + 12, 3);
    await putExpired(bench, ["c"]);
    // One whose length is known, and which the gate would refuse before its bytes are sent.
    const large = "x".repeat(limits.uploadAtOnceMaxBytes + 1);
    await bench.put("large", large, { announcedBytes: large.length });
    expect(await bench.catalog.usageOf("ann")).toMatchObject({ liveFiles: 2 });
    expect(await bench.catalog.checkUsage({ repair: false })).toEqual([]);
  });

  test("keeps to its pace from one unlink to the next", async () => {
    await using bench = await WriteBench.open();
    for (let i = 0; i < 6; i++) await bench.put("same", `version ${i}`);
    const manual = new ManualClock();
    const at: number[] = [];
    await using reaper = bench.reaper({
      reapPerSecond: 2,
      clock: {
        now: () => Date.now(),
        monotonicMs: () => manual.monotonicMs(),
        after: (delayMs, ring) => manual.after(delayMs, ring),
      },
      onCounts: () => at.push(manual.monotonicMs()),
    });
    const { blobs } = await manual.until(reaper.reap());
    expect(blobs).toBe(5);
    expect(at.filter((_, i) => i >= at.length - 5)).toEqual([0, 500, 1_000, 1_500, 2_000]);
  });

  test("of two members one works, and the other goes on when that one is gone", async () => {
    await using bench = await WriteBench.open();
    await using folder = await tempDir();
    const manual = new ManualClock();
    const lease = (storageId: string) =>
      new GroupLease({
        root: folder.path,
        storageId,
        incarnation: storageId,
        name: "reap-lease",
        leaseMs: limits.reapLeaseMs,
        clock: manual,
      });
    const held = lease("s1");
    await bench.put("a", "one");
    await bench.put("a", "two");
    await using second = bench.reaper({ lease: lease("s2") });
    expect(await held.acquire()).toBe(true);
    expect((await second.reap()).blobs).toBe(0);
    manual.pass(limits.reapLeaseMs - 1);
    expect((await second.reap()).blobs).toBe(0);
    // It has said nothing for as long as that: it is dead.
    manual.pass(1);
    expect((await second.reap()).blobs).toBe(1);
    expect(await held.renew()).toBe(false);
  });

  test("two that work at the same moment do no harm", async () => {
    await using bench = await WriteBench.open();
    const { file: kept } = await bench.put("kept", "kept");
    await putExpired(bench, ["x", "y"]);
    for (let i = 0; i < 30; i++) await bench.put("same", `version ${i}`);
    await bench.delete("same");
    await using one = bench.reaper({ reapPerSecond: 1e6 });
    await using two = bench.reaper({ reapPerSecond: 1e6 });
    await Promise.all([one.reap(), two.reap()]);
    expect(await bench.blobFiles()).toEqual([kept.blobId]);
    const space = { liveFiles: 1, liveBytes: 4, trashBlobs: 0, trashBytes: 0 };
    expect(await bench.catalog.usageOfGroup("g1")).toEqual(space);
    expect(await bench.catalog.checkUsage({ repair: false })).toEqual([]);
  });

  test("looks by itself, and a round that fails is tried again", async () => {
    await using bench = await WriteBench.open();
    await bench.put("a", "one");
    await bench.put("a", "two");
    let failures = 0;
    await using reaper = bench.reaper({
      reapIntervalMs: 20,
      clock: systemClock,
      blobs: {
        remove: (id) => {
          if (failures++ < 2) return Promise.reject(new Error("the disk says no"));
          return bench.blobs.remove(id);
        },
      },
    });
    reaper.start();
    await until("the blob is gone", async () => (await bench.blobFiles()).length === 1);
    expect(failures).toBeGreaterThan(2);
  });
});
