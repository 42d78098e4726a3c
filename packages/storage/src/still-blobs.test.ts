import { expect, test } from "bun:test";
import { blobIdFromNumber } from "@dsm/protocol";
import { StillBlobs } from "./still-blobs.ts";

const id = blobIdFromNumber(1);
const old = { id, path: "", sizeBytes: 1, changedAtMs: 0 };

test("a blob is still when it was seen unchanged for so long, whatever its own time says", () => {
  let now = 0;
  const still = new StillBlobs(60_000, { monotonicMs: () => now });
  const sees = (blob: typeof old, atMs: number) => {
    now = atMs;
    still.begin();
    return { isStill: still.isStill(blob), moving: still.moving };
  };
  expect(sees(old, 1_000)).toEqual({ isStill: false, moving: 1 });
  expect(sees(old, 60_999)).toEqual({ isStill: false, moving: 1 });
  expect(sees(old, 61_000)).toEqual({ isStill: true, moving: 0 });
  // It grew: somebody writes to it.
  expect(sees({ ...old, sizeBytes: 2 }, 62_000)).toEqual({ isStill: false, moving: 1 });
  // A round that did not meet it forgets it.
  still.begin();
  expect(sees({ ...old, sizeBytes: 2 }, 200_000).isStill).toBe(false);
});
