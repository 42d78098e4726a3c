import { describe, expect, test } from "bun:test";
import type { IndexedChange } from "@dsm/journal";
import { blobIdFromNumber, limits } from "@dsm/protocol";
import { type Evidence, type Rebuilt, rowsOfFile } from "./rows-of-file.ts";
import { changesByFile } from "./version-sets.ts";

let seq = 0;
const name = { user: "ann", fileId: "f" };
const longMs = limits.doubtSettleMs + limits.doubtRoundMaxMs + 1;

interface Extra {
  readonly disk?: number | "gone";
  readonly atMs?: number;
  readonly replaces?: number;
}

const common = { ...name, life: 1, group: "g1", aborted: false };

/** Its blob has 10 bytes, and is on the disk unless it is said to be gone. */
function put(version: number, id: number, { disk = 10, atMs = id, replaces }: Extra = {}) {
  const change: IndexedChange = {
    ...common,
    seq: ++seq,
    version,
    id: blobIdFromNumber(id),
    deleted: false,
    sizeBytes: 10,
    sha256: "0".repeat(64),
    mediaType: "a/b",
    atMs,
    ...(replaces === undefined ? {} : { replaces: blobIdFromNumber(replaces) }),
    ...(disk === "gone" ? {} : { diskBytes: disk }),
  };
  return change;
}

function gone(version: number, id: number, replaces: number): IndexedChange {
  return {
    ...common,
    seq: ++seq,
    version,
    id: blobIdFromNumber(id),
    deleted: true,
    sizeBytes: 0,
    sha256: "",
    mediaType: "",
    atMs: id,
    replaces: blobIdFromNumber(replaces),
  };
}

/** Versions with the ids of their rows, a `*` on those that mark a blob as trash; findings. */
function rebuilt(changes: IndexedChange[], evidence: Partial<Evidence> = {}) {
  const all = { wentOnMs: () => 0, groupWith: () => undefined, ...evidence };
  const results: Rebuilt[] = [];
  for (const file of changesByFile(changes)) results.push(...rowsOfFile(file, all));
  const rows: string[] = [];
  const findings: string[] = [];
  for (const it of results) {
    if ("finding" in it) {
      const { kind, version } = it.finding as { kind: string; version: number };
      findings.push(`${kind} ${version}`);
      continue;
    }
    const { version, id, deleted, trashGroup } = it.row;
    const mark = trashGroup === undefined ? "" : "*";
    const live = it.isLive ? " live" : "";
    rows.push(`${version}:${Number.parseInt(id, 16)}${mark}${deleted ? " deleted" : ""}${live}`);
  }
  return { rows, findings };
}

