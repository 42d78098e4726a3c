import { expect, test } from "bun:test";
import { Gate } from "./gate.ts";

function held() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, release: resolve };
}

test("only so many run at a time, in the order of their arrival", async () => {
  const gate = new Gate({ runningMax: 2, waitingMax: 10, waitTimeoutMs: 60_000 });
  const started: number[] = [];
  const works = [0, 1, 2, 3, 4].map((n) => ({ n, hold: held() }));
  const passed = works.map(({ n, hold }) =>
    gate.pass(() => {
      started.push(n);
      return hold.promise;
    }),
  );
  await Promise.resolve();
  expect(started).toEqual([0, 1]);
  works[1]?.hold.release();
  await passed[1];
  await Promise.resolve();
  expect(started).toEqual([0, 1, 2]);
  for (const work of works) work.hold.release();
  await Promise.all(passed);
  expect(started).toEqual([0, 1, 2, 3, 4]);
});

test("a failed work frees its place", async () => {
  const gate = new Gate({ runningMax: 1, waitingMax: 0, waitTimeoutMs: 60_000 });
  await expect(gate.pass(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await gate.pass(async () => 7)).toBe(7);
});

test("a line that is too long, and one that is too slow, are refused", async () => {
  const gate = new Gate({ runningMax: 1, waitingMax: 1, waitTimeoutMs: 1 });
  const first = held();
  const running = gate.pass(() => first.promise);
  let sent = false;
  const waiting = gate.pass(async () => {
    sent = true;
  });
  await expect(gate.pass(async () => 1)).rejects.toMatchObject({ code: "CATALOG_UNAVAILABLE" });
  await expect(waiting).rejects.toMatchObject({ code: "CATALOG_UNAVAILABLE" });
  first.release();
  await running;
  expect(await gate.pass(async () => 2)).toBe(2);
  expect(sent).toBe(false);
});
