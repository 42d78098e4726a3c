import { describe, expect, test } from "bun:test";
import type { Clock } from "@dsm/clock";
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

/** A membership, and the time as it sees it. */
function start() {
  const time = { nowMs: 1_800_000_000_000, monotonicMs: 0 };
  const clock: Clock = {
    now: () => time.nowMs,
    monotonicMs: () => time.monotonicMs,
    after: () => ({ cancel: () => {} }),
  };
  const membership = new Membership({ ...options, clock });
  const pass = (ms: number) => {
    time.nowMs += ms;
    time.monotonicMs += ms;
  };
  const isOnline = () => membership.members()[0]?.online;
  return { membership, time, pass, isOnline };
}

describe("Membership", () => {
  test("a storage is online up to the last allowed silence and offline behind it", () => {
    const { membership, pass, isOnline } = start();
    membership.join(state());
    pass(500);
    membership.heartbeat(state());
    pass(3_000);
    expect(isOnline()).toBe(true);
    pass(1);
    expect(isOnline()).toBe(false);
    membership.heartbeat(state());
    expect(isOnline()).toBe(true);
  });

  test("a clock that is set brings nobody to life and kills nobody", () => {
    const { membership, time, pass, isOnline } = start();
    membership.join(state());
    time.nowMs += 3_600_000;
    expect(isOnline()).toBe(true);
    time.nowMs -= 7_200_000;
    pass(3_001);
    expect(isOnline()).toBe(false);
  });

  test("a beat from a stranger, from another life, and after leaving is told to join", () => {
    const { membership } = start();
    expect(codeOf(() => membership.heartbeat(state()))).toBe("JOIN_FIRST");
    membership.join(state());
    expect(codeOf(() => membership.heartbeat(state({ incarnation: "life-2" })))).toBe("JOIN_FIRST");
    membership.leave("s1", "life-1");
    expect(codeOf(() => membership.heartbeat(state()))).toBe("JOIN_FIRST");
  });

  test("a late leave of an earlier life does not take the new one offline", () => {
    const { membership } = start();
    membership.join(state());
    membership.join(state({ incarnation: "life-2" }));
    membership.leave("s1", "life-1");
    expect(membership.members().map((member) => member.online)).toEqual([true]);
  });

  test("a late join of an earlier life, or of one that has left, changes nothing", () => {
    const { membership, pass, isOnline } = start();
    const newer = state({ incarnation: "life-2", dataUrl: "http://127.0.0.1:7900" });
    membership.join(newer);
    pass(3_000);
    expect(codeOf(() => membership.join(state()))).toBe("CONFLICT");
    expect(membership.members()).toMatchObject([{ ...newer, online: true }]);
    membership.leave("s1", "life-2");
    expect(codeOf(() => membership.join(newer))).toBe("CONFLICT");
    expect(isOnline()).toBe(false);
    membership.join(state({ incarnation: "life-3" }));
    expect(isOnline()).toBe(true);
  });

  test("a host whose clock was set back is let in when its last life is silent", () => {
    const { membership, pass, isOnline } = start();
    membership.join(state({ incarnation: "life-9" }));
    membership.leave("s1", "life-9");
    pass(3_001);
    membership.join(state({ incarnation: "life-8" }));
    expect(isOnline()).toBe(true);
  });

  test("an asked drain counts at once, is told until obeyed, and not after", () => {
    const { membership } = start();
    membership.join(state());
    const isDraining = () => membership.members()[0]?.draining;
    membership.wishDrain("s1", true);
    expect(isDraining()).toBe(true);
    // It has not obeyed yet, and is not named for that.
    expect(membership.heartbeat(state())).toEqual({ drain: true });
    expect(isDraining()).toBe(true);
    expect(membership.heartbeat(state({ draining: true }))).toEqual({});
    expect(membership.heartbeat(state({ draining: false }))).toEqual({});
    expect(isDraining()).toBe(false);
    expect(codeOf(() => membership.wishDrain("nobody", true))).toBe("MEMBER_NOT_FOUND");
  });

  test("a storage that is to take uploads again is named when it says that it does", () => {
    const { membership } = start();
    membership.join(state({ draining: true }));
    membership.wishDrain("s1", false);
    expect(membership.members()[0]?.draining).toBe(true);
    expect(membership.heartbeat(state({ draining: true }))).toEqual({ drain: false });
    expect(membership.heartbeat(state({ draining: false }))).toEqual({});
    expect(membership.members()[0]?.draining).toBe(false);
  });

  test("one that is offline can be forgotten, one that is online cannot", () => {
    const { membership, pass, isOnline } = start();
    membership.join(state());
    expect(codeOf(() => membership.remove("s1"))).toBe("CONFLICT");
    membership.wishDrain("s1", true);
    pass(3_001);
    expect([membership.remove("s1"), membership.remove("s1")]).toEqual([true, false]);
    expect(membership.members()).toEqual([]);
    // It was away and not gone: it is asked to join like any other, and nothing is left of a wish.
    expect(codeOf(() => membership.heartbeat(state()))).toBe("JOIN_FIRST");
    membership.join(state());
    expect(membership.heartbeat(state())).toEqual({});
    expect(isOnline()).toBe(true);
  });

  test("a fresh tracker is complete when each storage has beaten once", () =>
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 20 }),
        (numbers) => {
          const { membership } = start();
          for (const n of numbers) {
            const beat = state({ storageId: `s${n}` });
            if (codeOf(() => membership.heartbeat(beat)) === "JOIN_FIRST") membership.join(beat);
          }
          const online = membership.members().filter((member) => member.online);
          expect(new Set(online.map((m) => m.storageId))).toEqual(
            new Set(numbers.map((n) => `s${n}`)),
          );
        },
      ),
    ));
});
