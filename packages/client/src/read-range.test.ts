import { describe, expect, test } from "bun:test";
import { DsmError, limits } from "@dsm/protocol";
import { collect, until } from "@dsm/testkit";
import {
  type Asked,
  hangs,
  type Manner,
  type OddStorage,
  refused,
  right,
  wrongManners,
} from "./testing/odd-storage.ts";
import { Reading } from "./testing/reading.ts";

const MiB = 1024 * 1024;

describe("a storage that answers in a wrong way is passed over, and nothing wrong is handed on", () => {
  for (const [name, manner] of Object.entries(wrongManners)) {
    test(`it ${name}`, async () => {
      await using reading = new Reading(3 * MiB);
      await reading.add("odd", manner);
      await reading.add("good");
      expect(Buffer.compare(await collect(await reading.open()), reading.content)).toBe(0);
      expect(reading.events).toContainEqual(expect.stringMatching(/^failover odd /));
    });
  }

  test("it goes wrong in the middle: another one goes on at the same offset", async () => {
    for (const manner of Object.values(wrongManners)) {
      await using reading = new Reading(3 * MiB);
      const first = await reading.add("first");
      const second = await reading.add("second");
      const body = await reading.open();
      const got: Uint8Array[] = [];
      for await (const piece of body) {
        got.push(piece);
        if (got.length === 9) first.manner = manner;
      }
      expect(Buffer.compare(Buffer.concat(got), reading.content)).toBe(0);
      expect(second.asked.length).toBeGreaterThan(0);
    }
  });
});

test("when no storage can serve the rest the body fails, and never ends as if it were whole", async () => {
  // Those that send half of each answer get there in the end.
  const hopeless = Object.entries(wrongManners).filter(([name]) => !/half|less/.test(name));
  expect(hopeless.length).toBeGreaterThan(10);
  const outcomes = hopeless.map(async ([name, manner]) => {
    await using reading = new Reading(3 * MiB, { stallMs: 50 });
    const storage = await reading.add("only");
    const body = await reading.open();
    await body.next();
    storage.manner = manner;
    const outcome = await collect(body).then(
      () => "whole",
      (error: unknown) => (error instanceof DsmError && error.http >= 500 ? "broken" : error),
    );
    return [name, outcome];
  });
  expect(await Promise.all(outcomes)).toEqual(hopeless.map(([name]) => [name, "broken"]));
});

describe("windows", () => {
  test("no more than 768 KiB are asked for and not handed over", async () => {
    await using reading = new Reading(8 * MiB);
    const storage = await reading.add("s1");
    let [handedBytes, mostBytes] = [0, 0];
    for await (const piece of await reading.open()) {
      handedBytes += piece.length;
      // A slow reader, so that all requests there are have come.
      await Bun.sleep(2);
      expect(piece.length).toBeLessThanOrEqual(limits.readPieceMaxBytes);
      const askedFor = Math.max(...storage.asked.map((it) => it.endExclusive));
      mostBytes = Math.max(mostBytes, askedFor - handedBytes);
    }
    expect(mostBytes).toBeGreaterThan(limits.readWindowBytes);
    expect(mostBytes).toBeLessThanOrEqual(768 * 1024);
    expect(storage.asked[0]).toMatchObject({ start: 0, endExclusive: 256 * 1024 });
  });

  test("connections are used again", async () => {
    await using reading = new Reading(16 * MiB);
    const storage = await reading.add("s1");
    await collect(await reading.open());
    expect(storage.asked.length).toBeGreaterThan(30);
    expect(storage.connections).toBeLessThanOrEqual(3);
  });

  test("a reader who pauses holds no request, and nothing of it times out", async () => {
    await using reading = new Reading(2 * MiB);
    const storage = await reading.add("s1");
    const body = await reading.open();
    const first = (await body.next()).value;
    await Bun.sleep(500); // More than twice the stall limit: that it passes is the point.
    storage.manner = right;
    const rest = await collect(body);
    expect(Buffer.compare(Buffer.concat([first ?? "", rest]), reading.content)).toBe(0);
    expect(reading.events).toEqual([]);
  });
});

describe("the hedge", () => {
  const slow: Manner = (socket, asked, storage) =>
    void Bun.sleep(300).then(() => right(socket, asked, storage));

  test("a second storage is asked when the first is slow, and the slower one is given up", async () => {
    await using reading = new Reading(4 * MiB, { hedgeAfterMs: 50, stallMs: 10_000 });
    const first = await reading.add("first", slow);
    const second = await reading.add("second");
    await collect(await reading.open());
    expect(reading.events).toEqual(["hedge second"]);
    await until("the slower request was cut", () => first.open.size === 0);
    // Once was enough: windows, and the next reader too, begin with the one that answers.
    await collect(await reading.open());
    expect([first.asked.length, second.asked.length > 16]).toEqual([1, true]);
  });

  test("it is no hurry when the first answers in time, and two at most are asked", async () => {
    await using reading = new Reading(1 * MiB, { hedgeAfterMs: 100, stallMs: 700 });
    const storages: OddStorage[] = [];
    for (const id of ["a", "b", "c", "d"]) storages.push(await reading.add(id, hangs));
    const opening = reading.open();
    await until("the second was asked", () => storages[1]!.asked.length === 1);
    await Bun.sleep(300);
    expect(storages.map((it) => it.asked.length)).toEqual([1, 1, 0, 0]);
    storages[2]!.manner = right;
    expect((await collect(await opening)).length).toBe(MiB);
  });
});

