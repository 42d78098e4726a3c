import { expect, test } from "bun:test";
import { join } from "node:path";
import { limits } from "@dsm/protocol";
import { openCatalog } from "../index.ts";
import { type Backend, openShared, put, uniqueName } from "./backend.ts";
import type { RaceResult } from "./race-fixture.ts";

const fixture = join(import.meta.dir, "race-fixture.ts");

export function describeRaces(backend: Backend): void {
  test("segments begin at 1 and follow each other", async () => {
    await using catalog = await openShared(backend);
    const name = uniqueName("ids");
    expect(await catalog.leaseSegment(name, 10)).toEqual({ first: 1, count: 10 });
    expect(await catalog.leaseSegment(name, 5)).toEqual({ first: 11, count: 5 });
    expect(await catalog.leaseSegment(uniqueName("ids"), 1)).toEqual({ first: 1, count: 1 });
    await expect(catalog.leaseSegment(name, 0)).rejects.toThrow(RangeError);
  });

  test("connections that assign one user at once agree", async () => {
    await using one = await openShared(backend);
    await using two = await openShared(backend);
    for (let round = 0; round < 10; round++) {
      const user = uniqueName("ann");
      const groups = await Promise.all([
        one.assignGroup(user, "g1", 1),
        two.assignGroup(user, "g2", 1),
        one.assignGroup(user, "g3", 1),
      ]);
      expect(new Set(groups).size).toBe(1);
    }
  });

  test("of many who write the same next version one is in force", async () => {
    await using one = await openShared(backend);
    await using two = await openShared(backend);
    const user = uniqueName("bob");
    const fileIds = Array.from({ length: 20 }, (_, i) => `f${i}`);
    const batches = Array.from({ length: 6 }, () => fileIds.map((fileId) => put({ user, fileId })));
    const results = await Promise.all(
      batches.map((batch, i) =>
        (i % 2 === 0 ? one : two).commit(i < 3 ? batch : batch.toReversed()),
      ),
    );
    for (const [i, fileId] of fileIds.entries()) {
      const winners = batches.flatMap((batch, b) => {
        const place = b < 3 ? i : fileIds.length - 1 - i;
        return results[b]?.[place] === "in force" ? [batch[i]?.file] : [];
      });
      expect(winners).toHaveLength(1);
      expect((await one.current(user, fileId))?.file).toEqual(winners[0] as never);
    }
  });

  test("processes that lease, assign and commit at once never collide", async () => {
    const url = await backend.sharedUrl();
    const user = uniqueName("cid");
    const segment = uniqueName("ids");
    const runs = [0, 1, 2].map(async (n): Promise<RaceResult> => {
      const child = Bun.spawn([process.execPath, fixture, url, user, segment, `g${n}`], {
        stdout: "pipe",
        stderr: "inherit",
      });
      const output = await child.stdout.text();
      expect(await child.exited).toBe(0);
      return JSON.parse(output) as RaceResult;
    });
    const results = await Promise.all(runs);
    const firsts = results.flatMap((result) => result.firsts);
    expect(firsts.toSorted((a, b) => a - b)).toEqual(
      firsts.map((_, i) => 1 + 3 * i).toSorted((a, b) => a - b),
    );
    expect(new Set(results.map((result) => result.group)).size).toBe(1);
    const won = results.flatMap((result) => result.won);
    expect(won.toSorted()).toEqual([...new Set(won)].toSorted());
    await using catalog = await openCatalog(url);
    const { files } = await catalog.list({ user, limit: limits.listMax, nowMs: 1 });
    expect(files.map((file) => file.fileId)).toEqual(won.toSorted());
  });
}
