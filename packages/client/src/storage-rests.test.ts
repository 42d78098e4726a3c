import { expect, test } from "bun:test";
import { limits, type StorageAddress } from "@dsm/protocol";
import { StorageRests } from "./storage-rests.ts";

const storage = (storageId: string): StorageAddress => {
  const url = `http://${storageId}.example:7800`;
  return { storageId, dataUrl: url, publicUrl: url };
};
const [a, b, c] = [storage("a"), storage("b"), storage("c")];

function rests() {
  const clock = { nowMs: 1_000 };
  const memory = new StorageRests(() => clock.nowMs);
  const order = (preferred?: string) =>
    memory
      .order([a, b, c], preferred)
      .map((it) => it.storageId)
      .join("");
  return { memory, clock, order };
}

test("those that failed come last for a while, the one that failed first before the others", () => {
  const { memory, clock, order } = rests();
  expect([order(), order("b")]).toEqual(["abc", "bac"]);
  memory.failed(b, "TIMEOUT");
  clock.nowMs += 1;
  memory.failed(a, "UNREACHABLE");
  expect([order(), order("a")]).toEqual(["cba", "cba"]);
  clock.nowMs += limits.endpointRestMs;
  expect(order()).toBe("abc");
});

test("a rest is longer each time, up to a limit, and an answer ends it", () => {
  const { memory, clock, order } = rests();
  const restMs = () => {
    memory.failed(a, "STORAGE_FAILED");
    // Many requests fail at the same time: that is one failure.
    memory.failed(a, "STORAGE_FAILED");
    const startMs = clock.nowMs;
    while (order() !== "abc") clock.nowMs += 10;
    return clock.nowMs - startMs;
  };
  expect([restMs(), restMs(), restMs(), restMs(), restMs(), restMs()]).toEqual([
    1_000, 2_000, 4_000, 8_000, 10_000, 10_000,
  ]);
  memory.answered(a);
  expect(restMs()).toBe(1_000);
});

test("an error that is about the request says nothing of the storage", () => {
  const { memory, order } = rests();
  for (const code of ["FILE_EXISTS", "FORBIDDEN", "DATA_CORRUPT", "STORAGE_FULL"] as const) {
    memory.failed(a, code);
  }
  expect(order()).toBe("abc");
});

test("only so many are remembered, the latest", () => {
  const { memory, order } = rests();
  memory.failed(a, "TIMEOUT");
  for (let n = 1; n < limits.storagesRememberedMax; n++) memory.failed(storage(`x${n}`), "TIMEOUT");
  expect(order()).toBe("bca");
  memory.failed(b, "TIMEOUT");
  expect(order()).toBe("acb");
});
