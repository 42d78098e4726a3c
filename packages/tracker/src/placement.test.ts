import { describe, expect, test } from "bun:test";
import { DsmError, type Member } from "@dsm/protocol";
import fc from "fast-check";
import { canServe, roomiestGroup, whyNoneServes } from "./placement.ts";
import { Ranking } from "./ranking.ts";

function member(over: Partial<Member> = {}): Member {
  return {
    storageId: "s1",
    group: "g1",
    dataUrl: "http://127.0.0.1:7800",
    publicUrl: "http://127.0.0.1:7800",
    freeBytes: 10,
    totalBytes: 20,
    full: false,
    activeRequests: 0,
    draining: false,
    incarnation: "x",
    softwareVersion: "0",
    online: true,
    lastBeatAtMs: 1_000,
    joinedAtMs: 0,
    ...over,
  };
}

const memberArbitrary = fc
  .record({
    storageId: fc.constantFrom("a", "b", "c", "d"),
    group: fc.constantFrom("g1", "g2", "g3"),
    freeBytes: fc.nat(3),
    full: fc.boolean(),
    failing: fc.boolean(),
    draining: fc.boolean(),
    online: fc.boolean(),
    activeRequests: fc.nat(5),
  })
  .map(member);

describe("placement", () => {
  test("the group chosen has a member that can write, and no such member has more room", () =>
    fc.assert(
      fc.property(fc.array(memberArbitrary), (members) => {
        const able = members.filter((m) => canServe(m, "write"));
        if (able.length === 0) {
          expect(() => roomiestGroup(members)).toThrow(DsmError);
          return;
        }
        const group = roomiestGroup(members);
        const room = (g: string) =>
          Math.max(...able.filter((m) => m.group === g).map((m) => m.freeBytes));
        expect(room(group)).toBe(Math.max(...able.map((m) => m.freeBytes)));
      }),
    ));

  test("every tracker chooses alike, in whatever order its members came", () =>
    fc.assert(
      fc.property(fc.array(memberArbitrary, { minLength: 1 }), (members) => {
        fc.pre(members.some((m) => canServe(m, "write")));
        expect(roomiestGroup(members)).toBe(roomiestGroup(members.toReversed()));
      }),
    ));

  test("why nobody serves says which group, what is wrong and since when", () => {
    const cases: Array<[string, Member[]]> = [
      ["GROUP_UNAVAILABLE", []],
      ["GROUP_UNAVAILABLE", [member({ online: false })]],
      ["GROUP_UNAVAILABLE", [member({ draining: true })]],
      ["STORAGE_FULL", [member({ full: true })]],
      [
        "STORAGE_FULL",
        [
          member({ full: true, reserveBytes: 90 }),
          member({ storageId: "s2", full: true, freeBytes: 11, reserveBytes: 80 }),
        ],
      ],
      ["STORAGE_FULL", [member({ full: true, reserveBytes: 5 })]],
      ["STORAGE_FAILED", [member({ failing: true })]],
    ];
    const errors = cases.map(([, members]) => whyNoneServes("g1", members, 0));
    expect(errors.map((error) => error.code)).toEqual(cases.map(([code]) => code) as never);
    expect(errors.map((error) => error.message)).toEqual([
      "no storage of group g1 has joined since this tracker started 1970-01-01T00:00:00.000Z",
      "group g1 has had no live storage since 1970-01-01T00:00:01.000Z",
      "all live storages of group g1 are draining",
      "group g1 has no storage with room for more: storage s1 has 10 bytes free",
      "group g1 has no storage with room for more: storage s2 has 11 bytes free and keeps 80 in reserve",
      "group g1 has no storage with room for more: storage s1 has 10 bytes free, with 5 in " +
        "reserve, and its disk has refused more",
      "no storage of group g1 can write to its disk",
    ]);
  });

  test("a disk that fails takes no change, one that is full no bytes, and both are read", () => {
    const intents = ["read", "write", "delete"] as const;
    const able = (over: Partial<Member>) => intents.filter((it) => canServe(member(over), it));
    expect(able({})).toEqual(["read", "write", "delete"]);
    expect(able({ full: true })).toEqual(["read", "delete"]);
    expect(able({ failing: true })).toEqual(["read"]);
    expect(able({ failing: true, full: true })).toEqual(["read"]);
    expect(able({ online: false })).toEqual([]);
  });
});

describe("Ranking", () => {
  test("between two beats requests are spread over equal storages", () => {
    const ranking = new Ranking();
    const members = ["a", "b", "c"].map((storageId) => member({ storageId }));
    const firsts = Array.from({ length: 9 }, () => ranking.bestFirst(members)[0]?.storageId);
    expect(
      Map.groupBy(firsts, (id) => id)
        .values()
        .map((of) => of.length)
        .toArray(),
    ).toEqual([3, 3, 3]);
  });

  test("clients that come one for each beat go to all storages in turn", () => {
    const ranking = new Ranking();
    const firsts = Array.from({ length: 6 }, (_, beat) => {
      const members = ["a", "b", "c"].map((storageId) => {
        return member({ storageId, lastBeatAtMs: 1_000 * beat });
      });
      return ranking.bestFirst(members)[0]?.storageId;
    });
    expect(firsts.join("")).toBe("abcabc");
  });

  test("the least loaded comes first, and nobody is lost", () => {
    const ranked = new Ranking().bestFirst([
      member({ storageId: "busy", activeRequests: 9 }),
      member({ storageId: "idle", activeRequests: 0 }),
      member({ storageId: "some", activeRequests: 3 }),
    ]);
    expect(ranked.map((m) => m.storageId)).toEqual(["idle", "some", "busy"]);
  });
});
