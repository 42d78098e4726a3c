import { describe, expect, test } from "bun:test";
import { DsmError, limits, type UserUsage } from "@dsm/protocol";
import { until } from "@dsm/testkit";
import { QuotaGate } from "./quota.ts";

const largeBytes = limits.uploadAtOnceMaxBytes + 1;

function setting(usage: Partial<UserUsage>) {
  const state = { liveBytes: 0, ...usage, asked: 0 };
  const catalog: ConstructorParameters<typeof QuotaGate>[0] = {
    usageOf: (user) => {
      state.asked++;
      const { liveBytes, quotaBytes } = state;
      const nothing = { liveFiles: 1, trashBlobs: 0, trashBytes: 0 };
      const quota = quotaBytes === undefined ? {} : { quotaBytes };
      return Promise.resolve({ user, group: "g1", ...nothing, liveBytes, ...quota });
    },
  };
  const gate = new QuotaGate(catalog, () => Promise.resolve(false));
  const admit = (bytes: number | undefined, replaced = 0) =>
    gate.admit("ann", bytes, replaced).then(
      () => "admitted",
      (error: unknown) => (error instanceof DsmError ? error.message : String(error)),
    );
  return { state, admit };
}

describe("the gate of a quota", () => {
  test("asks once in a while for users without one, and never for small uploads", async () => {
    const { state, admit } = setting({});
    for (let i = 0; i < 20; i++) expect(await admit(largeBytes)).toBe("admitted");
    expect(state.asked).toBe(1);
    expect(await setting({ quotaBytes: 0 }).admit(limits.uploadAtOnceMaxBytes)).toBe("admitted");
    await until("it asks again", async () => {
      await admit(largeBytes);
      return state.asked === 2;
    });
  });

  test("refuses with the numbers what would pass it, and what it replaces counts", async () => {
    const { admit } = setting({ liveBytes: 600_000, quotaBytes: 1_000_000 });
    expect(await admit(400_000)).toBe("admitted");
    expect(await admit(400_001)).toBe(
      "user ann has 600000 bytes of 1000000 allowed, and the file has 400001",
    );
    expect(await admit(900_000, 500_000)).toBe("admitted");
    expect(await admit(900_001, 500_000)).toContain("1000000 allowed");
  });

  test("goes by what is so now, for who has one", async () => {
    const { state, admit } = setting({ liveBytes: 1_000_000, quotaBytes: 1_000_000 });
    expect(await admit(largeBytes)).toContain("1000000 allowed");
    state.liveBytes = 0;
    expect(await admit(largeBytes)).toBe("admitted");
  });

  test("takes an upload of unknown length only where there is room for a byte", async () => {
    const nearly = setting({ liveBytes: 999, quotaBytes: 1_000 });
    expect(await nearly.admit(undefined)).toBe("admitted");
    const full = setting({ liveBytes: 1_000, quotaBytes: 1_000 });
    expect(await full.admit(undefined)).toContain("1000 bytes of 1000 allowed");
  });
});
