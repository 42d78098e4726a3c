import { describe, expect, test } from "bun:test";
import type { StorageOptions } from "@dsm/storage";
import { type FaultRule, faultyFsMissing, until } from "@dsm/testkit";
import { type Answer, SickMember } from "./sick-member.ts";

const why = faultyFsMissing === undefined ? "" : ` (${faultyFsMissing})`;
const mib = 1024 * 1024;
const small = "a new text";
const old = "the old text";
/** Of three pieces, so that it has a sidecar; and it comes as a stream. */
const large = noise(2 * mib + 77);
/** So large that it begins to sync before it is whole. */
const huge = noise(20 * mib);

function noise(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, sizeBytes)));
  }
  return bytes;
}

const sha256 = (bytes: Uint8Array | string) => Bun.SHA256.hash(bytes, "hex");

type Action = (s: SickMember) => Promise<Answer>;
const putSmall: Action = (s) => s.put("f", small);
const putLarge: Action = (s) => s.put("f", large);
const putHuge: Action = (s) => s.put("f", huge);
const overwrite: Action = (s) => s.put("old", small);
const remove: Action = (s) => s.delete("old");

const blob = "^/blobs/";
const sidecar = "^/pieces/";
const journal = "^/journal/sick/";

interface Step {
  readonly rules: FaultRule[];
  readonly act: Action;
  /** The sick member has written nothing before. */
  readonly first?: true;
  readonly options?: Partial<StorageOptions>;
}

const eio = (op: FaultRule["op"], path: string, more: Partial<FaultRule> = {}): FaultRule[] => [
  { op, path, error: "EIO", ...more },
];

/** The system says an error of a sync once, and from then on that all is well. */
const once = { times: 1 };
/** Every record is in a part of its own, so that each write opens one. */
const tinyParts = { journalPartMaxBytes: 1 };

const steps: Record<string, Step> = {
  "a folder of blobs is made": { rules: eio("mkdir", blob), act: putSmall, first: true },
  "the blob is created": { rules: eio("create", blob), act: putSmall },
  "the blob is created, on a disk that turned read-only": {
    rules: [{ op: "create", path: blob, error: "EROFS" }],
    act: putSmall,
  },
  "the blob is written": { rules: eio("write", blob), act: putSmall },
  "the blob is written, on a disk that is gone": {
    rules: [{ op: "write", path: blob, error: "ENODEV" }],
    act: putLarge,
  },
  "the blob is written, half of it": {
    rules: [{ op: "write", path: blob, short: 4, times: 1 }, ...eio("write", blob)],
    act: putSmall,
  },
  "the middle of a blob is written": { rules: eio("write", blob, { after: 3 }), act: putLarge },
  "the blob is synced": { rules: eio("fsync", blob, once), act: putSmall },
  "a large blob is synced": { rules: eio("fsync", blob, once), act: putLarge },
  "a blob is synced before it is whole": { rules: eio("fsync", blob, once), act: putHuge },
  "the names of blobs are synced": { rules: eio("fsyncdir", blob, once), act: putSmall },
  "the names of folders of blobs are synced": {
    rules: eio("fsyncdir", "^/(blobs)?$", once),
    act: putSmall,
    first: true,
  },
  "a folder of sidecars is made": { rules: eio("mkdir", sidecar), act: putLarge, first: true },
  "the sidecar is created": { rules: eio("create", sidecar), act: putLarge },
  "the sidecar is written": { rules: eio("write", sidecar), act: putLarge },
  "the sidecar is synced": { rules: eio("fsync", sidecar, once), act: putLarge },
  "the names of sidecars are synced": { rules: eio("fsyncdir", sidecar, once), act: putLarge },
  "a record is journaled": { rules: eio("write", journal), act: putSmall },
  "half a record is journaled": {
    rules: [{ op: "write", path: journal, short: 30, times: 1 }, ...eio("write", journal)],
    act: putSmall,
  },
  "the journal is synced": { rules: eio("fsync", journal, once), act: putSmall },
  "the next part of the journal is opened": {
    rules: eio("create", journal),
    act: putSmall,
    options: tinyParts,
  },
  "the name of a part is synced": {
    rules: eio("fsyncdir", journal.slice(0, -1), once),
    act: putSmall,
    options: tinyParts,
  },
  "an overwrite is written": { rules: eio("write", blob), act: overwrite },
  "an overwrite is synced": { rules: eio("fsync", blob, once), act: overwrite },
  "an overwrite is journaled": { rules: eio("write", journal), act: overwrite },
  "an overwrite's record is synced": { rules: eio("fsync", journal, once), act: overwrite },
  "a delete is journaled": { rules: eio("write", journal), act: remove },
  "half a delete is journaled": {
    rules: [{ op: "write", path: journal, short: 30, times: 1 }, ...eio("write", journal)],
    act: remove,
  },
  "a delete's record is synced": { rules: eio("fsync", journal, once), act: remove },
  "a delete opens the next part": {
    rules: eio("create", journal),
    act: remove,
    options: tinyParts,
  },
};

