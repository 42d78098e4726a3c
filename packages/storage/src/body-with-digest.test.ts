import { expect, test } from "bun:test";
import { digestAtEndBytes } from "@dsm/protocol";
import fc from "fast-check";
import { BodyWithDigest } from "./body-with-digest.ts";

async function* inPieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(at, Math.min(cut, bytes.length));
    at = Math.min(cut, bytes.length);
  }
}

async function read(body: BodyWithDigest): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("the file is what came before the digest, however the network cut it", () =>
  fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.nat(240), { maxLength: 12 }),
      async (content, cuts) => {
        const digest = Bun.SHA256.hash(content) as Uint8Array;
        const body = new BodyWithDigest(inPieces(Buffer.concat([content, digest]), cuts));
        expect(await read(body)).toEqual(Buffer.from(content));
        expect(body.sha256).toBe(Buffer.from(digest).toString("hex"));
      },
    ),
  ));

test("a body that is shorter than a digest is none, and has none", async () => {
  for (const sizeBytes of [0, 1, digestAtEndBytes - 1]) {
    const body = new BodyWithDigest(inPieces(new Uint8Array(sizeBytes), [7, 9]));
    expect(await read(body).catch((error: unknown) => error)).toMatchObject({
      code: "UPLOAD_INCOMPLETE",
    });
    expect(() => body.sha256).toThrow("before the digest");
  }
});

test("a large chunk goes on as it came, and no more than one is held", async () => {
  const chunks = Array.from({ length: 3 }, () => new Uint8Array(100_000));
  let taken = 0;
  const body = new BodyWithDigest(
    (async function* () {
      for (const chunk of chunks) {
        taken++;
        yield chunk;
      }
    })(),
  );
  const first = await body[Symbol.asyncIterator]().next();
  expect([first.value === chunks[0], taken]).toEqual([true, 2]);
});
