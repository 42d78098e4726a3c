import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@dsm/testkit";
import { ManualClock } from "./testing/manual-clock.ts";
import { GroupLease } from "./group-lease.ts";

const leaseMs = 30_000;

/** Each member has a clock of its own, and they agree in nothing. */
function member(root: string, storageId: string, incarnation = "a") {
  const clock = new ManualClock();
  clock.pass(Math.random() * 1e9);
  return { clock, lease: new GroupLease({ root, storageId, incarnation, leaseMs, clock }) };
}

test("one has it, until it gives it back", async () => {
  await using dir = await tempDir();
  const [one, two] = [member(dir.path, "s1"), member(dir.path, "s2")];
  expect(await one.lease.acquire()).toBe(true);
  expect(await two.lease.acquire()).toBe(false);
  expect(await one.lease.acquire()).toBe(true);
  await one.lease.release();
  expect([one.lease.isHeld, await one.lease.renew()]).toEqual([false, false]);
  expect(await two.lease.acquire()).toBe(true);
  expect(await one.lease.acquire()).toBe(false);
  expect(await readdir(join(dir.path, "scrub"))).toEqual(["lease-0000000002"]);
});

test("an owner that shows life keeps it, however long; a silent one loses it", async () => {
  await using dir = await tempDir();
  const [one, two] = [member(dir.path, "s1"), member(dir.path, "s2")];
  await one.lease.acquire();
  for (let n = 0; n < 5; n++) {
    expect(await two.lease.acquire()).toBe(false);
    two.clock.pass(leaseMs - 1);
    expect(await two.lease.acquire()).toBe(false);
    expect(await one.lease.renew()).toBe(true);
  }
  expect(await two.lease.acquire()).toBe(false);
  two.clock.pass(leaseMs);
  expect(await two.lease.acquire()).toBe(true);
  // It was not dead, only slow: it sees that, and what it does then disturbs nobody.
  expect(await one.lease.renew()).toBe(false);
  await one.lease.release();
  expect(await two.lease.renew()).toBe(true);
});

test("of many who take over at once one does", async () => {
  await using dir = await tempDir();
  await member(dir.path, "dead").lease.acquire();
  const many = Array.from({ length: 20 }, (_, n) => member(dir.path, `s${n}`));
  await Promise.all(many.map(({ lease }) => lease.acquire()));
  for (const { clock } of many) clock.pass(leaseMs);
  const got = await Promise.all(many.map(({ lease }) => lease.acquire()));
  expect(got.filter(Boolean)).toHaveLength(1);
  const held = await Promise.all(many.map(({ lease }) => lease.renew()));
  expect(held).toEqual(got);
});

test("the next life of a storage goes on at once", async () => {
  await using dir = await tempDir();
  const before = member(dir.path, "s1", "before");
  await before.lease.acquire();
  expect(await member(dir.path, "s1", "after").lease.acquire()).toBe(true);
  expect(await before.lease.renew()).toBe(false);
});

test("a lease that was cut short by a power cut is taken over like any other", async () => {
  await using dir = await tempDir();
  await Bun.write(join(dir.path, "scrub/lease-0000000007"), "");
  const { clock, lease } = member(dir.path, "s1");
  expect(await lease.acquire()).toBe(false);
  clock.pass(leaseMs);
  expect(await lease.acquire()).toBe(true);
  expect(await readdir(join(dir.path, "scrub"))).toEqual(["lease-0000000008"]);
});