/** What everybody sees of what was acknowledged before, and of what was refused. */
async function expectAsBefore(s: SickMember): Promise<void> {
  expect([await s.seen("kept"), await s.seen("old"), await s.seen("f")]).toEqual([
    sha256("kept"),
    sha256(old),
    null,
  ]);
}

async function sceneOf({ first, options = {} }: Partial<Step>): Promise<SickMember> {
  const s = await SickMember.open(options);
  for (const [fileId, text] of [
    ["kept", "kept"],
    ["old", old],
  ] as const) {
    if (first === true) await putHealthy(s, fileId, text);
    else expect(await s.put(fileId, text)).toMatchObject({ status: 201 });
  }
  // So that the folder of sidecars is there.
  if (first !== true) expect(await s.put("wide", large)).toMatchObject({ status: 201 });
  return s;
}

/** While one of them drains, the trackers name the other. */
async function putHealthy(s: SickMember, fileId: string, text: string): Promise<void> {
  await s.sick.setDraining(true);
  await s.putAnywhere(fileId, text);
  await s.sick.setDraining(false);
}

/** The disk is well: the member comes back by itself, and nothing is left that cannot be mended. */
async function expectRecovery(s: SickMember): Promise<void> {
  await s.heal();
  await until("the trackers know that it is well", async () => {
    return !(await s.isFailing()) && !(await s.isFull());
  });
  await until("it takes files again", async () => (await s.put("later", small)).status < 300);
  expect(Buffer.from(await (await s.read("later")).bytes()).toString()).toBe(small);
  const kinds = new Set<string>();
  await until("fsck has nothing to mend", async () => {
    const { kinds: found, left } = await s.fsck(true);
    expect(left).toEqual([]);
    for (const kind of found) kinds.add(kind);
    return found.length === 0;
  });
  expect([...kinds].filter((kind) => !["orphan", "unsettled"].includes(kind))).toEqual([]);
  expect(await s.cluster.catalog.checkUsage({ repair: false })).toEqual([]);
}

