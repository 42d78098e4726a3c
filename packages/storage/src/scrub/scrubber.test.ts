import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Catalog, migrateCatalog, openCatalog } from "@dsm/catalog";
import { silentLog } from "@dsm/log";
import {
  blobIdFromNumber,
  blobPath,
  DsmError,
  type FileInfo,
  limits,
  piecesPath,
  type StorageAddress,
} from "@dsm/protocol";
import { FaultyFs, faultyFsMissing, tempDir } from "@dsm/testkit";
import { DamageMarks } from "../damage-marks.ts";
import { encodeSidecar, PieceSummer } from "../piece-sums.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { Scrubber, type ScrubberOptions } from "./scrubber.ts";
import { ScrubStateFile } from "./scrub-state.ts";

const { pieceBytes } = limits;
const intervalMs = 1e9;
const group = "g1";
const other = { storageId: "s2" } as StorageAddress;

/** A group with a real catalog and real files; the time is ours. */
class Group implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly root: string;
  readonly catalog: Catalog;
  readonly marks: DamageMarks;
  readonly state: ScrubStateFile;
  readonly #stack: AsyncDisposableStack;

  private constructor(root: string, catalog: Catalog, stack: AsyncDisposableStack) {
    this.root = root;
    this.catalog = catalog;
    this.#stack = stack;
    this.marks = new DamageMarks({ group, catalog, log: silentLog });
    this.state = new ScrubStateFile(root);
  }

  static async open(mounted?: string): Promise<Group> {
    const stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const url = `sqlite:${join(dir.path, "catalog.db")}`;
    await migrateCatalog(url);
    const catalog = stack.use(await openCatalog(url));
    const root = mounted ?? dir.path;
    await Bun.write(join(root, "dsm-group.json"), JSON.stringify({ group }));
    return new Group(root, catalog, stack);
  }

  member(storageId: string, over: Partial<ScrubberOptions> = {}): Scrubber {
    const scrubber = new Scrubber({
      ...this,
      storageId,
      incarnation: crypto.randomUUID(),
      group,
      catalog: this.catalog,
      marks: this.marks,
      others: async () => [other],
      sourcesOf: async () => [],
      bytesPerSecond: pieceBytes,
      intervalMs,
      isBusy: () => false,
      log: silentLog,
      clock: this.clock,
      ...over,
    });
    return this.#stack.use(scrubber);
  }

  async put(n: number, pieces: number): Promise<FileInfo> {
    const bytes = new Uint8Array(pieces * pieceBytes).fill(n);
    const blobId = blobIdFromNumber(n);
    const file: FileInfo = {
      user: "ann",
      fileId: `f${n}`,
      group,
      blobId,
      version: 1,
      sizeBytes: bytes.length,
      sha256: Bun.SHA256.hash(bytes, "hex"),
      mediaType: "video/mp4",
      modifiedAtMs: this.clock.now(),
    };
    const summer = new PieceSummer();
    summer.update(bytes);
    await mkdir(dirname(join(this.root, blobPath(blobId))), { recursive: true });
    await mkdir(dirname(join(this.root, piecesPath(blobId))), { recursive: true });
    await Bun.write(join(this.root, blobPath(blobId)), bytes);
    const sidecar = encodeSidecar(file, summer.finish());
    await Bun.write(join(this.root, piecesPath(blobId)), sidecar);
    await this.catalog.commit([{ kind: "put", file }]);
    return file;
  }

  async damaged(): Promise<string[]> {
    const found = await this.catalog.damaged({ group, limit: 100 });
    return found.map(({ file }) => `${file.fileId} ${file.damage}`);
  }

  turn(scrubber: Scrubber): Promise<void> {
    return this.clock.until(scrubber.takeTurn());
  }

  async lastBy(): Promise<[number, string] | undefined> {
    const { last } = await this.state.read();
    return last === undefined ? undefined : [last.number, last.by];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Scrubbers that stop may wait for their clock.
    await this.clock.until(this.#stack.disposeAsync());
  }
}

describe("whose turn it is", () => {
  test("the next pass is another member's, unless that does not take it", async () => {
    await using members = await Group.open();
    const [one, two] = [members.member("s1"), members.member("s2")];
    await members.put(1, 2);
    await members.turn(one);
    expect(await members.lastBy()).toEqual([1, "s1"]);
    await members.turn(two);
    expect(await members.lastBy()).toEqual([1, "s1"]);
    members.clock.pass(intervalMs);
    await members.turn(one);
    expect(await members.lastBy()).toEqual([1, "s1"]);
    await members.turn(two);
    expect(await members.lastBy()).toEqual([2, "s2"]);
    members.clock.pass(intervalMs);
    await members.turn(two);
    members.clock.pass(limits.scrubTurnMs);
    await members.turn(two);
    expect(await members.lastBy()).toEqual([3, "s2"]);
  });

  test("who is alone need not wait", async () => {
    await using members = await Group.open();
    const one = members.member("s1", { others: async () => [] });
    await members.turn(one);
    await members.state.wish({});
    await members.turn(one);
    expect(await members.lastBy()).toEqual([2, "s1"]);
  });

  test("one at a time: the other does nothing while a pass is under way", async () => {
    await using members = await Group.open();
    const [one, two] = [members.member("s1"), members.member("s2")];
    for (let n = 1; n <= 4; n++) await members.put(n, 2);
    const pass = one.takeTurn();
    await members.state.wish({ bytesPerSecond: 2 * pieceBytes });
    await Bun.sleep(20);
    await two.takeTurn();
    expect((await members.state.read()).last).toBeUndefined();
    await members.clock.until(pass);
    expect(await members.lastBy()).toEqual([1, "s1"]);
  });

  test("without a rate it scrubs only when it is asked to, at the rate that is wished", async () => {
    await using members = await Group.open();
    const one = members.member("s1", { bytesPerSecond: 0 });
    await members.put(1, 8);
    await members.turn(one);
    expect(await members.state.read()).toEqual({});
    await members.state.wish({ bytesPerSecond: 2 * pieceBytes });
    await members.turn(one);
    expect(await members.lastBy()).toEqual([1, "s1"]);
    expect((await members.state.read()).last?.bytesPerSecond).toBe(2 * pieceBytes);
    await members.turn(one);
    expect(await members.lastBy()).toEqual([1, "s1"]);
  });
});

