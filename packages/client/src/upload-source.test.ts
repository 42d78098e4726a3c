import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DsmError, limits } from "@dsm/protocol";
import { collect, tempDir } from "@dsm/testkit";
import fc from "fast-check";
import { bytesSource, fileSource, streamSource } from "./upload-source.ts";

async function* chunksOf(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    const chunk = bytes.subarray(at, at + size);
    at += chunk.length;
    if (chunk.length > 0) yield chunk;
  }
}

/** Reads some chunks and walks away, as a try does whose storage dies. */
async function readSome(body: AsyncIterable<Uint8Array>, count: number): Promise<void> {
  let left = count;
  for await (const _chunk of body) if (left-- <= 0) return;
}

describe("streamSource", () => {
  test("gives a small stream whole again, however often and wherever a try was given up", () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5_000 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 20 }),
        fc.array(fc.nat(8), { maxLength: 4 }),
        async (bytes, sizes, givenUp) => {
          const source = streamSource(chunksOf(bytes, sizes));
          for (const count of givenUp) await readSome(source.open(), count);
          expect(await collect(source.open())).toEqual(bytes);
          expect(source.replayable).toBe(true);
        },
      ),
    ));

  test("takes nothing away from the next try while an earlier one still waits", async () => {
    const gate = Promise.withResolvers<void>();
    const source = streamSource(
      (async function* () {
        yield new Uint8Array([1]);
        await gate.promise;
        yield new Uint8Array([2]);
        yield new Uint8Array([3]);
      })(),
    );
    const early = source.open()[Symbol.asyncIterator]();
    await early.next();
    const waiting = early.next();
    const later = collect(source.open());
    const failure = waiting.catch(String);
    gate.resolve();
    expect(await later).toEqual(new Uint8Array([1, 2, 3]));
    expect(await failure).toContain("given up for a later one");
  });

  test("gives all to the last try, though an earlier one begins to read after it", async () => {
    const source = streamSource(chunksOf(new Uint8Array([1, 2, 3]), [1, 1]));
    const [early, later] = [source.open(), source.open()].map((it) => it[Symbol.asyncIterator]());
    expect((await later!.next()).value).toEqual(new Uint8Array([1]));
    // If it ended instead, half a body without a Content-Length would look complete.
    await expect(early!.next()).rejects.toThrow("given up for a later one");
    expect((await later!.next()).value).toEqual(new Uint8Array([2]));
  });

  test("who was given up takes nothing away from the next try, nor the whole from the last", async () => {
    const chunk = new Uint8Array(limits.uploadReplayMaxBytes / 2).fill(7);
    const source = streamSource(
      chunksOf(Buffer.concat(Array(6).fill(chunk)), Array(6).fill(chunk.length)),
    );
    const early = source.open()[Symbol.asyncIterator]();
    await early.next();
    expect(source.replayable).toBe(true);
    source.giveUp?.();
    // As fetch does when it has failed already.
    await expect(early.next()).rejects.toThrow("given up");
    expect((await collect(source.open())).length).toBe(6 * chunk.length);
    expect(source.replayable).toBe(false);
    // What is left of it must not look like all of it.
    expect(() => source.open()).toThrow("its first bytes are gone");
  });

  test("a stream that failed fails every later try, and never looks complete", async () => {
    const source = streamSource(
      (async function* () {
        yield new Uint8Array(10);
        throw new Error("the client left");
      })(),
    );
    for (const _try of [1, 2, 3]) {
      const outcome = await collect(source.open()).then(
        () => "complete",
        (error: Error) => error.message,
      );
      expect(outcome).toBe("the client left");
    }
  });

  test("keeps no more than its limit, and says that it cannot begin again", async () => {
    const pieces = 20;
    const piece = new Uint8Array(limits.uploadReplayMaxBytes / 4);
    const source = streamSource(
      (async function* () {
        for (let i = 0; i < pieces; i++) yield piece;
      })(),
    );
    let read = 0;
    for await (const chunk of source.open()) read += chunk.length;
    expect([read, source.replayable]).toEqual([pieces * piece.length, false]);
  });
});

describe("fileSource", () => {
  test("knows its size and can be read again; a folder or nothing is a clear error", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "f");
    await Bun.write(path, "hello");
    const source = await fileSource(path);
    expect([source.sizeBytes, source.replayable]).toEqual([5, true]);
    for (const _try of [1, 2]) {
      expect(new TextDecoder().decode(await collect(source.open()))).toBe("hello");
    }
    for (const wrong of [dir.path, join(dir.path, "nothing")]) {
      const error = await fileSource(wrong).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(DsmError);
      expect((error as DsmError).code).toBe("USAGE");
    }
  });
});

test("what can be read twice knows its SHA-256 beforehand", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "film");
  await Bun.write(path, "abc");
  const ofAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const source = await fileSource(path);
  expect(await source.sha256?.()).toBe(ofAbc);
  expect(await bytesSource(Buffer.from("abc")).sha256?.()).toBe(ofAbc);
  expect(streamSource(source.open()).sha256).toBeUndefined();
  await Bun.file(path).delete();
  await expect(source.sha256?.() ?? "").rejects.toMatchObject({ code: "USAGE" });
  const stopped = AbortSignal.abort(new Error("stopped"));
  await Bun.write(path, "abc");
  await expect(source.sha256?.(stopped) ?? "").rejects.toThrow("stopped");
});
