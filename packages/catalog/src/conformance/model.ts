import { expect, test } from "bun:test";
import { fileIdFault } from "@dsm/protocol";
import fc from "fast-check";
import { openCatalog } from "../index.ts";
import { type Backend, uniqueName } from "./backend.ts";
import { ModelCatalog } from "./model-catalog.ts";
import { type Step, Walk } from "./model-walk.ts";

/** What SQL, LIKE, collations and UTF-16 stumble over; few, so that names meet often. */
const chars = [
  "a",
  "A",
  " ",
  "%",
  "_",
  "\\",
  "'",
  "/",
  "e\u0301",
  "é",
  "\uD7FF",
  "\uE000",
  "\uFFFF",
  "😀",
  "\u{10FFFF}",
];
const text = fc.array(fc.constantFrom(...chars), { maxLength: 4 }).map((parts) => parts.join(""));
const fileId = text.filter((id) => fileIdFault(id) === undefined);
// Clocks of storages differ: times neither grow nor differ always.
const atMs = fc.integer({ min: 0, max: 20 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      changes: fc.array(
        fc.record({
          fileId: fc.oneof(fc.constantFrom("a", "é", "a "), fileId),
          remove: fc.boolean(),
          // Mostly the version that follows; else one that somebody else took or did not reach.
          versionOff: fc.constantFrom(0, 0, 0, 0, -1, 1),
          atMs,
          expiresAtMs: fc.option(atMs, { nil: undefined, freq: 2 }),
        }),
        { minLength: 1, maxLength: 5 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("again" as const), pick: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("list" as const),
      prefix: text,
      after: fc.option(text, { nil: undefined }),
      limit: fc.integer({ min: 1, max: 4 }),
      nowMs: atMs,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("quota" as const),
      // Sizes are up to 20 for each character of a name.
      quotaBytes: fc.option(fc.integer({ min: 0, max: 150 }), { nil: undefined, freq: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("reap" as const),
      beforeMs: atMs,
      limit: fc.integer({ min: 1, max: 4 }),
      reversed: fc.boolean(),
    }),
  },
);

const runs = 25;

export function describeModel(backend: Backend): void {
  test("random histories give what a model in memory gives, and all blobs are reaped", async () => {
    const url = await backend.sharedUrl();
    await using catalog = await openCatalog(url);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        const user = uniqueName("ann");
        const group = uniqueName("g");
        await catalog.assignGroup(user, group, 1);
        const walk = new Walk(catalog, new ModelCatalog(), user, group);
        for (const one of steps) await walk.take(one);
        await walk.reapAll();
        const rows = await backend.query(
          url,
          `SELECT file_id FROM versions WHERE user = '${user}' GROUP BY file_id HAVING count(*) > 2`,
        );
        expect(rows).toEqual([]);
      }),
      { numRuns: runs },
    );
  });
}