describe.skipIf(faultyFsMissing !== undefined)(`a disk that fails${why}`, () => {
  test.each(Object.entries(steps))(
    "when %s: refused, unseen, told to the trackers, and well again by itself",
    async (_, step) => {
      await using s = await sceneOf(step);
      const before = await s.files("blobs", "pieces");
      await s.inject(...step.rules);
      const answer = await step.act(s);
      expect(answer).toMatchObject({ status: 503, code: "STORAGE_FAILED" });
      expect(answer.detail).toContain(step.rules.at(-1)?.error ?? "?");
      await until("the rule has met something", () => s.hits.length > 0);
      await until("the trackers know", () => s.isFailing());
      await expectAsBefore(s);
      expect((await s.files("blobs", "pieces")).toSorted()).toEqual(before.toSorted());
      // Refused at once, with the reason, and the other member takes what comes.
      const refused = await s.put("more", small);
      expect([refused.status, refused.code]).toEqual([503, "STORAGE_FAILED"]);
      expect(refused.detail).toContain("storage sick cannot write to its disk");
      for (const n of [1, 2, 3]) await s.putAnywhere(`elsewhere${n}`, `${n}`);
      expect(Buffer.from(await (await s.read("kept")).bytes()).toString()).toBe("kept");
      await expectRecovery(s);
      await expectAsBefore(s);
    },
    40_000,
  );

  test.each(["EDQUOT", "ENOSPC"] as const)(
    "with %s is full: 507, and the same besides",
    async (error) => {
      await using s = await sceneOf({});
      await s.inject({ op: "write", path: blob, error });
      const answer = await putLarge(s);
      expect(answer).toMatchObject({ status: 507, code: "STORAGE_FULL" });
      expect(answer.detail).toContain(error);
      await until("the trackers know", async () => (await s.isFull()) || (await s.isFailing()));
      await s.putAnywhere("elsewhere", "1");
      await expectAsBefore(s);
      await expectRecovery(s);
      await expectAsBefore(s);
    },
    40_000,
  );

  test.each(["small", "large"] as const)(
    "short writes of a %s file go on where they stopped",
    async (size) => {
      await using s = await sceneOf({});
      const body = size === "small" ? small.repeat(100) : large;
      const short = (path: string, bytes: number) => ({ op: "write", path, short: bytes }) as const;
      await s.fs.inject(short(blob, 997), short(sidecar, 3), short(journal, 31));
      expect(await s.put("f", body)).toMatchObject({ status: 201 });
      await until("writes were short", () => s.fs.hits.length > 10);
      await s.fs.inject();
      expect(await s.seen("f")).toBe(sha256(body));
      expect(await s.fsck(false)).toEqual({ kinds: [], left: [] });
    },
    40_000,
  );

  test("what cannot be unlinked at first is gone later", async () => {
    await using s = await sceneOf({});
    const before = await s.files("blobs", "pieces");
    await s.inject(...eio("fsync", blob, once), ...eio("unlink", "^/(blobs|pieces)/", once));
    const answer = await putLarge(s);
    expect(answer).toMatchObject({ status: 503, code: "STORAGE_FAILED" });
    expect(answer.detail).toContain("tried again later");
    expect(await s.files("blobs", "pieces")).toHaveLength(before.length + 2);
    await expectAsBefore(s);
    await until(
      "it is gone",
      async () => (await s.files("blobs", "pieces")).length === before.length,
      40_000,
    );
    await expectRecovery(s);
  }, 60_000);

  test("the reaper tries again what it could not unlink", async () => {
    await using s = await sceneOf({ options: { reapIntervalMs: 50, trashGraceMs: 0 } });
    await s.fs.inject(...eio("unlink", "^/(blobs|pieces)/", { times: 3 }));
    const before = await s.files("blobs", "pieces");
    expect(await s.delete("wide")).toMatchObject({ status: 204 });
    await until("its space is back", async () => {
      return (await s.files("blobs", "pieces")).length === before.length - 2;
    });
    await until("its row too", async () => (await s.client.usage("ann")).trashBlobs === 0);
    await until("it failed before", () => s.fs.hits.length === 3);
    expect(await s.fsck(false)).toEqual({ kinds: [], left: [] });
  }, 40_000);
});

describe.skipIf(faultyFsMissing !== undefined)(`a disk that cannot be read${why}`, () => {
  test.each([
    ["at the first byte", 0],
    ["in the middle", 4],
  ] as const)(
    "%s: the read breaks or is refused, and the SDK reads on elsewhere",
    async (_, after) => {
      await using s = await sceneOf({});
      expect(await s.put("film", huge)).toMatchObject({ status: 201 });
      for (const [fileId, bytes] of [
        ["film", huge],
        ["wide", large],
        ["kept", Buffer.from("kept")],
      ] as const) {
        await s.fs.inject(...eio("read", blob, { after }));
        const whole = await s
          .read(fileId)
          .then(async (response) => (response.ok ? await response.bytes() : undefined))
          .catch(() => undefined);
        // With few reads none may have failed; then every byte is right.
        if (whole !== undefined) expect(sha256(whole)).toBe(sha256(bytes));
        if (after === 0) expect(whole).toBeUndefined();
        const { body } = await s.client.open({ user: "ann", fileId });
        const read = Buffer.concat(await Array.fromAsync(body));
        expect([read.length, sha256(read)]).toEqual([bytes.length, sha256(bytes)]);
        await s.fs.inject();
      }
    },
    60_000,
  );
});
