import { expect, test } from "bun:test";
import { blobIdFromNumber, DsmError } from "@dsm/protocol";
import type { VersionRow } from "./catalog.ts";
import { UsageCounter } from "./usage-counter.ts";

interface Extra {
  readonly deleted?: boolean;
  readonly sizeBytes?: number;
  readonly replaces?: number;
}

/** One that replaces a blob has it in the trash. */
function row(
  user: string,
  fileId: string,
  version: number,
  id: number,
  { deleted = false, sizeBytes = 10, replaces }: Extra = {},
): VersionRow {
  return {
    user,
    fileId,
    version,
    id: blobIdFromNumber(id),
    group: "g1",
    deleted,
    sizeBytes: deleted ? 0 : sizeBytes,
    sha256: "",
    mediaType: "",
    atMs: id,
    ...(replaces === undefined ? {} : { replaces: blobIdFromNumber(replaces), trashGroup: "g1" }),
  };
}

test("counts newest versions as live and marked ones as trash, user by user", () => {
  const counter = new UsageCounter();
  counter.add(row("ann", "a", 1, 1, { sizeBytes: 3 }));
  counter.add(row("ann", "a", 2, 2, { sizeBytes: 4, replaces: 1 }));
  counter.add(row("ann", "b", 5, 3, { deleted: true, replaces: 9 }));
  expect(counter.finishedUsers).toBe(0);
  counter.add(row("bob", "a", 1, 4));
  expect(counter.finishedUsers).toBe(1);
  const finished = counter.takeFinished();
  const ann = { liveFiles: 1, liveBytes: 4, trashBlobs: 2, trashBytes: 3 };
  expect(finished.users).toEqual(["ann"]);
  expect(finished.usage.entries).toEqual([{ user: "ann", group: "g1", space: ann }]);
  counter.add(row("bob", "𝄞", 1, 5));
  const rest = counter.takeAll();
  const bob = { liveFiles: 2, liveBytes: 20, trashBlobs: 0, trashBytes: 0 };
  expect(rest.users).toEqual(["bob"]);
  expect(rest.usage.entries).toEqual([{ user: "bob", group: "g1", space: bob }]);
});

test("rows that are not in the order of their keys are refused, by bytes", () => {
  const wrong: Array<[VersionRow, VersionRow]> = [
    [row("b", "x", 1, 1), row("a", "x", 1, 2)],
    [row("a", "y", 1, 1), row("a", "x", 1, 2)],
    [row("a", "x", 2, 1), row("a", "x", 2, 2)],
    // In UTF-16 it would be the other way round.
    [row("a", "𝄞", 1, 1), row("a", "\uffee", 1, 2)],
  ];
  for (const [first, second] of wrong) {
    const counter = new UsageCounter();
    counter.add(first);
    expect(() => counter.add(second)).toThrow(DsmError);
  }
});

test("nothing to count is nothing to write", () => {
  expect(new UsageCounter().takeAll()).toMatchObject({ users: [] });
});