describe("a reader who leaves", () => {
  test("ends the upstream request at once, also while it waits for bytes", async () => {
    await using reading = new Reading(4 * MiB, { stallMs: 60_000 });
    const storage = await reading.add("s1", wrongManners["sends half and hangs"]);
    const body = await reading.open();
    const got: number[] = [];
    // Half of the first window comes; the next read would wait for a minute.
    for (let bytes = 0; bytes < 128 * 1024;) {
      bytes += ((await body.next()).value as Uint8Array).length;
      got.push(bytes);
    }
    const waiting = body.next().catch((error: unknown) => error);
    await body.return(undefined);
    expect(await waiting).toBeInstanceOf(DOMException);
    await until("the storage was left", () => storage.open.size === 0);
    expect(reading.events).toEqual(["abandoned 0"]);
  });

  test("is counted with the bytes that came in vain", async () => {
    await using reading = new Reading(4 * MiB);
    const storage = await reading.add("s1");
    const leave = new AbortController();
    const body = await reading.open({ signal: leave.signal });
    let handedBytes = 0;
    for (let n = 0; n < 3; n++) handedBytes += ((await body.next()).value as Uint8Array).length;
    // Less than half of the first 256 KiB is left, so 512 more are asked for, and come.
    await until("the next was asked", () => storage.asked.length === 2);
    await Bun.sleep(300); // It has come then, which nobody but the count below can tell.
    leave.abort();
    expect(reading.events).toEqual([`abandoned ${(256 + 512) * 1024 - handedBytes}`]);
    await body.return(undefined);
    expect(reading.events).toHaveLength(1);
  });

  test("and has everything by then has left nothing", async () => {
    await using reading = new Reading(100_000);
    await reading.add("s1");
    const body = await reading.open({ start: 50_000 });
    for (let bytes = 0; bytes < 50_000;) bytes += ((await body.next()).value as Uint8Array).length;
    await body.return(undefined);
    expect(reading.events).toEqual([]);
  });

  test("before the first byte ends the search", async () => {
    await using reading = new Reading(MiB, { stallMs: 60_000 });
    const storage = await reading.add("s1", hangs);
    const leave = new AbortController();
    const opening = reading.open({ signal: leave.signal }).catch((error: unknown) => error);
    await until("it was asked", () => storage.asked.length === 1);
    leave.abort(new Error("gone"));
    expect(await opening).toEqual(new Error("gone"));
    await until("the storage was left", () => storage.open.size === 0);
  });
});

describe("the capability", () => {
  test("is the tracker's, as long as it is good", async () => {
    await using reading = new Reading(2 * MiB);
    const storage = await reading.add("s1");
    await collect(await reading.open());
    const used = new Set(storage.asked.map((it) => it.capability));
    expect([...used]).toHaveLength(1);
  });

  test("is followed by the reader's own for the same blob, when it nears its end", async () => {
    await using reading = new Reading(2 * MiB);
    reading.capabilityTtlMs = limits.readRightMarginMs + 250;
    const storage = await reading.add("s1");
    const body = await reading.open();
    await body.next();
    await Bun.sleep(500);
    expect((await collect(body)).length).toBeGreaterThan(MiB);
    const claims = storage.asked.map((it) => it.claims);
    const [first, last] = [claims[0]!, claims.at(-1)!];
    expect(last.expiresAtMs - first.expiresAtMs).toBeGreaterThan(limits.readRightTtlMs / 2);
    expect({ ...last, expiresAtMs: 0 }).toEqual({ ...first, expiresAtMs: 0 });
  });

  test("is followed by the reader's own when a storage refuses it, as another clock may make it", async () => {
    await using reading = new Reading(2 * MiB);
    reading.capabilityTtlMs = 30_000;
    const isOwn = ({ claims }: Asked) => claims.expiresAtMs > Date.now() + 45_000;
    const manner: Manner = (socket, asked, storage) =>
      (isOwn(asked) ? right : refused)(socket, asked, storage);
    const storage = await reading.add("s1", manner);
    expect((await collect(await reading.open())).length).toBe(2 * MiB);
    expect(storage.asked.length).toBeGreaterThan(4);
  });
});
