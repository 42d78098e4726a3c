import { expect, test } from "bun:test";
import { rename, rm, truncate, writeFile } from "node:fs/promises";
import type { KnownBlob } from "@dsm/catalog";
import { blobPath, type FileInfo } from "@dsm/protocol";
import * as fc from "fast-check";
import { foreignId, Scene } from "./scene.ts";

const files = ["a", "b/c", "ä", "d", "e", "f"];

/** What was acknowledged last of each file; undefined when that was a delete. */
type Model = Map<string, string | undefined>;

type Step = { readonly file: number } & ({ readonly text: string } | { readonly isDelete: true });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ file: fc.nat(5), text: fc.string({ maxLength: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ file: fc.nat(5), isDelete: fc.constant(true as const) }) },
);

const damageKinds = [
  "lose blob",
  "cut blob",
  "flip blob",
  "move blob",
  "forget newest",
  "lose record",
  "break record",
] as const;

interface Damage {
  readonly kind: (typeof damageKinds)[number];
  /** Which of the blobs that are there; each is damaged in one way at most. */
  readonly at: number;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom(...damageKinds),
  at: fc.nat(1_000),
});

async function play(scene: Scene, steps: readonly Step[]): Promise<Model> {
  const model: Model = new Map();
  for (const each of steps) {
    const fileId = files[each.file]!;
    if ("text" in each) {
      await scene.put(fileId, each.text);
      model.set(fileId, each.text);
    } else if (model.get(fileId) !== undefined) {
      await scene.delete(fileId);
      model.set(fileId, undefined);
    }
  }
  return model;
}

/** What one damage should make fsck tell, and whether it can be mended. */
interface Expected {
  readonly told: string[];
  readonly left: string[];
  /** Its bytes are lost or changed, and no one can know them. */
  readonly lost?: string;
}

async function inflict(scene: Scene, known: KnownBlob, kind: Damage["kind"]): Promise<Expected> {
  const { file, state } = known;
  const { fileId } = file;
  const isLive = state === "live";
  const lost = isLive ? { lost: fileId } : {};
  const stays = (what: string) => ({ told: [what], left: [what], ...lost });
  switch (kind) {
    case "lose blob":
      await rm(scene.blob(file));
      if (isLive) return stays(`missing ${fileId}`);
      // An entry goes only after the one of the version before it, which still has its bytes.
      if (await hasMark(scene, file)) return stays(`missing-trash ${fileId}`);
      return { told: [`missing-trash ${fileId}`], left: [] };
    case "cut blob":
      if (file.sizeBytes === 0) return { told: [], left: [] };
      await truncate(scene.blob(file), file.sizeBytes - 1);
      return { told: [`wrong-size ${fileId}`], left: [], ...lost };
    case "flip blob":
      if (file.sizeBytes === 0) return { told: [], left: [] };
      await flip(scene, file);
      return { told: [`wrong-digest ${fileId}`], left: [], ...lost };
    case "move blob": {
      const astray = `blobs/astray/${file.blobId}`;
      await scene.write(astray, "");
      await rename(scene.blob(file), scene.at(astray));
      // When it is moved home first, as in a repair, it is not missing.
      return { told: [`wrong-place ${astray}`], left: [] };
    }
    case "forget newest":
      scene.forgetNewest(fileId);
      return { told: [`unsettled ${fileId}`, "usage ann"], left: [] };
    case "lose record":
      await scene.editJournals((line) => (isRecordOf(file, line) ? undefined : line));
      return { told: [`not-journaled ${fileId}`], left: [] };
    default:
      await scene.editJournals((line) => (isRecordOf(file, line) ? line.replace("{", "[") : line));
      return { told: [`not-journaled ${fileId}`, "journal-damaged"], left: ["journal-damaged"] };
  }
}

async function hasMark({ cluster }: Scene, { blobId }: FileInfo): Promise<boolean> {
  const [row] = await cluster.catalog.rowsOf([blobId]);
  return row?.trashGroup !== undefined;
}

async function flip(scene: Scene, file: FileInfo): Promise<void> {
  const bytes = await Bun.file(scene.blob(file)).bytes();
  bytes[0] = (bytes[0] ?? 0) ^ 0x40;
  await writeFile(scene.blob(file), bytes);
}

function isRecordOf({ blobId }: FileInfo, line: string): boolean {
  return line.includes('"put"') && line.includes(`"blobId":"${blobId}"`);
}

/** At most one damage to a file, so that none hides another. */
async function inflictAll(scene: Scene, damages: readonly Damage[]): Promise<Expected[]> {
  const blobs = await scene.cluster.catalog.blobs({ group: "g1", limit: 1_000 });
  const expected: Expected[] = [];
  const touched = new Set<string>();
  for (const { kind, at } of damages) {
    const known = blobs[at % Math.max(1, blobs.length)];
    if (known === undefined || touched.has(known.file.fileId)) continue;
    touched.add(known.file.fileId);
    expected.push(await inflict(scene, known, kind));
  }
  return expected;
}

const withoutPlaces = (told: readonly string[]) =>
  [...new Set(told.map((line) => line.replace(/^(journal-damaged) .*/, "$1")))].toSorted();

test("of random damage to a random history fsck finds exactly that, and loses nothing", async () => {
  const history = fc.array(step, { minLength: 4, maxLength: 20 });
  const inflicted = fc.array(damage, { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(history, inflicted, fc.boolean(), async (steps, damages, hasOrphan) => {
      await using s = await Scene.open();
      const model = await play(s, steps);
      const orphan = blobPath(foreignId());
      if (hasOrphan) await s.write(orphan, "left by a crash");
      const expected = await inflictAll(s, damages);
      const told = expected.flatMap((it) => it.told);
      if (hasOrphan) told.push(`orphan ${orphan}`);
      const first = await s.repair({ digests: true });
      expect(withoutPlaces(first.told)).toEqual(withoutPlaces(told));
      const left = withoutPlaces(expected.flatMap((it) => it.left));
      expect(withoutPlaces(first.left)).toEqual(left);
      const lost = new Set(expected.flatMap((it) => it.lost ?? []));
      for (const [fileId, text] of model) {
        if (lost.has(fileId)) continue;
        expect(await s.read(fileId)).toBe(text ?? "FILE_NOT_FOUND");
      }
      // No bytes are all there is of an empty file, so it is still read as it was.
      for (const fileId of lost) {
        if (model.get(fileId) !== "") expect(await s.read(fileId)).not.toBe(model.get(fileId));
      }
      // A second repair has nothing more to do: what is marked by now is all there is to tell.
      const second = await s.repair({ digests: true });
      expect(second.left).toEqual(second.told);
      const isOfMarks = (line: string) => /^(damaged|wrong-size) /.test(line);
      expect(withoutPlaces(second.told.filter((line) => !isOfMarks(line)))).toEqual(left);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
