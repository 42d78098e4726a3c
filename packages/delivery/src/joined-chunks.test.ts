import { expect, test } from "bun:test";
import fc from "fast-check";
import { joinedChunks } from "./joined-chunks.ts";

test("the bytes stay the same and in order, in pieces of the size that was asked for", async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 100 }), async (parts, bytes) => {
      const source = (async function* () {
        yield* parts;
      })();
      const pieces = await Array.fromAsync(joinedChunks(source, { bytes, waitMs: 1_000 }));
      expect(Buffer.concat(pieces).equals(Buffer.concat(parts))).toBe(true);
      for (const piece of pieces.slice(0, -1)) expect(piece.length).toBeGreaterThanOrEqual(bytes);
    }),
  );
});

test("what has waited for more is given without it, and what comes later is not lost", async () => {
  const later = Promise.withResolvers<void>();
  const source = (async function* () {
    yield Buffer.from("a");
    await later.promise;
    yield Buffer.from("b");
  })();
  const pieces = joinedChunks(source, { bytes: 100, waitMs: 5 });
  expect(String((await pieces.next()).value)).toBe("a");
  later.resolve();
  expect(String((await pieces.next()).value)).toBe("b");
  expect((await pieces.next()).done).toBe(true);
});

test("a source that fails fails the pieces", async () => {
  const source = (async function* () {
    yield Buffer.from("a");
    throw new Error("cut");
  })();
  const pieces = joinedChunks(source, { bytes: 100, waitMs: 1_000 });
  expect(pieces.next()).rejects.toThrow("cut");
});
