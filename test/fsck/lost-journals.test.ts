import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource } from "@dsm/client";
import { startCluster } from "@dsm/cluster";
import { encodeRecord, journalParts } from "@dsm/journal";
import { blobIdFromNumber, blobPath } from "@dsm/protocol";
import { tempDir } from "@dsm/testkit";
import { runCatalog } from "../recovery/backup-fixture.ts";
import { foreignId, putRecord, Scene } from "./scene.ts";

const id = foreignId();
const firstPart = "journal/g1-s9/20200101T000000000Z-life-000000.log";

/** What fsck finds and does, with a blob that no record names. */
async function judged(arrange: (scene: Scene) => Promise<void>) {
  await using s = await Scene.open();
  await s.put("a");
  await s.write(blobPath(id), "perhaps acknowledged");
  await arrange(s);
  const { told, findings } = await s.repair();
  const kept = (await s.aside()).map((name) => readFile(s.at(`lost+found/${name}`), "utf8"));
  const facts = findings.find(({ kind }) => kind === "journal-missing");
  return { told, facts, kept: await Promise.all(kept) };
}

describe("a blob without a record is set aside", () => {
  const kept = ["perhaps acknowledged"];

  test("where a part is gone that its storage has settled, also after its next start", async () => {
    const path = "journal/g1-s9/20200101T000000000Z-gone-000000.log";
    const found = await judged((s) =>
      s.write("journal/g1-s9/settled.json", JSON.stringify({ [path]: 70 })),
    );
    expect(found.told).toEqual([`journal-missing ${path}`, `orphan ${blobPath(id)}`]);
    expect(found).toMatchObject({ kept, facts: { detail: "it is gone, and had 70 bytes" } });
  });

  test("where a part is shorter than its storage has settled it", async () => {
    const found = await judged(async (s) => {
      await s.journaled("");
      await s.write("journal/g1-s9/settled.json", JSON.stringify({ [firstPart]: 70 }));
    });
    expect(found).toMatchObject({ kept, facts: { path: firstPart } });
  });

  test("where a part of a life is missing", async () => {
    const path = "journal/g1-s9/20200101T000000000Z-life-000001.log";
    const found = await judged(async (s) => {
      await s.journaled("");
      await s.write("journal/g1-s9/20200101T000000000Z-life-000002.log", "");
    });
    expect(found).toMatchObject({ kept, facts: { path } });
  });

  test("where a life has held a lease and has left no journal", async () => {
    const found = await judged((s) =>
      s.write("scrub/reap-lease-0000000001", "g1-s9\nx\nfree\n7\n"),
    );
    expect(found).toMatchObject({ kept, facts: { path: "journal/g1-s9" } });
  });
});

test("a storage that starts anew does not forget what it has settled of a part that is gone", async () => {
  await using dir = await tempDir();
  const options = { dataDir: dir.path, storages: 1, doubtSettleMs: 20 };
  const gone = "journal/g1-s1/20200101T000000000Z-gone-000000.log";
  let root: string;
  const settled = () => Bun.file(join(root, "journal/g1-s1/settled.json"));
  {
    await using cluster = await startCluster(options);
    root = cluster.groupRoot("g1");
  }
  await Bun.write(settled(), JSON.stringify({ [gone]: 70 }));
  await using _cluster = await startCluster(options);
  while (Object.keys(await settled().json()).length < 2) await Bun.sleep(10);
  expect(await settled().json()).toMatchObject({ [gone]: 70 });
});

describe("after a rebuild from journals that are not whole", () => {
  test("the blobs without a record are told of, and fsck keeps them", async () => {
    await using dir = await tempDir();
    const url = `sqlite:${join(dir.path, "catalog.db")}`;
    const options = { dataDir: dir.path, storages: 1, reserveBytes: 0, orphanAgeMs: 0 };
    let root: string;
    {
      await using cluster = await startCluster(options);
      await using client = cluster.client();
      root = cluster.groupRoot("g1");
      for (const fileId of ["1", "2", "3", "4"]) {
        await client.upload({ user: "ann", fileId, source: bytesSource(Buffer.from(fileId)) });
      }
    }
    const [part] = await journalParts(root);
    const journal = join(root, part?.path ?? "");
    const lines = (await readFile(journal, "utf8")).split("\n");
    const kept = lines.filter((line) => !/"fileId":"[34]"/.test(line));
    await Bun.write(journal, kept.join("\n"));
    // One that was killed has not noted how long its part was, and nothing tells that it was cut.
    const notes = new Bun.Glob("journal/g1-s1/settled*.json").scan({ cwd: root });
    for await (const note of notes) await rm(join(root, note));
    for (const end of ["", "-wal", "-shm"])
      await rm(`${dir.path}/catalog.db${end}`, { force: true });

    const { code, stdout } = await runCatalog([
      "rebuild",
      "--catalog",
      url,
      "--root",
      `g1=${root}`,
      "--json",
    ]);
    const said = Buffer.from(stdout)
      .toString()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    expect([code, said[0].finding]).toMatchObject([
      1,
      { kind: "cut off or no record", group: "g1", blobs: 2 },
    ]);

    await using cluster = await startCluster(options);
    await using client = cluster.client();
    // Of an upload that began when the new catalog was there, it would know.
    const later = blobIdFromNumber(2 ** 26);
    await Bun.write(join(root, blobPath(later)), "left by a crash");
    const params = { repair: true };
    const repaired: unknown[] = [];
    for await (const line of client.maintain({ group: "g1", job: "fsck", params })) {
      if ("finding" in line) repaired.push(line.finding["repaired"]);
    }
    const aside = expect.stringContaining("moved to lost+found/");
    expect(repaired).toEqual([aside, aside, "removed"]);
    expect(existsSync(join(root, blobPath(later)))).toBe(false);
  });
});

test("a restored catalog proves nothing of what is older than itself", async () => {
  await using s = await Scene.open();
  await s.put("a");
  s.sql("INSERT INTO id_segments (name, next) VALUES ('restored:', 1)");
  await s.write(blobPath(id), "perhaps acknowledged");
  expect((await s.repair()).findings).toMatchObject([
    { detail: expect.stringContaining("the catalog was made anew since") },
  ]);
  expect((await s.aside()).length).toBe(1);
  // What a record proves to be garbage still goes.
  await s.write(blobPath(foreignId(1)), "lost");
  const abort = { kind: "abort", id: foreignId(1), version: 1, atMs: Date.now() } as const;
  await s.journaled(putRecord({ blobId: foreignId(1), bytes: "lost" }), encodeRecord(abort));
  expect((await s.repair()).findings).toMatchObject([{ kind: "orphan", repaired: "removed" }]);
});