describe("the rows of a file", () => {
  test("a new file, one that was replaced, one that was deleted", () => {
    expect(rebuilt([put(1, 1)])).toEqual({ rows: ["1:1 live"], findings: [] });
    expect(rebuilt([put(1, 1), put(2, 2, { replaces: 1 })]).rows).toEqual(["1:1", "2:2* live"]);
    expect(rebuilt([put(1, 1), gone(2, 2, 1)]).rows).toEqual(["1:1", "2:2* deleted"]);
  });

  test("of what was reaped only the newest version is left, a tombstone too", () => {
    const old = put(1, 1, { disk: "gone" });
    expect(rebuilt([old, put(2, 2, { replaces: 1 })]).rows).toEqual(["2:2 live"]);
    expect(rebuilt([old, gone(2, 2, 1)]).rows).toEqual(["2:2 deleted"]);
    expect(rebuilt([old, gone(2, 2, 1), put(3, 3)]).rows).toEqual(["3:3 live"]);
  });

  test("an old tombstone stays as long as the blob that it put into the trash", () => {
    const rows = rebuilt([put(1, 1), gone(2, 2, 1), put(3, 3)]).rows;
    expect(rows).toEqual(["1:1", "2:2* deleted", "3:3 live"]);
  });

  test("a row whose own blob is unlinked stays while it marks an older one", () => {
    const reapedOutOfOrder = put(2, 2, { replaces: 1, disk: "gone" });
    const rows = rebuilt([put(1, 1), reapedOutOfOrder, put(3, 3, { replaces: 2 })]).rows;
    expect(rows).toEqual(["1:1", "2:2*", "3:3* live"]);
  });

  test("a newest version whose bytes are missing or short is restored and reported", () => {
    const missing = rebuilt([put(1, 1), put(2, 2, { replaces: 1, disk: "gone" })]);
    expect(missing).toEqual({ rows: ["1:1", "2:2* live"], findings: ["missing blob 2"] });
    expect(rebuilt([put(1, 1, { disk: 9 })])).toEqual({
      rows: ["1:1 live"],
      findings: ["wrong size 1"],
    });
  });

  test("the next version decides which of two claims was in force", () => {
    const claims = [put(2, 5, { replaces: 1, atMs: 99 }), put(2, 7, { replaces: 1 })];
    for (const next of [put(3, 9, { replaces: 7 }), gone(3, 9, 7)]) {
      const { rows, findings } = rebuilt([put(1, 1), ...claims, next]);
      expect(rows.slice(0, 2)).toEqual(["1:1", "2:7*"]);
      expect(findings).toEqual([]);
    }
    const afterDelete = rebuilt([put(1, 1), put(2, 5, { replaces: 1 }), gone(2, 7, 1), put(3, 9)]);
    expect(afterDelete.rows).toEqual(["1:1", "2:7* deleted", "3:9 live"]);
  });

  test("two branches of a history are told apart from their newest end", () => {
    const { rows } = rebuilt([
      put(1, 1),
      put(2, 2, { replaces: 1 }),
      put(2, 12, { replaces: 1 }),
      put(3, 3, { replaces: 2 }),
      put(3, 13, { replaces: 12 }),
      put(4, 14, { replaces: 13 }),
    ]);
    expect(rows).toEqual(["1:1", "2:12*", "3:13*", "4:14* live"]);
  });

  test("of two claims to the newest version proof comes first, then bytes, then time", () => {
    const [early, late] = [put(1, 5, { atMs: 1 }), put(1, 7, { atMs: 2 })];
    const wentOnMs = (change: IndexedChange) => (change === early ? longMs : 0);
    expect(rebuilt([early, late], { wentOnMs }).rows).toEqual(["1:5 live"]);
    expect(rebuilt([early, late])).toEqual({ rows: ["1:7 live"], findings: ["two claims 1"] });
    const bare = put(1, 7, { atMs: 2, disk: "gone" });
    expect(rebuilt([early, bare]).rows).toEqual(["1:5 live"]);
    const sameTime = [put(1, 5, { atMs: 2 }), late];
    expect(rebuilt(sameTime).rows).toEqual(["1:7 live"]);
  });

  test("aborted changes do not count, at the end or in between", () => {
    const aborted = (change: IndexedChange) => ({ ...change, aborted: true });
    const tried = [aborted(put(2, 2, { replaces: 1 })), aborted(put(3, 3, { replaces: 2 }))];
    expect(rebuilt([put(1, 1), ...tried])).toEqual({ rows: ["1:1 live"], findings: [] });
    expect(rebuilt([aborted(put(1, 1))])).toEqual({ rows: [], findings: [] });
    const won = put(2, 9, { replaces: 1 });
    expect(rebuilt([put(1, 1), tried[0]!, won]).rows).toEqual(["1:1", "2:9* live"]);
  });

  test("a version that was reaped and then aborted is not lost", () => {
    const old = put(1, 1, { disk: "gone" });
    const reaped = { ...put(2, 2, { replaces: 1, disk: "gone" }), aborted: true };
    const { rows, findings } = rebuilt([old, reaped, put(3, 3, { replaces: 2 })]);
    expect([rows, findings]).toEqual([["3:3 live"], []]);
  });

  test("of two tombstones the later one is taken, and nobody needs to know", () => {
    const { rows, findings } = rebuilt([put(1, 1), gone(2, 7, 1), gone(2, 5, 1), put(3, 9)]);
    expect(rows).toEqual(["1:1", "2:7* deleted", "3:9 live"]);
    expect(findings).toEqual([]);
  });

  test("a record that is there twice is no second claim", () => {
    const record = put(1, 1);
    expect(rebuilt([record, { ...record, seq: 99 }])).toEqual({ rows: ["1:1 live"], findings: [] });
  });

  test("a lost record is reported once, and blobs before it are left to fsck", () => {
    const groupWith = () => "g1";
    const lostMiddle = rebuilt([put(1, 1), put(3, 3, { replaces: 2 })], { groupWith });
    expect(lostMiddle.rows).toEqual(["3:3* live"]);
    expect(lostMiddle.findings).toEqual(["left to fsck 1", "lost record 2"]);
    const loser = rebuilt([put(1, 1), put(2, 5, { replaces: 1 }), put(3, 3, { replaces: 2 })]);
    expect(loser.rows).toEqual(["3:3 live"]);
    expect(loser.findings).toEqual(["left to fsck 1", "lost record 2"]);
    expect(rebuilt([put(4, 4), put(9, 9)]).findings).toEqual(["lost record 1", "left to fsck 4"]);
  });
});