describe("a pass", () => {
  test("that the catalog interrupts is gone on with by the other member", async () => {
    await using members = await Group.open();
    for (let n = 1; n <= 5; n++) await members.put(n, 1);
    let asked = 0;
    const catalog = {
      ...pick(members.catalog),
      rowsOf: members.catalog.rowsOf.bind(members.catalog),
      blobs: async (query: Parameters<Catalog["blobs"]>[0]) => {
        if (asked++ > 0) throw new DsmError("CATALOG_UNAVAILABLE", "it is down");
        // A page, as if there were more.
        const page = await members.catalog.blobs({ ...query, limit: 2 });
        return Array.from({ length: 200 }, (_, i) => page[Math.min(i, 1)]!);
      },
    };
    await members.turn(members.member("s1", { catalog }));
    const { pass, last } = await members.state.read();
    expect(last).toBeUndefined();
    expect(pass).toMatchObject({ number: 1, by: "s1", after: blobIdFromNumber(2) });
    const read: number[] = [];
    const onCounts = ({ blobs }: { blobs: number }) => read.push(blobs);
    await members.turn(members.member("s2", { onCounts }));
    expect(await members.lastBy()).toEqual([1, "s2"]);
    expect(read).toEqual([1, 1, 1]);
  });

  test("leaves what comes meanwhile to the next", async () => {
    await using members = await Group.open();
    await members.put(1, 1);
    members.clock.pass(1);
    const pass = members.member("s1").takeTurn();
    await Bun.sleep(20);
    members.clock.pass(10);
    await members.put(2, 1);
    await members.clock.until(pass);
    expect((await members.state.read()).last).toMatchObject({ blobs: 1, bytes: pieceBytes });
  });

  test("begins anew where its state cannot be read", async () => {
    await using members = await Group.open();
    await members.put(1, 1);
    await Bun.write(join(members.root, "scrub/state.json"), '{"pass":{"number":7');
    await members.turn(members.member("s1"));
    expect(await members.lastBy()).toEqual([1, "s1"]);
  });

  test("believes nothing of a mount that is gone", async () => {
    await using members = await Group.open();
    await members.put(1, 2);
    const away = join(members.root, "away");
    for (const name of ["blobs", "dsm-group.json"]) {
      await mkdir(away, { recursive: true });
      await rename(join(members.root, name), join(away, name));
    }
    const one = members.member("s1");
    await members.turn(one);
    expect(await members.state.read()).toMatchObject({ pass: { blobs: 0, missing: 0 } });
    expect(await members.damaged()).toEqual([]);
    for (const name of await readdir(away))
      await rename(join(away, name), join(members.root, name));
    await members.turn(one);
    expect((await members.state.read()).last).toMatchObject({ blobs: 1, missing: 0, found: 0 });
  });

  test("looks twice before it believes what is bad", async () => {
    await using members = await Group.open();
    const file = await members.put(1, 2);
    const path = join(members.root, blobPath(file.blobId));
    const good = await Bun.file(path).bytes();
    await Bun.write(path, good.with(5, 99));
    let reads = 0;
    // Asked before each read: between the first look and the second the bytes become good.
    const isBusy = () => {
      if (reads++ === 2) writeFileSync(path, good);
      return false;
    };
    await members.turn(members.member("s1", { isBusy }));
    expect(reads).toBe(4);
    expect(await members.damaged()).toEqual([]);
    expect((await members.state.read()).last).toMatchObject({ found: 0, healed: 0 });
  });

  test.skipIf(faultyFsMissing !== undefined)("counts what cannot be read as bad", async () => {
    await using disk = await FaultyFs.mount();
    await using members = await Group.open(disk.path);
    await members.put(1, 1);
    await members.put(2, 3);
    const bad = blobPath(blobIdFromNumber(2));
    await disk.inject({ op: "read", path: `${bad}$`, error: "EIO" });
    const one = members.member("s1");
    await members.turn(one);
    expect(await members.damaged()).toEqual(["f2 0-2"]);
    // The disk comes back, and the mark goes with the next look at what is marked.
    await disk.inject();
    await members.marks.look();
    members.clock.pass(limits.scrubRecheckMs);
    await members.turn(one);
    expect(await members.damaged()).toEqual([]);
    expect((await members.state.read()).last).toMatchObject({ number: 1, found: 3 });
  });
});

function pick(catalog: Catalog) {
  return {
    damaged: catalog.damaged.bind(catalog),
    current: catalog.current.bind(catalog),
    usageOfGroup: catalog.usageOfGroup.bind(catalog),
  };
}
