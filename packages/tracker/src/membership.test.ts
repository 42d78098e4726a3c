import { describe, expect, test } from "bun:test";
import { DsmError, type StorageState } from "@dsm/protocol";
import fc from "fast-check";
import { Membership } from "./membership.ts";

const options = { heartbeatIntervalMs: 1_000, missedBeats: 3 };

function state(over: Partial<StorageState> = {}): StorageState {
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
    incarnation: "life-1",
    softwareVersion: "0",
    ...over,
  };
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return "none";
  } catch (error) {
    return error instanceof DsmError ? error.code : "not a DsmError";
  }
}

describe("Membership", () => {
  test("a storage is online up to the last allowed silence and offline behind it", () => {
    const membership = new Membership(options);
    membership.join(state(), 0);
    membership.heartbeat(state(), 5_000);
    const onlineAt = (nowMs: number) => membership.members(nowMs)[0]?.online;
    expect([onlineAt(5_000), onlineAt(8_000), onlineAt(8_001)]).toEqual([true, true, false]);
    membership.heartbeat(state(), 60_000);
    expect(onlineAt(60_000)).toBe(true);
  });

  test("a beat from a stranger, from another life, and after leaving is told to join", () => {
    const membership = new Membership(options);
    expect(codeOf(() => membership.heartbeat(state(), 0))).toBe("JOIN_FIRST");
    membership.join(state(), 0);
    expect(codeOf(() => membership.heartbeat(state({ incarnation: "life-2" }), 1))).toBe(
      "JOIN_FIRST",
    );
    membership.leave("s1", "life-1");
    expect(codeOf(() => membership.heartbeat(state(), 2))).toBe("JOIN_FIRST");
  });

  test("a late leave of an earlier life does not take the new one offline", () => {
    const membership = new Membership(options);
    membership.join(state(), 0);
    membership.join(state({ incarnation: "life-2" }), 10);
    membership.leave("s1", "life-1");
    expect(membership.members(10).map((member) => member.online)).toEqual([true]);
  });

  test("an asked drain counts at once, is told until obeyed, and not after", () => {
    const membership = new Membership(options);
    membership.join(state(), 0);
    membership.wishDrain("s1", true);
    expect(membership.members(0)[0]?.draining).toBe(true);
    expect(membership.heartbeat(state(), 1)).toEqual({ drain: true });
    expect(membership.heartbeat(state({ draining: true }), 2)).toEqual({});
    expect(membership.heartbeat(state({ draining: false }), 3)).toEqual({});
    expect(codeOf(() => membership.wishDrain("nobody", true))).toBe("MEMBER_NOT_FOUND");
  });

  test("a fresh tracker is complete when each storage has beaten once", () =>
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 20 }),
        (numbers) => {
          const fresh = new Membership(options);
          for (const n of numbers) {
            const beat = state({ storageId: `s${n}` });
            if (codeOf(() => fresh.heartbeat(beat, 100)) === "JOIN_FIRST") fresh.join(beat, 100);
          }
          const online = fresh.members(100).filter((member) => member.online);
          expect(new Set(online.map((m) => m.storageId))).toEqual(
            new Set(numbers.map((n) => `s${n}`)),
          );
        },
      ),
    ));
});
