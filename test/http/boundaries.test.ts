import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { sparse } from "./placed-file.ts";
import { requestText, type Target, directNames, Targets } from "./targets.ts";
import { fieldOf, Wire } from "./wire.ts";

setDefaultTimeout(60_000);

const sizeBytes = 2 ** 32 + 5_000_000;
const fileId = "past-4-gib.bin";

/** Where numbers, buffers and windows change: the kernel's, Bun's and our own. */
const edges = [0, 1, 65_536, 262_144, 1_048_576, 2 ** 31, 2 ** 32, sizeBytes];
const offsets = [...new Set(edges.flatMap((edge) => [edge - 1, edge, edge + 1]))]
  .filter((offset) => offset >= 0)
  .toSorted((a, b) => a - b);
const steps = [65_536, 131_072, 262_144, 524_288, 1_048_576, 1_310_720, 2_097_152];

/** Each byte around an offset, and one buffer after it, tells where it stands; others are zero. */
const content = sparse(sizeBytes, [
  ...new Set(offsets.flatMap((offset) => [offset, ...steps.map((step) => offset + step)])),
]);

/** Longer bodies are read so far, then the connection is cut. */
const readMaxBytes = 2 * 1024 * 1024;

async function check(target: Target, first: number, last: number | undefined): Promise<void> {
  const range = `bytes=${first}-${last ?? ""}`;
  await using wire = await Wire.connect(target.port);
  wire.send(requestText(target, { fileId, fields: [["Range", range]] }));
  const head = await wire.head();
  if (first >= sizeBytes) {
    expect([range, head.status, fieldOf(head, "content-range")]).toEqual([
      range,
      416,
      `bytes */${sizeBytes}`,
    ]);
    return;
  }
  const end = Math.min(last ?? sizeBytes, sizeBytes - 1);
  expect([
    range,
    head.status,
    fieldOf(head, "content-range"),
    fieldOf(head, "content-length"),
  ]).toEqual([range, 206, `bytes ${first}-${end}/${sizeBytes}`, `${end - first + 1}`]);
  const wanted = Math.min(end - first + 1, readMaxBytes);
  const body = await wire.bytes(wanted);
  if (!body.equals(content.slice(first, first + wanted))) {
    throw new Error(`${range} from ${target.name} has other bytes than the file`);
  }
}

describe(`every pair of ${offsets.length} offsets around the edges of a file past 4 GiB`, () => {
  let targets: Targets;
  beforeAll(async () => {
    targets = await Targets.start();
    await targets.place({ fileId, content, modifiedAtMs: Date.UTC(2025, 0, 1) });
  });
  afterAll(() => targets[Symbol.asyncDispose]());

  for (const name of directNames) {
    test(`first to last, from ${name}`, async () => {
      const target = targets.named(name);
      let checked = 0;
      for (const first of offsets) {
        for (const last of [...offsets.filter((offset) => offset >= first), undefined]) {
          await check(target, first, last);
          checked += 1;
        }
      }
      // Of n offsets the pairs in order, and each with an open end.
      expect(checked).toBe((offsets.length * (offsets.length + 1)) / 2 + offsets.length);
    });

    test(`suffixes, from ${name}`, async () => {
      const target = targets.named(name);
      for (const length of offsets.filter((offset) => offset > 0)) {
        await using wire = await Wire.connect(target.port);
        wire.send(requestText(target, { fileId, fields: [["Range", `bytes=-${length}`]] }));
        const head = await wire.head();
        const first = Math.max(0, sizeBytes - length);
        expect([length, head.status, fieldOf(head, "content-range")]).toEqual([
          length,
          206,
          `bytes ${first}-${sizeBytes - 1}/${sizeBytes}`,
        ]);
        const wanted = Math.min(sizeBytes - first, readMaxBytes);
        expect((await wire.bytes(wanted)).equals(content.slice(first, first + wanted))).toBe(true);
      }
    });

    test(`the whole begins right and has its length, from ${name}`, async () => {
      const target = targets.named(name);
      await using wire = await Wire.connect(target.port);
      wire.send(requestText(target, { fileId }));
      const head = await wire.head();
      expect([head.status, fieldOf(head, "content-length")]).toEqual([200, `${sizeBytes}`]);
      expect((await wire.bytes(readMaxBytes)).equals(content.slice(0, readMaxBytes))).toBe(true);
    });
  }
});
