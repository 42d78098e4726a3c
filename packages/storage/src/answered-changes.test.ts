import { expect, test } from "bun:test";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { silentLog } from "@dsm/log";
import { limits } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { AnsweredChanges, forgetAnswers, proofsOf } from "./answered-changes.ts";
import { putOf } from "./testing/changes.ts";

test("answers are known for as long as they may be doubted, and their files do not grow", async () => {
  await using dir = await tempDir();
  const place = { root: dir.path, storageId: "s1", incarnation: "a-b" };
  const folder = join(dir.path, "journal", "s1");
  await mkdir(folder, { recursive: true });
  let nowMs = 0;
  await using answered = await AnsweredChanges.open(place, true, silentLog, {
    monotonicMs: () => nowMs,
  });
  const proofs = async (...ns: number[]) => {
    const { acknowledged, isComplete } = await proofsOf(
      place,
      ns.map((n) => putOf(n)),
    );
    return { acknowledged: acknowledged.length, isComplete };
  };
  const many = Array.from({ length: limits.answersRolledBytes / 16 }, (_, i) => putOf(100 + i));
  await answered.note([putOf(1)]);
  await answered.note(many);
  // Long, and too young to be followed by another one.
  expect(await readdir(folder)).toEqual(["answered-a-b.txt"]);
  nowMs += 2 * limits.doubtWindowMs;
  await answered.note([putOf(2)]);
  await answered.note([putOf(3)]);
  expect((await readdir(folder)).toSorted()).toEqual([
    "answered-a-b.before.txt",
    "answered-a-b.txt",
  ]);
  expect(await proofs(1, 2, 3, 4)).toEqual({ acknowledged: 3, isComplete: true });
  nowMs += 2 * limits.doubtWindowMs;
  await answered.note(many);
  await answered.note([putOf(5)]);
  expect(await proofs(1, 3, 5)).toEqual({ acknowledged: 2, isComplete: true });
  await forgetAnswers(place, (life) => life === "another");
  expect(await readdir(folder)).toHaveLength(2);
  await forgetAnswers(place, (life) => life === "a-b");
  expect(await readdir(folder)).toEqual([]);
  expect(await proofs(5)).toEqual({ acknowledged: 0, isComplete: false });
});
